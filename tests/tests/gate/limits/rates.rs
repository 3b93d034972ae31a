//! Limits of addresses, headers and routes, and what clients, log and metrics are told.

use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;

use super::{decisions, refused, route, statuses, toml};

/// Long enough that no slow machine sees it pass.
const THREE: &str = "limit = \"3/1h\", algorithm = \"sliding_window\"";

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_what_is_left_and_when_to_come_again() {
    let echo = Echo::start("one").await;
    let keys = format!("rate_limit = [{{ per = \"client_ip\", {THREE} }}]");
    let gateway = Gateway::start(&toml(&echo.address().to_string(), &keys)).await;
    for left in [2, 1, 0] {
        let answer = gateway.get("/echo", &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let policy = answer.header("ratelimit-policy");
        assert_eq!(policy, Some("\"client_ip\";q=3;w=3600"));
        let limit = answer.header("ratelimit").expect("what is left");
        assert!(
            limit.starts_with(&format!("\"client_ip\";r={left};t=3")),
            "{limit}"
        );
    }
    let answer = gateway.get("/echo", &[]).await;
    let wait = refused(&answer, "rate_limited", "client_ip");
    assert!((3_500..=3_720).contains(&wait), "{wait}");
    let limit = answer.header("ratelimit").expect("what is left");
    assert_eq!(limit, format!("\"client_ip\";r=0;t={wait}"));
    assert_eq!(echo.served(), 3, "what is refused is not forwarded");
    let line = gateway.log_line(|line| line["status"] == 429).await;
    assert_eq!(
        (&line["limit"], &line["limited"], &line["refusal"]),
        (
            &"client_ip".into(),
            &"refused".into(),
            &"rate_limited".into()
        ),
        "{line}"
    );
    gateway
        .metric_is(&decisions("echo", "client_ip", "allowed"), 3)
        .await;
    gateway
        .metric_is(&decisions("echo", "client_ip", "refused"), 1)
        .await;
    let keys = "portcullis_limit_keys{limit=\"client_ip\",route=\"echo\"}";
    gateway.metric_is(keys, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_passes_and_a_quota_is_of_the_calendar() {
    let echo = Echo::start("one").await;
    let keys = "rate_limit = [\
        { per = \"client_ip\", limit = \"1/1h\", burst = 4 }, \
        { per = \"everyone\", limit = \"3/month\" }, \
        { per = \"route\", limit = \"9/day\" }]";
    let gateway = Gateway::start(&toml(&echo.address().to_string(), keys)).await;
    let answer = gateway.get("/echo", &[]).await;
    let policies = [
        "\"client_ip\";q=1;w=3600;portcullis-burst=4",
        "\"everyone-month\";q=3",
        "\"route-day\";q=9;w=86400",
    ];
    assert_eq!(answer.all("ratelimit-policy"), policies);
    let left: Vec<_> = answer
        .all("ratelimit")
        .into_iter()
        .map(|limit| limit.split(";t=").next().unwrap_or_default().to_owned())
        .collect();
    let want = [
        "\"client_ip\";r=3",
        "\"everyone-month\";r=2",
        "\"route-day\";r=8",
    ];
    assert_eq!(left, want);
    assert_eq!(statuses(&gateway, 2, "/echo", &[]).await, [200, 200]);
    let answer = gateway.get("/echo", &[]).await;
    let wait = refused(&answer, "rate_limited", "everyone-month");
    assert!((1..=31 * 86_400).contains(&wait), "{wait}");
    // The first limit counted it all the same, and is the first to refuse the next.
    let answer = gateway.get("/echo", &[]).await;
    let wait = refused(&answer, "rate_limited", "client_ip");
    assert!((3_000..=3_600).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_counts_by_network_and_only_trusted_proxies_say_who_it_is() {
    let echo = Echo::start("one").await;
    let keys = format!("rate_limit = [{{ per = \"client_ip\", {THREE} }}]");
    let text = toml(&echo.address().to_string(), &keys);
    let said = |ip: &'static str| [("x-forwarded-for", ip)];

    let setup = Setup::new(&text).listen("trusted_proxies = [\"127.0.0.1\"]");
    let gateway = setup.start().await;
    for ip in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::1"] {
        assert_eq!(gateway.get("/echo", &said(ip)).await.status, 200, "{ip}");
    }
    let neighbour = gateway.get("/echo", &said("2001:db8::abcd")).await;
    refused(&neighbour, "rate_limited", "client_ip");
    for ip in ["2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"] {
        assert_eq!(gateway.get("/echo", &said(ip)).await.status, 200, "{ip}");
    }
    // What a client writes in front of what the proxy saw is not believed either.
    let forged = gateway
        .get("/echo", &said("203.0.113.7, 2001:db8::1"))
        .await;
    refused(&forged, "rate_limited", "client_ip");

    let gateway = Gateway::start(&text).await;
    let mut seen = Vec::new();
    for ip in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        seen.push(gateway.get("/echo", &said(ip)).await.status);
    }
    assert_eq!(seen, [200, 200, 200, 429], "nobody is trusted");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_combinations_have_counts_of_their_own() {
    let echo = Echo::start("one").await;
    let keys = format!(
        "rate_limit = [{{ per = [\"api_key\", \"header:X-Team\"], {THREE}, name = \"key\" }}]"
    );
    let gateway = Gateway::start(&toml(&echo.address().to_string(), &keys)).await;
    let three = [200, 200, 200, 429];
    let [a, b] = [("x-api-key", "a-secret"), ("x-api-key", "another")];
    let rows: [&[(&str, &str)]; 4] = [&[a], &[b], &[a, ("x-team", "red")], &[]];
    for headers in rows {
        let seen = statuses(&gateway, 4, "/echo", headers).await;
        assert_eq!(seen, three, "{headers:?}");
    }
    // Each combination would have a count of its own.
    let twice = [a, a];
    let differ = [a, ("authorization", "ApiKey another")];
    let teams = [a, ("x-team", "red"), ("x-team", "blue")];
    for headers in [&twice[..], &differ, &teams] {
        let answer = gateway.get("/echo", headers).await;
        assert_eq!(answer.status, 400, "{headers:?}: {answer:?}");
        assert_eq!(answer.json()["type"], "invalid_request");
    }
    // The same key in another place.
    let scheme = [("authorization", "apikey  a-secret")];
    assert_eq!(gateway.get("/echo", &scheme).await.status, 429);
    let page = gateway.admin("GET", "/metrics").await.text();
    assert!(!page.contains("a-secret") && !gateway.everything_said().contains("a-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_limit_counts_over_its_routes_and_by_their_cost() {
    let echo = Echo::start("one").await;
    let mut text = toml(&echo.address().to_string(), "rate_limit = [\"site\"]");
    let dear = "rate_limit = [{ shared = \"site\", cost = 3 }]";
    text.push_str(&route("dear", "/dear", dear));
    text.push_str("[limit.site]\nper = \"client_ip\"\nlimit = \"5/1h\"\n");
    let gateway = Gateway::start(&text).await;
    assert_eq!(gateway.get("/echo", &[]).await.status, 200);
    assert_eq!(gateway.get("/dear", &[]).await.status, 200);
    refused(&gateway.get("/dear", &[]).await, "rate_limited", "site");
    assert_eq!(statuses(&gateway, 2, "/echo", &[]).await, [200, 429]);
    gateway
        .metric_is(&decisions("dear", "site", "refused"), 1)
        .await;
    let keys = "portcullis_limit_keys{limit=\"site\",route=\"*\"}";
    gateway.metric_is(keys, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_logs_and_refuses_nobody() {
    let echo = Echo::start("one").await;
    let keys = "rate_limit = [{ per = \"client_ip\", limit = \"2/1h\", dry_run = true }]\n\
        max_concurrent = [{ per = \"client_ip\", limit = 5, headers = false }]";
    let gateway = Gateway::start(&toml(&echo.address().to_string(), keys)).await;
    assert_eq!(statuses(&gateway, 5, "/echo", &[]).await, [200; 5]);
    let answer = gateway.get("/echo?last", &[]).await;
    assert!(answer.all("ratelimit").is_empty(), "{answer:?}");
    assert!(answer.all("ratelimit-policy").is_empty(), "{answer:?}");
    let line = gateway
        .log_line(|line| line["limited"] == "would_refuse")
        .await;
    assert_eq!(
        (&line["limit"], &line["status"]),
        (&"client_ip".into(), &200.into())
    );
    gateway
        .metric_is(&decisions("echo", "client_ip", "allowed"), 2)
        .await;
    gateway
        .metric_is(&decisions("echo", "client_ip", "would_refuse"), 4)
        .await;
}
