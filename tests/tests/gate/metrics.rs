//! What /metrics tells, and that no client can make it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_tests::client::{Client, plain};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup, repository};
use portcullis_tests::tls::Authority;
use portcullis_tests::upstream::echo::Echo;

/// A route that is cached and limited, one that forwards, and one that fails.
fn toml(echo: &Echo) -> String {
    format!(
        r#"
[upstream.echo]
servers = ["{}"]

[upstream.nobody]
servers = ["127.0.0.1:1"]

[[route]]
name = "stored"
path = "/stored/**"
public = true
upstream = "echo"
cache = {{ ttl = "30s" }}
rate_limit = [{{ per = "client_ip", limit = "100000/1s" }}]
max_body = "1KiB"

[[route]]
name = "nobody"
path = "/nobody"
public = true
upstream = "nobody"
"#,
        echo.address()
    )
}

async fn page(gateway: &Gateway) -> String {
    gateway.admin("GET", "/metrics").await.text()
}

/// The samples, without their values.
fn series(page: &str) -> BTreeSet<String> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let names = samples.filter_map(|line| line.rsplit_once(' '));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// One of each thing that can happen, so that every series is there.
async fn exercise(gateway: &Gateway) {
    let large = vec![b'x'; 2_000];
    gateway.ask("POST", "/stored/1", &[], &large).await;
    for target in ["/stored/1", "/nobody", "/nowhere"] {
        for method in ["GET", "HEAD", "POST", "BREW"] {
            gateway.ask(method, target, &[], b"").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_send_never_becomes_a_series() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    exercise(&gateway).await;
    let before = series(&page(&gateway).await);
    for n in 0..40 {
        let name = format!("x{n}\\\"}}{{=,é");
        let path = format!("/{n}/%22%7D%0A{n}");
        let stored = format!("/stored/{n}/%22,route=%22{n}?reason={n}");
        let host = format!("h{n}.test");
        let method = format!("M{n}");
        for (method, target) in [
            ("GET", &path),
            ("GET", &stored),
            ("POST", &stored),
            (method.as_str(), &stored),
            (method.as_str(), &path),
        ] {
            let request = format!(
                "{method} {target} HTTP/1.1\r\nhost: {host}\r\nx-{n}: {name}\r\nuser-agent: {name}\r\n\
                 x-request-id: {name}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let mut client = Client::connect(gateway.listen.http)
                .await
                .expect("it listens");
            client.write(request.as_bytes()).await.expect("it takes it");
            client.answer(method).await.expect("an answer");
        }
        plain::raw(
            gateway.listen.http,
            format!("{name} / HTTP/9\r\n\r\n").as_bytes(),
            std::time::Duration::from_secs(5),
        )
        .await;
    }
    let after = series(&page(&gateway).await);
    // What was malformed in a new way is refused with a reason of the closed list, under the route `-`: all are there.
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert!(before.len() > 200, "{}", before.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_metrics_tells_of_every_one_with_its_type_and_labels() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    exercise(&gateway).await;
    let text = page(&gateway).await;
    let file = repository().join("docs/metrics.md");
    let reference = std::fs::read_to_string(file).expect("the page is committed");
    // name → (type, labels)
    let told: BTreeMap<&str, (&str, BTreeSet<&str>)> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once("` | "))
        .map(|(name, rest)| {
            let mut cells = rest.split(" | ");
            let kind = cells.next().unwrap_or_default();
            let labels = cells.next().unwrap_or_default().split(", ");
            let labels = labels.map(|label| label.trim_matches('`'));
            (
                name,
                (kind, labels.filter(|label| !label.is_empty()).collect()),
            )
        })
        .collect();
    let mut seen = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a type");
        let (expected, labels) = told
            .get(name)
            .unwrap_or_else(|| panic!("docs/metrics.md does not tell of {name}"));
        assert_eq!(*expected, kind, "{name}");
        let mut prefixes = vec![format!("{name}{{"), format!("{name} ")];
        if kind == "histogram" {
            prefixes = vec![format!("{name}_count{{"), format!("{name}_count ")];
        }
        let samples = text
            .lines()
            .filter(|line| prefixes.iter().any(|prefix| line.starts_with(prefix)));
        for sample in samples {
            let found = sample.split_once('{').map_or("", |(_, rest)| rest);
            let found = found.rsplit_once('}').map_or("", |(labels, _)| labels);
            let names: BTreeSet<&str> = found
                .split("\",")
                .filter_map(|label| label.split_once('='))
                .map(|(name, _)| name)
                .collect();
            assert_eq!(&names, labels, "{sample}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn red_is_told_of_routes_and_upstreams() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    for _ in 0..3 {
        gateway.get("/stored/a", &[]).await;
    }
    assert_eq!(gateway.get("/nobody", &[]).await.status, 502);
    gateway.get("/nowhere", &[]).await;
    for (sample, value) in [
        (r#"requests_total{route="stored",status="2xx"}"#, 3),
        (r#"request_duration_seconds_count{route="stored"}"#, 3),
        (r#"requests_total{route="nobody",status="5xx"}"#, 1),
        (r#"requests_total{route="-",status="4xx"}"#, 1),
        (
            r#"refusals_total{reason="upstream_unreachable",route="nobody"}"#,
            1,
        ),
        (r#"refusals_total{reason="route_not_found",route="-"}"#, 1),
        (r#"refusals_total{reason="plugin_failed",route="-"}"#, 0),
        (
            r#"upstream_responses_total{status="2xx",upstream="echo"}"#,
            1,
        ),
        (r#"upstream_tries_total{outcome="ok",upstream="echo"}"#, 1),
        (r#"upstream_try_duration_seconds_count{upstream="echo"}"#, 1),
        (
            r#"upstream_connections_total{outcome="opened",upstream="echo"}"#,
            1,
        ),
        (r#"upstream_connections_pooled{upstream="echo"}"#, 1),
        (
            r#"upstream_responses_total{status="2xx",upstream="nobody"}"#,
            0,
        ),
        (r#"cache_requests_total{result="hit",route="stored"}"#, 2),
        ("cache_entries", 1),
        ("config_last_reload_successful", 1),
        ("generations_draining", 0),
        ("tls_files_refused", 0),
        ("access_log_dropped_total", 0),
    ] {
        gateway
            .metric_is(&format!("portcullis_{sample}"), value)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_is_refused_shows_until_one_is_not() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let when = "portcullis_config_last_reload_success_timestamp_seconds";
    let began = gateway.metric(when).await.expect("it began");
    gateway.rewrite("[[rout]]");
    gateway.admin("POST", "/reload").await;
    let good = "portcullis_config_last_reload_successful";
    assert_eq!(gateway.metric(good).await, Some(0));
    gateway.rewrite(&toml(&echo).replace("/nobody", "/none"));
    gateway.admin("POST", "/reload").await;
    assert_eq!(gateway.metric(good).await, Some(1));
    assert!(gateway.metric(when).await >= Some(began));
    let generation = gateway.metric("portcullis_generation").await;
    assert_eq!(generation, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_drains_for_as_long_as_an_old_exchange_holds_it() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    // A request whose body does not come.
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    let head = "POST /stored/1 HTTP/1.1\r\nhost: gate.test\r\ncontent-length: 5\r\n\r\n";
    client.write(head.as_bytes()).await.expect("it takes it");
    gateway.metric_is("portcullis_requests_in_flight", 1).await;
    gateway.rewrite(&toml(&echo).replace("/nobody", "/none"));
    gateway.admin("POST", "/reload").await;
    gateway
        .metric_is("portcullis_generations_draining", 1)
        .await;
    let text = page(&gateway).await;
    let oldest = text
        .lines()
        .find_map(|line| line.strip_prefix("portcullis_generation_draining_oldest_seconds "))
        .and_then(|value| value.parse::<f64>().ok());
    assert!(oldest > Some(0.0), "{oldest:?}");
    client.write(b"hello").await.expect("it takes it");
    client.answer("POST").await.expect("an answer");
    gateway
        .metric_is("portcullis_generations_draining", 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_certificates_is_told_by_name_and_the_build_by_version() {
    let echo = Echo::start("one").await;
    let issued = Authority::new("authority").issue(&["a.test", "b.test"]);
    let tls = "[tls]\ncertificates = [{ certificate = \"a.pem\", key = \"a.key\" }]\n";
    let gateway = Setup::new(&format!("{tls}{}", toml(&echo)))
        .listen("https = \"{https}\"")
        .certificate("a", &issued)
        .start()
        .await;
    let sample = r#"portcullis_certificate_not_after_timestamp_seconds{certificate="a.test",use="listener"}"#;
    let ends = gateway.metric(sample).await.expect("it is told");
    let page_of_certificates = gateway.admin("GET", "/certs").await.json();
    assert_eq!(page_of_certificates["certificates"][0]["not_after"], ends);
    let text = page(&gateway).await;
    let build = text
        .lines()
        .find(|line| line.starts_with("portcullis_build_info{"))
        .expect("it is told");
    for part in ["rustc=\"1.", "version=\"", "wasmtime=\"48."] {
        assert!(build.contains(part), "{build}");
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let started = gateway.metric("process_start_time_seconds").await;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse::<f64>().ok())
            .unwrap_or(-1.0)
    };
    assert!(
        value("process_start_time_seconds ") <= now.as_secs_f64() + 1.0,
        "{started:?}"
    );
    for name in [
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_threads ",
    ] {
        assert!(value(name) >= 3.0, "{name}{}", value(name));
    }
    assert!(value("process_cpu_seconds_total ") >= 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_plugins_are_told_with_their_times_and_their_pool() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    gateway.get("/api/users/42", &[]).await;
    let count = r#"portcullis_plugin_call_duration_seconds_count{plugin="telegram",route="users"}"#;
    gateway.metric_is(count, 1).await;
    let all = r#"portcullis_plugin_call_duration_seconds_bucket{plugin="telegram",route="users",le="+Inf"}"#;
    gateway.metric_is(all, 1).await;
    gateway
        .metric_is("portcullis_plugin_refused{plugin=\"telegram\"}", 0)
        .await;
    let swaps = r#"portcullis_plugin_swaps_total{outcome="refused",plugin="telegram"}"#;
    gateway.metric_is(swaps, 0).await;
    assert!(gateway.metric("portcullis_instance_pool_size").await > Some(0));
    assert!(
        gateway
            .metric("portcullis_instance_pool_in_use")
            .await
            .is_some()
    );
    gateway.drop_plugin("telegram_auth.wasm", b"\0asm that is none");
    gateway
        .metric_is("portcullis_plugin_refused{plugin=\"telegram\"}", 1)
        .await;
}

/// promtool check metrics: the linter of Prometheus itself.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs promtool (Debian: prometheus)"]
async fn prometheus_itself_has_nothing_to_say_against_the_page() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    gateway.get("/api/users/42", &[]).await;
    gateway.get("/public/news", &[]).await;
    let text = page(&gateway).await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    let mut stdin = promtool.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
