//! The admin listener: what it tells and whom it heeds.

mod browser;
mod conform;
mod ending;
mod generation;
mod hardness;
mod level;
mod probes;
mod secrets;
mod tls;
mod tokens;

use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;

/// A page whose answer has no end.
const ENDLESS: &str = "/refusals/stream";

/// One public route to an echo.
fn toml(echo: &Echo) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n[[route]]\nname = \"echo\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    )
}

async fn gateway() -> (Gateway, Echo) {
    let echo = Echo::start("one").await;
    let gateway = Setup::new(&toml(&echo)).start().await;
    (gateway, echo)
}
