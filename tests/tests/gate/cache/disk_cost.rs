//! What a hit costs from memory and from the disk; docs/cache.md has the command.

use std::ops::Range;
use std::time::{Duration, Instant};

use portcullis_tests::client::Client;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::origin::{Asked, Origin, Says};

use super::disk::{Store, disk_until, toml};
use super::status;

/// Bytes and pages: far more than four mebibytes of memory hold.
const CASES: [(usize, usize); 3] = [(16 << 10, 3_000), (128 << 10, 500), (1 << 20, 60)];
/// Bytes stored before the disk is waited for: what waits to be written is bounded, and the rest would be dropped.
const PORTION: usize = 4 << 20;

/// Each page once, one after the other on one connection: how long each took, and how many came from the disk.
async fn round(gateway: &Gateway, pages: Range<usize>) -> (Vec<Duration>, usize) {
    let client = Client::connect(gateway.listen.http).await;
    let mut client = client.expect("the gateway listens");
    let (mut took, mut from_disk) = (Vec::new(), 0);
    for page in pages {
        let begin = Instant::now();
        let answer = client.ask("GET", &format!("/{page}"), &[], b"").await;
        took.push(begin.elapsed());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200);
        from_disk += usize::from(status(&answer).ends_with("detail=disk"));
    }
    took.sort_unstable();
    (took, from_disk)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_hit_from_memory_beside_one_from_the_disk() {
    for (bytes, pages) in CASES {
        let origin = Origin::saying(move |_: &Asked| {
            Says::ok("x".repeat(bytes)).header("cache-control", "max-age=3600")
        })
        .await;
        for memory in ["256MiB", "4MiB"] {
            let store = Store::new();
            let memory_only = memory == "256MiB";
            let folder = store.folder();
            let cache = format!(
                "[cache]\nmemory = \"{memory}\"\ndisk = {{ folder = {folder:?}, size = \"1GiB\" }}\n\n"
            );
            let gateway = Gateway::start(&(cache + &toml(&origin))).await;
            disk_until(&gateway, |disk| disk["state"] == "up").await;
            for first in (0..pages).step_by(PORTION / bytes) {
                let end = pages.min(first + PORTION / bytes);
                round(&gateway, first..end).await;
                disk_until(&gateway, |disk| disk["written"] == end).await;
            }
            let (took, from_disk) = round(&gateway, 0..pages).await;
            assert_eq!(origin.asked().len() % pages, 0, "hits only");
            let share = 100 * from_disk / pages;
            assert!((share == 0) == memory_only, "{share}% from the disk");
            let at = |per_cent: usize| took[took.len() * per_cent / 100];
            println!(
                "{bytes:>8} bytes, memory {memory:>6}: {share:>3} % from the disk, p50 {:?}, p99 {:?}",
                at(50),
                at(99)
            );
        }
    }
}
