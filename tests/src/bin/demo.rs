//! The demo services on fixed ports, until Ctrl-C or SIGTERM.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use portcullis_tests::demo::{Addresses, Demo};
use tokio::signal::unix::{SignalKind, signal};

/// Services to stand behind the demo's gateway.toml.
#[derive(Debug, Parser)]
struct Arguments {
    /// An instance of the users service; give it once per instance.
    #[arg(long, default_values = ["127.0.0.1:9101", "127.0.0.1:9102"])]
    users: Vec<SocketAddr>,
    #[arg(long, default_value = "127.0.0.1:9103")]
    raids: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:9104")]
    mentions: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let addresses = Addresses {
        users: arguments.users,
        raids: arguments.raids,
        mentions: arguments.mentions,
    };
    let _demo = Demo::start_at(&addresses).await?;
    eprintln!(
        "demo: users {:?}, raids {}, mentions {}",
        addresses.users, addresses.raids, addresses.mentions
    );
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}
