//! The gateway itself is overloaded: who is refused, and when it ends.

use std::time::Duration;

use portcullis_tests::client::plain;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;
use rustix::process::Signal;

use super::{hold, refused, until};

const PLUGIN: &str = "[plugin.who]\ncomponent = \"telegram_auth.wasm\"\ngrants = { clock = true, crypto = true }\n\
    snapshot = \"never\"\nsettings = { bots = [{ token = \
    \"7000000001:DEMO-token-for-local-use-only-000000\" }] }\n\n";

/// Public routes `/low`, `/normal` and `/critical`.
fn toml(echo: &Echo, overload: &str) -> String {
    let mut text = format!(
        "[overload]\n{overload}\n\n[upstream.u]\nservers = [\"{}\"]\n\n",
        echo.address()
    );
    for priority in ["low", "normal", "critical"] {
        text.push_str(&format!(
            "[[route]]\nname = \"{priority}\"\npath = \"/{priority}\"\npublic = true\n\
             upstream = \"u\"\npriority = \"{priority}\"\n\n"
        ));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_important_is_refused_first_before_any_plugin_and_health_never() {
    let echo = Echo::start("echo").await;
    let members = "[[route]]\nname = \"members\"\npath = \"/members\"\nplugins = [\"who\"]\n\
        upstream = \"u\"\npriority = \"low\"\n";
    let toml = format!("{PLUGIN}{}{members}", toml(&echo, "in_flight = 10"));
    let gateway = Setup::new(&toml).guests().start().await;
    assert_eq!(gateway.get("/members", &[]).await.status, 401);
    let in_flight = "portcullis_requests_in_flight";
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(hold(&gateway, "/normal?delay=60000").await);
    }
    gateway.metric_is(in_flight, 8).await;
    refused(&gateway.get("/low", &[]).await, 503, "overloaded");
    // 401 would be the plugin's word.
    refused(&gateway.get("/members", &[]).await, 503, "overloaded");
    assert_eq!(gateway.get("/normal", &[]).await.status, 200);
    for _ in 0..2 {
        held.push(hold(&gateway, "/normal?delay=60000").await);
    }
    gateway.metric_is(in_flight, 10).await;
    refused(&gateway.get("/normal", &[]).await, 503, "overloaded");
    assert_eq!(gateway.get("/critical", &[]).await.status, 200);
    for page in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(gateway.admin("GET", page).await.status, 200, "{page}");
    }
    gateway
        .metric_is("portcullis_shed_total{priority=\"low\"}", 2)
        .await;
    gateway
        .metric_is("portcullis_shed_total{priority=\"normal\"}", 1)
        .await;
    gateway.says("of a limit of [overload]").await;
    drop(held);
    // Everyone is let in again, though not at once.
    until("low is let in", async || {
        gateway.get("/low", &[]).await.status == 200
    })
    .await;
    assert_eq!(gateway.get("/normal", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_late_sheds_and_recovers() {
    let echo = Echo::start("echo").await;
    let setup = Setup::new(&toml(&echo, "lag = \"1500ms\""));
    let gateway = setup.start().await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = portcullis_tests::client::Client::connect(gateway.listen.http).await;
        let mut client = client.expect("the gateway listens");
        let warm = client.ask("GET", "/critical", &[], b"").await;
        assert_eq!(warm.expect("an answer").status, 200);
        clients.push(client);
    }
    // The watch of each worker has begun to look.
    until("the watch looks", async || {
        let page = gateway.admin("GET", "/metrics").await.text();
        page.contains("portcullis_worker_lag_seconds{worker=\"1\"}")
    })
    .await;
    gateway.signal(Signal::STOP);
    for (client, target) in clients.iter_mut().zip(["/normal", "/critical"]) {
        let request = plain::request("GET", target, &[], b"");
        client.write(&request).await.expect("the kernel takes it");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    gateway.signal(Signal::CONT);
    let shed = clients[0].answer("GET").await.expect("an answer");
    refused(&shed, 503, "overloaded");
    let served = clients[1].answer("GET").await.expect("an answer");
    assert_eq!(served.status, 200);
    until("normal is let in", async || {
        gateway.get("/normal", &[]).await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_over_its_limit_sheds_until_the_limit_is_raised() {
    let echo = Echo::start("echo").await;
    let gateway = Gateway::start(&toml(&echo, "memory = \"1MiB\"")).await;
    until("normal is refused", async || {
        gateway.get("/normal", &[]).await.status == 503
    })
    .await;
    assert_eq!(gateway.get("/critical", &[]).await.status, 200);
    gateway.rewrite(&toml(&echo, "memory = \"64GiB\""));
    until("normal is let in", async || {
        gateway.get("/normal", &[]).await.status == 200
    })
    .await;
}
