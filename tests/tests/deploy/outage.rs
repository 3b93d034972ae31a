//! A real outage, told by a real Prometheus through a real Alertmanager.

use std::net::SocketAddr;
use std::time::Duration;

use portcullis_tests::client::plain;
use portcullis_tests::gateway::{Gateway, free};
use portcullis_tests::pager::{Alert, Pager};
use portcullis_tests::server::ANY;
use portcullis_tests::upstream::echo::Echo;

use crate::watchers::{PATIENCE, start_alertmanager, start_prometheus, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the packages prometheus and prometheus-alertmanager, and half a minute"]
async fn a_killed_upstream_is_told_and_told_again_when_it_is_back() {
    let echo = Echo::start("one").await;
    let server = echo.address();
    let gateway = Gateway::start(&format!(
        "[upstream.shop]\nservers = [\"{server}\"]\nhealth = {{ path = \"/echo\", every = \"500ms\" }}\n\n\
         [[route]]\nname = \"shop\"\npath = \"/echo\"\npublic = true\nupstream = \"shop\"\n"
    ))
    .await;
    let pager = Pager::start(ANY).await.expect("loopback has free ports");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (prometheus, alertmanager) = (free(), free());
    let _alertmanager = start_alertmanager(&folder, alertmanager, pager.address());
    let _prometheus = start_prometheus(&folder, prometheus, alertmanager, gateway.listen.admin);
    let _clients = tokio::spawn(keep_asking(gateway.listen.http));

    let up = format!(
        "up{{job=\"portcullis\",instance=\"{}\"}}",
        gateway.listen.admin
    );
    until(prometheus, &up, "1").await;
    let calm: Vec<Alert> = pager.heard();
    assert!(calm.is_empty(), "nothing is wrong yet: {calm:#?}");

    echo.kill().await;
    let down = |firing: bool| {
        move |alert: &Alert| {
            let of_shop = alert
                .labels
                .get("upstream")
                .is_some_and(|name| name == "shop");
            alert.name() == "PortcullisUpstreamDown" && of_shop && alert.firing == firing
        }
    };
    let failing = |firing: bool| {
        move |alert: &Alert| {
            let of_shop = alert.labels.get("route").is_some_and(|name| name == "shop");
            alert.name() == "PortcullisErrorsFast" && of_shop && alert.firing == firing
        }
    };
    let fired = pager.hears(PATIENCE, down(true)).await;
    let fired = fired.unwrap_or_else(|| panic!("nobody is told of it: {:#?}", pager.heard()));
    assert_eq!(fired.labels["severity"], "critical");
    assert_eq!(
        fired.annotations["summary"],
        "Upstream shop has no server left"
    );
    let fired = pager.hears(PATIENCE, failing(true)).await;
    assert!(fired.is_some(), "clients fail too: {:#?}", pager.heard());

    let _echo = Echo::telling(server, "one", |_| {})
        .await
        .expect("the port is free again");
    for over in [
        pager.hears(PATIENCE, down(false)).await,
        pager.hears(PATIENCE, failing(false)).await,
    ] {
        assert!(
            over.is_some(),
            "nobody is told that it is over: {:#?}",
            pager.heard()
        );
    }
}

/// Clients of the route, until the test ends.
async fn keep_asking(gateway: SocketAddr) {
    loop {
        // 200 or 503: which of both is what the test is about.
        let _answer = plain::once(gateway, "GET", "/echo", &[], b"").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
