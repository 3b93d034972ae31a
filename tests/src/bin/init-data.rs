//! Prints initData of the Telegram user id given, signed now or at a time in seconds since 1970, with `BOT_TOKEN` or the
//! demo's token.

use std::env;
use std::process::ExitCode;

use portcullis_tests::telegram;

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = env::args().skip(1).map(|number| number.parse()).collect();
    let (id, auth_date) = match numbers.as_deref() {
        Ok([id]) => (*id, telegram::now()),
        Ok([id, auth_date]) => (*id, *auth_date),
        _ => {
            eprintln!("usage: init-data USER_ID [AUTH_DATE]");
            return ExitCode::from(2);
        }
    };
    let token = env::var("BOT_TOKEN").unwrap_or_else(|_| String::from(telegram::DEMO_TOKEN));
    println!("{}", telegram::dated(&token, id, auth_date));
    ExitCode::SUCCESS
}
