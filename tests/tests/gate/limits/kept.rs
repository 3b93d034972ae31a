//! What was counted outlives reloads, for as long as it is counted the same way.

use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;

use super::{route, statuses, toml};

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_the_counts_of_limits_that_did_not_change() {
    let echo = Echo::start("one").await;
    let keys = "rate_limit = [{ per = \"client_ip\", limit = \"3/1h\" }]";
    let text = toml(&echo.address().to_string(), keys);
    let gateway = Gateway::start(&text).await;
    assert_eq!(statuses(&gateway, 2, "/echo", &[]).await, [200, 200]);

    // Another route, and the limit only watches: the counts stay.
    let watching = text.replace("\"3/1h\"", "\"3/1h\", dry_run = true");
    reload(&gateway, &(watching + &route("other", "/other", ""))).await;
    assert_eq!(statuses(&gateway, 2, "/echo", &[]).await, [200, 200]);

    reload(&gateway, &text).await;
    assert_eq!(gateway.get("/echo", &[]).await.status, 429, "3 were taken");

    // Another limit counts anew.
    reload(&gateway, &text.replace("3/1h", "2/1h")).await;
    assert_eq!(statuses(&gateway, 3, "/echo", &[]).await, [200, 200, 429]);
}

async fn reload(gateway: &Gateway, text: &str) {
    gateway.rewrite(text);
    let answer = gateway.admin("POST", "/reload").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
