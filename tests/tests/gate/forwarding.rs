//! What an upstream sees of a request, and a client of a response.

use portcullis_tests::client::Answer;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::canned::{Canned, Then};
use portcullis_tests::upstream::echo::Echo;

const TRUSTING: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_one_connection_end_at_the_gateway() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let sent = [
        ("Connection", "keep-alive, X-Listed"),
        ("Connection", "x-also-listed"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("Proxy", "http://evil.test"),
        ("TE", "trailers"),
        ("Trailer", "x-checksum"),
        ("Upgrade", "h2c"),
        ("X-Listed", "1"),
        ("X-Also-Listed", "2"),
        ("X-Kept", "3"),
    ];
    let answer = gateway.get("/echo", &sent).await;
    for (name, _) in &sent[..sent.len() - 1] {
        assert_eq!(
            answer.saw(&name.to_ascii_lowercase()),
            None,
            "{name}: {answer:?}"
        );
    }
    assert_eq!(answer.saw("x-kept").as_deref(), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_the_upstreams_connection_end_at_the_gateway_too() {
    let bytes = b"HTTP/1.1 200 OK\r\nConnection: X-Listed, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Listed: 1\r\n\
        Proxy-Authenticate: Basic\r\nX-Kept: 2\r\nContent-Length: 2\r\n\r\nok";
    let canned = Canned::start(bytes, Then::Keep).await;
    let gateway = Gateway::start(&route(&canned.address().to_string())).await;
    let answer = gateway.get("/echo", &[]).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    for name in ["x-listed", "keep-alive", "proxy-authenticate"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
    assert_eq!(answer.header("x-kept"), Some("2"));
    assert!(
        answer
            .all("via")
            .iter()
            .any(|via| via.contains("portcullis")),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_peer_cannot_say_where_it_comes_from() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let spoofed = [
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Port", "444"),
        ("X-Real-IP", "1.2.3.4"),
        ("Forwarded", "for=1.2.3.4;host=evil.test"),
        ("X-Request-Id", "chosen-by-the-client"),
    ];
    let answer = gateway.get("/echo", &spoofed).await;
    assert_eq!(answer.saw_all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(answer.saw_all("x-forwarded-proto"), ["http"]);
    assert_eq!(answer.saw_all("x-forwarded-host"), ["gate.test"]);
    assert_eq!(answer.saw("x-real-ip"), None);
    assert!(
        !answer.text().contains("1.2.3.4") && !answer.text().contains("evil"),
        "{answer:?}"
    );
    assert!(
        !answer.text().contains("chosen-by-the-client"),
        "{answer:?}"
    );
    let line = gateway.log_line(|line| line["path"] == "/echo").await;
    assert_eq!(line["client_ip"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_believed_and_appended_to() {
    let echo = Echo::start("one").await;
    let gateway = Setup::new(&toml(&echo)).listen(TRUSTING).start().await;
    let told = [
        ("X-Forwarded-For", "203.0.113.9, 10.0.0.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.test"),
        ("Forwarded", "for=203.0.113.9;proto=https, for=10.0.0.7"),
        ("X-Request-Id", "from-the-edge_1.2"),
        ("Via", "1.1 edge"),
    ];
    let answer = gateway.get("/echo", &told).await;
    assert_eq!(
        answer.saw_all("x-forwarded-for"),
        ["203.0.113.9, 10.0.0.7, 127.0.0.1"]
    );
    assert_eq!(answer.saw_all("x-forwarded-proto"), ["https"]);
    assert_eq!(answer.saw_all("x-forwarded-host"), ["shop.test"]);
    assert_eq!(answer.saw_all("x-request-id"), ["from-the-edge_1.2"]);
    assert_eq!(answer.saw_all("via"), ["1.1 edge, 1.1 portcullis"]);
    let forwarded = answer.saw("forwarded").unwrap_or_default();
    assert!(
        forwarded.starts_with("for=203.0.113.9;proto=https, for=10.0.0.7, for=127.0.0.1"),
        "{forwarded}"
    );
    let line = gateway.log_line(|line| line["path"] == "/echo").await;
    // The right-most address that no trusted proxy vouches for.
    assert_eq!(
        (&line["client_ip"], &line["request_id"]),
        (&"10.0.0.7".into(), &"from-the-edge_1.2".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_made_unless_a_trusted_peer_sent_a_valid_one() {
    let echo = Echo::start("one").await;
    let gateway = Setup::new(&toml(&echo)).listen(TRUSTING).start().await;
    let long = "x".repeat(129);
    let mut made = Vec::new();
    for bad in ["", "has space", "semi;colon", "<script>", &long] {
        let answer = gateway.get("/echo", &[("x-request-id", bad)]).await;
        let [id] = <[String; 1]>::try_from(answer.saw_all("x-request-id")).expect("one id");
        assert_ne!(id, bad);
        assert!(id.len() >= 16, "{id}");
        made.push(id);
    }
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), 5, "each exchange has its own id");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_host_is_kept_unless_the_upstream_wants_its_own() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let answer = gateway.get("/echo", &[("host", "Shop.Test:8080")]).await;
    assert_eq!(answer.saw_all("host"), ["shop.test:8080"]);
    let own = toml(&echo).replace("servers", "preserve_host = false\nservers");
    let gateway = Gateway::start(&own).await;
    let answer = gateway.get("/echo", &[("host", "shop.test")]).await;
    assert_eq!(answer.saw_all("host"), [echo.address().to_string()]);
    assert_eq!(answer.saw_all("x-forwarded-host"), ["shop.test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forwarded_is_the_normal_form_of_the_target() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let cases = [
        ("/a/b", "/a/b"),
        ("/a//b///c", "/a/b/c"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%62%7e", "/a/b~"),
        ("/a/%e4%bd%a0", "/a/%E4%BD%A0"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/b/", "/a/b/"),
        ("/a?x=%2F..%2f&y", "/a?x=%2F..%2f&y"),
        ("http://gate.test/a//b?c", "/a/b?c"),
    ];
    for (sent, expected) in cases {
        let answer = gateway.get(sent, &[]).await;
        assert_eq!(
            (answer.status, seen_target(&answer).as_str()),
            (200, expected),
            "{sent}"
        );
    }
    for ambiguous in [
        "/a%2fb",
        "/a%5cb",
        "/a%00b",
        "/a%",
        "/a%zz",
        "/../a",
        "/a/../../b",
    ] {
        let answer = gateway.get(ambiguous, &[]).await;
        assert_eq!(answer.status, 400, "{ambiguous}: {answer:?}");
        assert_eq!(answer.json()["type"], "malformed_request", "{ambiguous}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn method_body_and_headers_pass_unchanged() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ] {
        let body: &[u8] = if method == "GET" { b"" } else { b"some text" };
        let headers = [
            ("x-two", "1"),
            ("x-two", "2"),
            ("accept", "*/*"),
            ("cookie", "a=1; b=2"),
        ];
        let answer = gateway
            .ask(method, "/echo?status=207", &headers, body)
            .await;
        let seen = answer.json();
        assert_eq!(
            (answer.status, &seen["method"]),
            (207, &method.into()),
            "{answer:?}"
        );
        assert_eq!(
            seen["body"].as_str().map(str::as_bytes),
            Some(body),
            "{method}"
        );
        assert_eq!(answer.saw_all("x-two"), ["1", "2"]);
        assert_eq!(answer.saw_all("cookie"), ["a=1; b=2"]);
        assert_eq!(answer.header("x-echo"), Some("1"));
    }
    let answer = gateway.ask("HEAD", "/echo", &[], b"").await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert!(
        answer
            .header("content-length")
            .is_some_and(|length| length != "0"),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_arrives_whole() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let chunked = b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nx-trailer: 1\r\n\r\n";
    let answer = gateway
        .ask(
            "POST",
            "/echo",
            &[("transfer-encoding", "chunked")],
            chunked,
        )
        .await;
    assert_eq!(
        (answer.status, answer.json()["body"].as_str()),
        (200, Some("abcde")),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_and_trace_are_never_served() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    for (method, target) in [("CONNECT", "evil.test:443"), ("TRACE", "/echo")] {
        let answer = gateway.ask(method, target, &[], b"").await;
        assert!(answer.status >= 400, "{method}: {answer:?}");
    }
    assert_eq!(echo.served(), 0);
}

fn seen_target(answer: &Answer) -> String {
    answer.json()["target"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn toml(echo: &Echo) -> String {
    route(&echo.address().to_string())
}

fn route(server: &str) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{server}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n"
    )
}
