//! `ewma` and `peak_ewma`: the faster server gets more.

use std::time::Duration;

use portcullis_tests::client::load::Load;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::moody::Moody;

use super::{ask, toml};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_gets_less() {
    for balance in ["peak_ewma", "ewma"] {
        let (one, two) = (Moody::start("one").await, Moody::start("two").await);
        two.take(Duration::from_millis(200));
        let servers = format!("\"{}\", \"{}\"", one.address(), two.address());
        let gateway = Gateway::start(&toml(&servers, &format!("balance = \"{balance}\""))).await;
        let load = Load::start(4, &ask(&gateway));
        load.goes_on(400).await;
        let (fast, slow) = (one.served(), two.served());
        assert!(slow >= 1 && slow * 4 < fast, "{balance}: {fast} and {slow}");
        let tally = load.stop().await;
        assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_fast_does_not_look_fast() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    one.take(Duration::from_millis(30));
    two.answer_with(503);
    let servers = format!("\"{}\", \"{}\"", one.address(), two.address());
    let keys = "balance = \"peak_ewma\"\neject = { base = \"0s\" }";
    let gateway = Gateway::start(&toml(&servers, keys)).await;
    for _ in 0..40 {
        gateway.get("/echo", &[]).await;
    }
    assert!(two.served() <= 5, "{} and {}", one.served(), two.served());
}
