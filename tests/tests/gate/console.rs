//! The console: a page that is in the binary, asks nobody but its gateway, and holds no figure itself.

use std::process::Command;

use portcullis_tests::client::stream::{Stream, Version};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup, guest, with_custom_section};
use portcullis_tests::peer;
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::wait;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_its_parts_are_served_under_a_policy_that_lets_nothing_in_from_elsewhere() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let page = gateway.admin("GET", "/").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let text = page.text();
    let parts = text.split('"').filter(|part| part.starts_with("/console/"));
    let mut seen = 0;
    for part in parts {
        let answer = gateway.admin("GET", part).await;
        assert_eq!(answer.status, 200, "{part}: {answer:?}");
        policy_holds(answer.header("content-security-policy"));
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{part}"
        );
        seen += 1;
    }
    assert_eq!(
        seen, 4,
        "icon, style, theme and the script that takes the rest"
    );
    policy_holds(page.header("content-security-policy"));
    for part in [
        "/console/",
        "/console/nothing.js",
        "/console/../metrics",
        "/console/%2e%2e/x",
    ] {
        assert_eq!(gateway.admin("GET", part).await.status, 404, "{part}");
    }
    assert_eq!(gateway.admin("POST", "/").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_tells_the_totals_that_metrics_tells() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/echo", &[]).await.status, 200);
    }
    assert_eq!(gateway.get("/nowhere", &[]).await.status, 404);
    gateway
        .metric_is(r#"portcullis_requests_total{route="-",status="4xx"}"#, 1)
        .await;
    gateway
        .metric_is(r#"portcullis_requests_total{route="echo",status="2xx"}"#, 3)
        .await;
    let live = gateway.admin("GET", "/live").await.json();
    assert_eq!(live["generation"], 1, "{live}");
    let echo = &live["routes"]["echo"];
    assert_eq!(
        (&echo["requests"], &echo["statuses"]["2xx"]),
        (&Value::from(3), &Value::from(3))
    );
    let buckets = echo["buckets"].as_array().expect("a list");
    assert_eq!(Some(buckets.len()), live["bounds"].as_array().map(Vec::len));
    assert!(buckets.is_sorted_by_key(Value::as_u64), "{live}");
    assert!(
        echo["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0)
    );
    assert_eq!(live["routes"]["-"]["statuses"]["4xx"], 1, "{live}");
    assert_eq!(live["refusals"]["route_not_found"], 1, "{live}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_as_they_happen_to_all_who_listen_and_without_the_query() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    // Nobody listens yet: nothing is kept of this one.
    gateway.get("/before", &[]).await;
    gateway
        .metric_is(
            r#"portcullis_refusals_total{reason="route_not_found",route="-"}"#,
            1,
        )
        .await;
    let mut first = listen(&gateway).await;
    assert_eq!(first.header("content-type"), Some("text/event-stream"));
    let mut second = listen(&gateway).await;
    gateway.get("/nowhere?secret=hush", &[]).await;
    for stream in [&mut first, &mut second] {
        let told = next(stream).await;
        let told: Vec<_> = ["reason", "path", "method", "client_ip"]
            .map(|key| told[key].clone())
            .into();
        assert_eq!(told, ["route_not_found", "/nowhere", "GET", "127.0.0.1"]);
    }
    // Who comes late is told what was told.
    let mut third = listen(&gateway).await;
    assert_eq!(next(&mut third).await["path"], "/nowhere");
    drop((first, second, third));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refusals_is_told_within_bounds_and_counted_whole() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let mut stream = listen(&gateway).await;
    let mut client = portcullis_tests::client::Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    for _ in 0..2000 {
        let answer = client
            .ask("GET", "/nowhere", &[], b"")
            .await
            .expect("an answer");
        assert_eq!(answer.status, 404);
    }
    let mut all = String::new();
    let mut told = 0;
    for _ in 0..100 {
        if told >= 2000 {
            break;
        }
        all += &stream
            .piece()
            .await
            .expect("it stays open")
            .expect("it does not end");
        let skipped = all.split("{\"skipped\":").skip(1);
        let skipped = skipped.filter_map(|rest| rest.split_once('}')?.0.parse::<usize>().ok());
        told = all.matches("event: refusal\n").count() + skipped.sum::<usize>();
    }
    assert_eq!(told, 2000, "none is told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_there_are_seats_for_are_refused() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(listen(&gateway).await);
    }
    assert_eq!(gateway.admin("GET", "/refusals/stream").await.status, 503);
    streams.pop();
    // The gateway learns of the end when it next writes; a refusal makes it.
    wait::until("the seat of one who left", async || {
        gateway.get("/nowhere", &[]).await;
        listen(&gateway).await.head.status() == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium (Debian: chromium)"]
async fn a_person_finds_his_way_through_the_console() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let other = with_custom_section(&guest("headers.wasm"), "other");
    gateway.drop_plugin("headers.wasm", &other);
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    walk(&gateway, &[]).await;
    assert_eq!(gateway.plugin("stamp").await["pinned"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_without_a_token_and_no_figure_is() {
    let echo = Echo::start("one").await;
    let gateway = locked(&echo).await;
    assert_eq!(gateway.admin("GET", "/").await.status, 200);
    assert_eq!(gateway.admin("GET", "/console/main.js").await.status, 200);
    for page in ["/live", "/refusals/stream", "/plugins/any/history"] {
        assert_eq!(gateway.admin("GET", page).await.status, 401, "{page}");
    }
    for page in ["/plugins/any/rollback", "/plugins/any/unpin"] {
        assert_eq!(gateway.admin("POST", page).await.status, 401, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium (Debian: chromium)"]
async fn a_person_without_a_token_is_asked_for_one() {
    let echo = Echo::start("one").await;
    let gateway = locked(&echo).await;
    walk(&gateway, &[("TOKEN", TOKEN)]).await;
}

const TOKEN: &str = "a-token-of-the-console-0123456789";

async fn locked(echo: &Echo) -> Gateway {
    let tokens = "[admin]\ntokens = [{ name = \"person\", token = { env = \"TOKEN\" }, role = \"write\" }]\n\n";
    let setup = Setup::new(&format!("{tokens}{}", toml(echo)));
    setup.env("TOKEN", TOKEN).start().await
}

/// Lets `tests/peers/console.cjs` walk through the console.
async fn walk(gateway: &Gateway, environment: &[(&str, &str)]) {
    let mut node = Command::new("node");
    node.arg(peer::script("console.cjs"))
        .envs(environment.iter().copied())
        .env("NODE_PATH", peer::node_modules())
        .env("ADMIN", format!("http://{}", gateway.listen.admin))
        .env("GATE", format!("http://{}", gateway.listen.http));
    let walked = tokio::task::spawn_blocking(move || node.output()).await;
    let walked = walked.expect("no panic").expect("node runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}", said(&walked.stdout));
    assert!(walked.status.success(), "{}", said(&walked.stderr));
}

fn toml(echo: &Echo) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"echo\"\npath = \"/echo\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    )
}

fn policy_holds(policy: Option<&str>) {
    let policy = policy.expect("a policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

async fn listen(gateway: &Gateway) -> Stream {
    let host = gateway.listen.admin.to_string();
    Stream::get(
        gateway.listen.admin,
        Version::Http1,
        "/refusals/stream",
        &[("host", &host)],
    )
    .await
}

/// The next event that is a refusal.
async fn next(stream: &mut Stream) -> Value {
    let mut all = String::new();
    let event = async {
        loop {
            all += &stream
                .piece()
                .await
                .expect("it stays open")
                .expect("it does not end");
            let whole = all.split_once("event: refusal\ndata: ");
            if let Some((data, _)) = whole.and_then(|(_, rest)| rest.split_once("\n\n")) {
                return serde_json::from_str(data).expect("JSON");
            }
        }
    };
    wait::within("a refusal", event).await
}
