//! Malformed and borderline HTTP/2, in raw frames, in clear text and over TLS (vectors/h2_malformed.json).

use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::client::h2::{Outcome, Request};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::tls::{Authority, connect};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::recorder::{Record, Recorder};
use serde_json::Value;

const VECTORS: &str = include_str!("../../vectors/h2_malformed.json");
const PATIENCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_http2_request_ends_as_the_rfcs_say() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::start(&toml(&upstream)).await;
    let mut failures = Vec::new();
    for case in &cases() {
        let outcome = request(case).send(gateway.listen.h2c, PATIENCE).await;
        failures.extend(told(case, &outcome, &upstream.take().await));
    }
    none(&failures);
    // None of them was closed because there is no gateway any more.
    assert_eq!(gateway.get("/", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_http2_request_ends_the_same_over_tls() {
    let upstream = Recorder::start().await;
    let authority = Authority::new("authority");
    let tls = "[tls]\ncertificates = [{ certificate = \"a.pem\", key = \"a.key\" }]\n";
    let gateway = Setup::new(&format!("{tls}\n{}", toml(&upstream)))
        .listen("https = \"{https}\"")
        .certificate("a", &authority.issue(&["a.test"]))
        .start()
        .await;
    let config = authority.client(&["h2"], None);
    let mut failures = Vec::new();
    for case in &cases() {
        let stream = connect(gateway.listen.https, "a.test", config.clone()).await;
        let outcome = request(case)
            .send_over(stream.expect("TLS"), PATIENCE)
            .await;
        failures.extend(told(case, &outcome, &upstream.take().await));
    }
    none(&failures);
    // None of them was closed because there is no gateway any more.
    assert_eq!(gateway.get("/", &[]).await.status, 200);
}

fn cases() -> Vec<Value> {
    serde_json::from_str(VECTORS).expect("the vectors are JSON")
}

fn told(case: &Value, outcome: &Outcome, record: &Record) -> Vec<String> {
    let problems = problems(case, outcome, record).into_iter();
    problems
        .map(|problem| format!("{} ({}): {outcome:?}: {problem}", case["id"], case["why"]))
        .collect()
}

fn none(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_request_arrives_upstream_as_one_strict_http1_request() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::start(&toml(&upstream)).await;
    let lines = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/crumbs?a=1"),
        (":authority", "a.test"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    let headers = lines
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    let request = Request {
        headers,
        body: Some(b"abc".to_vec()),
        trailers: None,
    };
    assert_eq!(
        request.send(gateway.listen.h2c, PATIENCE).await,
        Outcome::Status(200)
    );
    let record = upstream.take().await;
    let [request] = record.requests.as_slice() else {
        panic!("{}", record.text())
    };
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/crumbs?a=1");
    assert_eq!(request.header("host"), Some("a.test"));
    // RFC 9113 section 8.2.3: crumbs become one line for HTTP/1.1.
    assert_eq!(request.header("cookie"), Some("a=1; b=2"));
    assert_eq!(request.body, b"abc");
    assert!(
        request
            .header("via")
            .is_some_and(|via| via.starts_with("2")),
        "{:?}",
        request.headers
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_and_host_that_differ_are_never_both_believed() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::start(&toml(&upstream)).await;
    let lines = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/differ"),
        (":authority", "a.test"),
        ("host", "b.test"),
    ];
    let headers = lines
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    let outcome = Request {
        headers,
        ..Request::default()
    }
    .send(gateway.listen.h2c, PATIENCE)
    .await;
    let record = upstream.take().await;
    let hosts: Vec<_> = record
        .requests
        .iter()
        .map(|request| request.header("host"))
        .collect();
    let refused = is_refusal(&outcome) && hosts.is_empty();
    assert!(
        refused || hosts == [Some("a.test")],
        "{outcome:?}, forwarded {hosts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_client_that_says_nothing_is_not_waited_for() {
    let upstream = Recorder::start().await;
    let toml = format!(
        "[timeouts]\nhead = \"200ms\"\nkeep_alive = \"300ms\"\n\n{}",
        toml(&upstream)
    );
    let gateway = Gateway::start(&toml).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    // HEADERS of one octet of 16, and HEADERS whose block goes on in a CONTINUATION that never comes.
    let begun = [&preface[..], b"\x00\x00\x10\x01\x04\x00\x00\x00\x01\x82"].concat();
    let goes_on = [&preface[..], b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82"].concat();
    for said in [b"", &preface[..10], &preface[..], &begun, &goes_on] {
        let mut client = Client::connect(gateway.listen.h2c)
            .await
            .expect("it listens");
        client.write(said).await.expect("it is connected");
        let patience = Duration::from_secs(20);
        let closed = async { while client.piece().await.is_ok_and(|piece| !piece.is_empty()) {} };
        let closed = tokio::time::timeout(patience, closed).await;
        assert!(closed.is_ok(), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_client_that_never_opens_its_window_is_not_waited_for() {
    let echo = Echo::start("one").await;
    let toml = format!(
        "[timeouts]\nidle = \"300ms\"\ntotal = \"500ms\"\n\n[upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    );
    let gateway = Gateway::start(&toml).await;
    let mut client = Client::connect(gateway.listen.h2c)
        .await
        .expect("it listens");
    // SETTINGS_INITIAL_WINDOW_SIZE 0, then GET /source?bytes=99 of authority a.
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00";
    let block = b"\x82\x86\x41\x01a\x44\x10/source?bytes=99";
    let head = [0, 0, 23, 1, 5, 0, 0, 0, 1];
    assert_eq!(usize::from(head[2]), block.len());
    let request = [&settings[..], &head, block].concat();
    client.write(&request).await.expect("it is connected");
    let mut said = 0;
    let closed = async {
        while let Ok(piece) = client.piece().await
            && !piece.is_empty()
        {
            said += piece.len();
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(20), closed).await;
    assert!(closed.is_ok() && said > 20, "{said} bytes came");
    assert_eq!(echo.served(), 1);
}

fn toml(upstream: &Recorder) -> String {
    format!(
        "[upstream.recorder]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"recorder\"\n",
        upstream.address()
    )
}

fn request(case: &Value) -> Request {
    Request {
        headers: fields(&case["headers"]).expect("every case has headers"),
        body: case["body"].as_str().map(latin1),
        trailers: fields(&case["trailers"]),
    }
}

fn fields(list: &Value) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let text = |value: &Value| latin1(value.as_str().expect("names and values are texts"));
    Some(
        list.as_array()?
            .iter()
            .map(|line| (text(&line[0]), text(&line[1])))
            .collect(),
    )
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(c).expect("the vectors hold latin-1"))
        .collect()
}

/// PROTOCOL_ERROR, for the stream or for the connection, or a status that blames the client (RFC 9113 section 8.1.1);
/// or the end of the connection, which is what becomes of faults that are seen before HTTP/2 is spoken.
fn is_refusal(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Status(400..500) | Outcome::Reset(1) | Outcome::GoAway(1) | Outcome::Closed
    )
}

fn problems(case: &Value, outcome: &Outcome, record: &Record) -> Vec<String> {
    let mut problems: Vec<_> = record
        .faults
        .iter()
        .map(|fault| format!("upstream saw {fault}"))
        .collect();
    let served = *outcome == Outcome::Status(200);
    let refused = is_refusal(outcome);
    let right = match case["expect"].as_str() {
        Some("reject") => refused,
        Some("accept") => served,
        Some("either") => served || refused,
        other => panic!("unknown verdict {other:?}"),
    };
    if !right {
        problems.push(format!("expected {}", case["expect"]));
    }
    if record.requests.len() != usize::from(served) {
        problems.push(format!("forwarded: {:?}", record.text()));
    }
    for request in &record.requests {
        let evil = request
            .headers
            .iter()
            .any(|(_, value)| value.contains("evil"));
        if evil || request.target.contains("SMUGGLED") {
            problems.push(format!("smuggled: {:?}", record.text()));
        }
    }
    problems
}
