//! Prints the alerts that Alertmanager sends here, until Ctrl-C or SIGTERM.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use portcullis_tests::pager::Pager;

/// The receiver of deploy/alertmanager/alertmanager.yml.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9095")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let address = Arguments::parse().listen;
    match Pager::telling(address, |alert| println!("pager: {alert}")).await {
        Ok(_pager) => std::future::pending().await,
        Err(error) => {
            eprintln!("pager: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
