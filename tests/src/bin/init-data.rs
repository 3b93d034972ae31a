//! Prints initData of the Telegram user id given, signed now with `BOT_TOKEN` or the demo's token.

use std::env;
use std::process::ExitCode;

use portcullis_tests::telegram;

fn main() -> ExitCode {
    let Some(id) = env::args().nth(1).and_then(|id| id.parse().ok()) else {
        eprintln!("usage: init-data USER_ID");
        return ExitCode::from(2);
    };
    let token = env::var("BOT_TOKEN").unwrap_or_else(|_| String::from(telegram::DEMO_TOKEN));
    println!("{}", telegram::signed(&token, id));
    ExitCode::SUCCESS
}
