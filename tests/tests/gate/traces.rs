//! Traces: what a collector is told of exchanges, in whose trace, and that it costs no request anything.

use portcullis_tests::collector::Collector;
use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::mute::Mute;
use portcullis_tests::wait;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

fn toml(server: &Echo, traces: &str) -> String {
    format!(
        r#"
        [traces]
        {traces}

        [upstream.u]
        servers = ["{}"]

        [plugin.relay]
        component = "relay.wasm"
        grants = {{ upstreams = [{{ name = "u", paths = ["/**"] }}], calls = 8 }}
        settings.calls = [["u", "/one"], ["u", "/two"]]

        [plugin.stamp]
        component = "headers.wasm"
        settings.response.set = {{ x-seen = "yes" }}

        [[route]]
        name = "things"
        path = "/things/{{id}}"
        public = true
        plugins = ["stamp"]
        upstream = "u"
        rate_limit = [{{ name = "many", per = "client_ip", limit = "1000/1s" }}]
        cache = {{ ttl = "30s" }}

        [[route]]
        name = "plain"
        path = "/plain"
        public = true
        upstream = "u"

        [[route]]
        name = "calls"
        path = "/calls"
        public = true
        plugins = ["relay"]
        "#,
        server.address()
    )
}

fn setup(server: &Echo, traces: &str) -> Setup {
    Setup::new(&toml(server, traces))
        .plugin("relay.wasm", guest("relay.wasm"))
        .plugin("headers.wasm", guest("headers.wasm"))
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// The one span with these attributes' values.
fn find<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    let found: Vec<_> = spans.iter().filter(|span| span["name"] == name).collect();
    assert_eq!(found.len(), 1, "{name} among {spans:#?}");
    found[0]
}

async fn spans_of_one_request(collector: &Collector, via: &str, endpoint: &str) {
    let server = Echo::start("u").await;
    let traces = format!(
        "{endpoint}\nsample = \"100%\"\nservice = \"gate\"\nheaders = {{ x-token = {{ env = \"TOKEN\", default = \"t0k\" }} }}"
    );
    let gateway = setup(&server, &traces).start().await;
    let headers = [
        ("traceparent", parent("01")),
        ("tracestate", "a=1,b=2".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = gateway.get("/things/7?secret=1", &headers).await;
    assert_eq!((answer.status, answer.header("x-seen")), (200, Some("yes")));

    let spans = collector.until(|seen| seen.len() >= 6).await;
    assert_eq!(spans.len(), 6, "{spans:#?}");
    for span in &spans {
        assert_eq!(span["via"], via);
        assert_eq!(span["trace"], TRACE);
        assert_eq!(span["resource"]["service.name"], "gate");
        assert_eq!(span["headers"]["x-token"], "t0k");
        assert!(span["end"].as_u64() >= span["start"].as_u64(), "{span}");
        assert!(
            !span.to_string().contains("secret"),
            "a query is nobody's: {span}"
        );
    }
    let root = find(&spans, "GET /things/{id}");
    assert_eq!(
        (&root["parent"], &root["kind"]),
        (&PARENT.into(), &SERVER.into())
    );
    assert_eq!(
        (&root["state"], &root["error"]),
        (&"a=1,b=2".into(), &false.into())
    );
    let written = &root["attributes"];
    let wanted = json!({
        "http.request.method": "GET",
        "http.route": "/things/{id}",
        "http.response.status_code": 200,
        "url.path": "/things/7",
        "url.scheme": "http",
        "server.address": "gate.test",
        "client.address": "127.0.0.1",
        "portcullis.request_id": answer.saw("x-request-id").expect("an id"),
        "portcullis.route": "things",
        "portcullis.cache": "miss",
    });
    assert_eq!(*written, wanted);

    for (name, outcome) in [
        ("find things", "found"),
        ("limit_by_address many", "allowed"),
        ("cache things", "uri-miss"),
        ("response stamp", "ok"),
    ] {
        let step = find(&spans, name);
        assert_eq!(
            (&step["parent"], &step["kind"]),
            (&root["span"], &1.into()),
            "{step}"
        );
        assert_eq!(step["attributes"]["portcullis.outcome"], outcome, "{step}");
    }
    let plugin = &find(&spans, "response stamp")["attributes"];
    assert_eq!(plugin["portcullis.plugin"], "stamp");
    assert!(
        plugin["portcullis.memory_bytes"].as_u64() >= Some(65_536),
        "{plugin}"
    );

    let tried = find(&spans, "GET");
    assert_eq!(
        (&tried["parent"], &tried["kind"]),
        (&root["span"], &CLIENT.into())
    );
    let at = server.address();
    let wanted = json!({
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": at.port(),
        "url.full": format!("http://{at}/things/7"),
        "portcullis.step": "try",
        "portcullis.upstream": "u",
        "portcullis.outcome": "answered",
        "portcullis.try_because": "first",
    });
    assert_eq!(tried["attributes"], wanted);
    // The server was told of the try, not of the exchange.
    let told = answer.saw("traceparent").expect("a parent");
    assert_eq!(
        told,
        format!("00-{TRACE}-{}-01", tried["span"].as_str().expect("an id"))
    );
    assert_eq!(answer.saw("tracestate").as_deref(), Some("a=1,b=2"));
    let line = gateway.log_line(|line| line["path"] == "/things/7").await;
    assert_eq!(line["trace_id"], TRACE, "{line}");
    gateway.metric_is("portcullis_spans_sent_total", 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_told_a_tree_of_spans_over_http() {
    let collector = Collector::start();
    let endpoint = format!("endpoint = \"http://127.0.0.1:{}\"", collector.http);
    spans_of_one_request(&collector, "/v1/traces", &endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_told_a_tree_of_spans_over_grpc() {
    let collector = Collector::start();
    let endpoint = format!(
        "endpoint = \"http://127.0.0.1:{}\"\nprotocol = \"grpc\"",
        collector.grpc
    );
    spans_of_one_request(&collector, "grpc", &endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_plugin_are_its_children_and_their_servers_know_it() {
    let collector = Collector::start();
    let (tell, told) = std::sync::mpsc::channel();
    let server = Echo::telling(portcullis_tests::server::ANY, "u", move |request| {
        let parent = request.headers().get("traceparent");
        let parent = parent
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let _gone = tell.send((request.uri().path().to_owned(), parent.to_owned()));
    });
    let server = server.await.expect("loopback has free ports");
    let traces = format!(
        "endpoint = \"http://127.0.0.1:{}\"\nsample = \"100%\"",
        collector.http
    );
    let gateway = setup(&server, &traces).start().await;
    assert_eq!(gateway.get("/calls", &[]).await.status, 200);
    let spans = collector.until(|seen| seen.len() >= 5).await;
    let handler = find(&spans, "handle relay");
    let calls: Vec<&Value> = spans.iter().filter(|span| span["kind"] == CLIENT).collect();
    assert_eq!(calls.len(), 2, "{spans:#?}");
    for call in &calls {
        assert_eq!(call["parent"], handler["span"]);
        assert_eq!(call["attributes"]["portcullis.step"], "call");
    }
    let mut heard: Vec<_> = told.try_iter().collect();
    heard.sort();
    let mut wanted: Vec<_> = calls
        .iter()
        .map(|call| {
            let url = call["attributes"]["url.full"].as_str().expect("a URL");
            let path = format!("/{}", url.rsplit('/').next().unwrap_or_default());
            let (trace, span) = (call["trace"].as_str(), call["span"].as_str());
            let parent = format!("00-{}-{}-01", trace.unwrap_or(""), span.unwrap_or(""));
            (path, parent)
        })
        .collect();
    wanted.sort();
    assert_eq!(heard, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parent_decides_what_is_kept_and_what_goes_wrong_is_kept_always() {
    let collector = Collector::start();
    let server = Echo::start("u").await;
    let endpoint = format!("endpoint = \"http://127.0.0.1:{}\"", collector.http);
    let never = setup(&server, &format!("{endpoint}\nsample = \"0%\""))
        .start()
        .await;
    let (not_sampled, sampled) = (parent("00"), parent("01"));
    let bad = parent("01").replace("00-", "ff-");
    let table: [(&str, Option<&str>, u16, bool); 7] = [
        ("/plain?n=1", None, 200, false),
        ("/plain?n=2", Some(&not_sampled), 200, false),
        ("/plain?n=3", Some(&sampled), 200, true),
        ("/plain?n=4", Some(&bad), 200, false),
        ("/plain?status=503", Some(&not_sampled), 503, true),
        ("/plain?status=404", None, 404, false),
        ("/plain?status=500", None, 500, true),
    ];
    let mut kept = 0;
    for (target, parent, status, is_kept) in table {
        let headers: Vec<(&str, &str)> = parent.iter().map(|p| ("traceparent", *p)).collect();
        let answer = never.get(target, &headers).await;
        assert_eq!(answer.status, status);
        let told = answer.saw("traceparent").expect("a parent, kept or not");
        let of_parent = parent.is_some_and(|p| p.starts_with("00-"));
        assert_eq!(told.contains(TRACE), of_parent, "{target}: {told}");
        let flag = if parent == Some(&sampled) {
            "-01"
        } else {
            "-00"
        };
        assert!(told.ends_with(flag), "{target}: {told}");
        // An exchange makes three: itself, the route and the try.
        kept += if is_kept { 3 } else { 0 };
    }
    let spans = collector.until(|seen| seen.len() >= kept).await;
    never
        .metric_is("portcullis_spans_sent_total", kept as u64)
        .await;
    assert_eq!(spans.len(), kept, "{spans:#?}");
    let roots = spans.iter().filter(|span| span["kind"] == SERVER);
    let errors: Vec<&Value> = roots.filter(|span| span["error"] == true).collect();
    assert_eq!(errors.len(), 2);
    for error in errors {
        let attributes = &error["attributes"];
        let status = attributes["http.response.status_code"].to_string();
        assert_eq!(attributes["error.type"], status, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_peers_are_believed_where_that_is_asked_for() {
    let collector = Collector::start();
    let server = Echo::start("u").await;
    let traces = format!(
        "endpoint = \"http://127.0.0.1:{}\"\naccept = \"trusted\"",
        collector.http
    );
    for (proxies, believed) in [("[]", false), ("[\"127.0.0.1\"]", true)] {
        let setup = setup(&server, &traces).listen(&format!("trusted_proxies = {proxies}"));
        let gateway = setup.start().await;
        let headers = [
            ("traceparent", parent("01")),
            ("tracestate", "a=1".to_owned()),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = gateway.get("/plain", &headers).await;
        let told = answer.saw("traceparent").expect("a parent");
        assert_eq!(told.contains(TRACE), believed, "{told}");
        assert_eq!(answer.saw("tracestate").is_some(), believed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_traces_the_headers_of_others_pass_as_they_are() {
    let server = Echo::start("u").await;
    let text = toml(&server, "endpoint = \"http://127.0.0.1:1\"");
    let text = text
        .replace("[traces]", "")
        .replace("endpoint = \"http://127.0.0.1:1\"", "");
    let gateway = Setup::new(&text)
        .plugin("relay.wasm", guest("relay.wasm"))
        .plugin("headers.wasm", guest("headers.wasm"))
        .start()
        .await;
    for value in [parent("01").as_str(), "what is this"] {
        let answer = gateway.get("/plain", &[("traceparent", value)]).await;
        assert_eq!(answer.saw("traceparent").as_deref(), Some(value));
    }
    let line = gateway.log_line(|line| line["path"] == "/plain").await;
    assert_eq!(line.get("trace_id"), None, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_hangs_or_refuses_costs_spans_and_no_request() {
    let server = Echo::start("u").await;
    let hangs = Mute::hangs().await;
    let (http, grpc) = (
        Collector::refusing("503"),
        Collector::refusing("UNAVAILABLE"),
    );
    let good = Collector::refusing("400");
    let down = "127.0.0.1:1".to_owned();
    let table = [
        (down.clone(), "http/protobuf"),
        (down, "grpc"),
        (hangs.address().to_string(), "http/protobuf"),
        (hangs.address().to_string(), "grpc"),
        (format!("127.0.0.1:{}", http.http), "http/protobuf"),
        (format!("127.0.0.1:{}", grpc.grpc), "grpc"),
        (format!("127.0.0.1:{}", good.http), "http/protobuf"),
        // It speaks, but not gRPC.
        (format!("127.0.0.1:{}", good.http), "grpc"),
    ];
    for (address, protocol) in table {
        let traces = format!(
            "endpoint = \"http://{address}\"\nprotocol = \"{protocol}\"\nsample = \"100%\"\ntimeout = \"100ms\"\nqueue = 4"
        );
        let mut gateway = setup(&server, &traces).start().await;
        for n in 0..40 {
            let answer = gateway.get("/plain", &[]).await;
            assert_eq!(answer.status, 200, "{address} {protocol} {n}");
        }
        let lost = async |reason: &str| {
            let sample = format!("portcullis_spans_dropped_total{{reason=\"{reason}\"}}");
            gateway.metric(&sample).await.unwrap_or_default()
        };
        // Three spans each, all of them counted in the end.
        let what = format!("all spans lost at {address} by {protocol}");
        let limit = std::time::Duration::from_secs(60);
        wait::found_within(limit, &what, async || {
            let lost = lost("queue_full").await + lost("not_delivered").await;
            if lost >= 120 { Ok(()) } else { Err(lost) }
        })
        .await;
        assert_eq!(gateway.metric("portcullis_spans_sent_total").await, Some(0));
        gateway.says("spans are lost until the collector").await;
        assert!(gateway.stop().is_some_and(|status| status.success()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_end_of_the_drain_is_still_told() {
    let collector = Collector::start();
    let server = Echo::start("u").await;
    let traces = format!(
        "endpoint = \"http://127.0.0.1:{}\"\nsample = \"100%\"",
        collector.http
    );
    for round in 1..=3 {
        let mut gateway: Gateway = setup(&server, &traces).start().await;
        for _ in 0..5 {
            gateway.get("/plain", &[]).await;
        }
        // The queue is looked at five times a second: nearly always something waits now.
        assert!(gateway.stop().is_some_and(|status| status.success()));
        let wanted = round * 15;
        let spans = collector.until(|seen| seen.len() >= wanted).await;
        assert_eq!(spans.len(), wanted);
    }
}
