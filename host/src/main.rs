//! The gateway's binary: arguments in, exit code out.

mod access_log;
mod args;
mod check;
mod client;
mod config_file;
mod control;
mod drain;
mod explain;
mod folder;
mod keyring;
mod listeners;
mod load;
mod log;
mod recorders;
mod reload;
mod run;
mod schema;
mod signals;
mod top;
mod traits;
mod unserved;
mod version;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use portcullis_terminal::Failure;

use self::args::{Args, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for a mistake of the operator's; 1 is for what goes wrong on its own.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    if !matches!(args.command, Command::Run(_)) {
        // `portcullis schema | head`: ends quietly when its reader has left, as a filter does. A gateway goes on.
        sigpipe::reset();
    }
    let done = match args.command {
        Command::Run(options) => run::run(&options),
        Command::Check(options) => check::check(&options),
        Command::Routes(options) => check::routes(&options),
        Command::Explain(options) => explain::explain(&options),
        Command::Reload(options) => client::reload(&options),
        Command::Top(options) => top::top(&options),
        Command::Plugin(command) => portcullis_author::run(&command),
        Command::Schema(options) => schema::print(&options),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Args::command(),
                "portcullis",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Mistake(text)) => {
            eprintln!("{text}");
            ExitCode::from(MISTAKE)
        }
        Err(Failure::Trouble(text)) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}
