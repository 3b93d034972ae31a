//! The echo upstream as a process of its own, for tests that kill it: `echo NAME`. Says where it listens, then one
//! line for each request.

use std::process::ExitCode;

use portcullis_tests::server::ANY;
use portcullis_tests::upstream::echo::Echo;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let echo = Echo::telling(ANY, &name, |request| {
        println!("{} {}", request.method(), request.uri());
    });
    match echo.await {
        Ok(echo) => {
            println!("{}", echo.address());
            std::future::pending().await
        }
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}
