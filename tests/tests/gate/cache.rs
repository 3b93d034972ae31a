//! What is answered from the store, what is not, and that it never is somebody else's.

mod coalesced;
mod disk;
mod disk_cost;
mod disk_trouble;
mod headers;
mod identity;
mod isolation;
mod operated;
mod partial;
mod stale;
mod suite;

use portcullis_tests::client::Answer;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::origin::Origin;

/// A gateway with one public route for everything, in front of an origin.
async fn gateway(origin: &Origin, cache: &str) -> Gateway {
    Setup::new(&toml(origin, cache)).start().await
}

fn toml(origin: &Origin, cache: &str) -> String {
    format!(
        "[upstream.origin]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"origin\"\ncache = {cache}\n",
        origin.address()
    )
}

/// Whether an answer came from the store, by its Age.
fn is_stored(answer: &Answer) -> bool {
    answer.header("age").is_some()
}

fn status(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap_or_default()
}
