//! Malformed and borderline HTTP/1.1, over raw TCP and over TLS (vectors/h1_malformed.json).

use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::client::plain::{self, Raw};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::tls::{Authority, connect};
use portcullis_tests::upstream::recorder::{Record, Recorder};
use serde_json::Value;

const VECTORS: &str = include_str!("../../vectors/h1_malformed.json");

/// A gateway that says nothing to a wrong request for longer than this has not refused it.
const PATIENCE: Duration = Duration::from_millis(1200);

/// Cases that really hold a second request, so that it may arrive.
const PIPELINED: [&str; 3] = ["te-get-chunked", "m-pipeline-bad", "m-pipeline-20"];

struct Case {
    id: String,
    bytes: Vec<u8>,
    expect: String,
    statuses: Vec<u16>,
    why: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_http1_request_ends_as_the_rfcs_say() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::start(&toml(&upstream)).await;
    let mut failures = Vec::new();
    for case in cases() {
        let raw = plain::raw(gateway.listen.http, &case.bytes, PATIENCE).await;
        failures.extend(told(&case, &raw, &upstream.take().await));
    }
    none(&failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_http1_request_ends_the_same_over_tls() {
    let upstream = Recorder::start().await;
    let authority = Authority::new("authority");
    let tls = "[tls]\ncertificates = [{ certificate = \"a.pem\", key = \"a.key\" }]\n";
    let gateway = Setup::new(&format!("{tls}{}", toml(&upstream)))
        .listen("https = \"{https}\"")
        .certificate("a", &authority.issue(&["a.test"]))
        .start()
        .await;
    let config = authority.client(&["http/1.1"], None);
    let mut failures = Vec::new();
    for case in cases() {
        let stream = connect(gateway.listen.https, "a.test", config.clone()).await;
        let client = Client::over(stream.expect("TLS"));
        let raw = plain::raw_over(client, &case.bytes, PATIENCE).await;
        failures.extend(told(&case, &raw, &upstream.take().await));
    }
    none(&failures);
}

fn told(case: &Case, raw: &Raw, record: &Record) -> Vec<String> {
    let problems = problems(case, raw, record).into_iter();
    problems
        .map(|problem| format!("{} ({}): {problem}", case.id, case.why))
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

fn toml(upstream: &Recorder) -> String {
    format!(
        r#"
[timeouts]
first_byte = "5s"

[upstream.recorder]
servers = ["{}"]

[[route]]
name = "all"
path = "/**"
public = true
upstream = "recorder"
"#,
        upstream.address()
    )
}

fn cases() -> Vec<Case> {
    let list: Vec<Value> = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    list.iter()
        .map(|case| {
            let text = |key: &str| {
                case[key]
                    .as_str()
                    .unwrap_or_else(|| panic!("{key} in {case}"))
                    .to_owned()
            };
            let byte = |c: char| u8::try_from(c).expect("raw_latin1 holds latin-1");
            Case {
                id: text("id"),
                bytes: text("raw_latin1").chars().map(byte).collect(),
                expect: text("expect"),
                statuses: text("status")
                    .split('|')
                    .map(|code| code.parse().expect("a status"))
                    .collect(),
                why: text("why"),
            }
        })
        .collect()
}

fn problems(case: &Case, raw: &Raw, record: &Record) -> Vec<String> {
    let mut problems = match case.expect.as_str() {
        "reject" => rejected(case, raw, record),
        "accept" | "either" => answered(case, raw),
        other => vec![format!("unknown verdict {other}")],
    };
    problems.extend(forwarded(case, raw, record));
    problems.extend(particular(case, raw, record));
    problems
}

/// Answered as listed, once and for the last time on this connection, and nothing complete upstream.
fn rejected(case: &Case, raw: &Raw, record: &Record) -> Vec<String> {
    let mut problems = answered(case, raw);
    if raw.answers.len() > 1 {
        problems.push(format!("{} answers", raw.answers.len()));
    }
    if !raw.closed {
        problems.push(String::from("the connection stays open"));
    }
    if !record.requests.is_empty() {
        problems.push(format!("forwarded: {:?}", record.text()));
    }
    problems
}

/// One of the listed statuses. None lists a close without an answer: whoever asked is to learn why.
fn answered(case: &Case, raw: &Raw) -> Vec<String> {
    match raw.answers.first() {
        None => vec![String::from("no answer")],
        Some(answer) if case.statuses.contains(&answer.status) => Vec::new(),
        Some(answer) => vec![format!(
            "answered {} instead of {:?}",
            answer.status, case.statuses
        )],
    }
}

/// What is upstream is strict, nothing smuggled, and as many requests as answers.
fn forwarded(case: &Case, raw: &Raw, record: &Record) -> Vec<String> {
    let mut problems: Vec<_> = record
        .faults
        .iter()
        .map(|fault| format!("upstream saw {fault}"))
        .collect();
    let pipelined = PIPELINED.contains(&case.id.as_str());
    if record.requests.len() > 1 && !pipelined {
        problems.push(format!(
            "one in, {} out: {:?}",
            record.requests.len(),
            record.text()
        ));
    }
    if !pipelined
        && record
            .requests
            .iter()
            .any(|request| request.target.contains("SMUGGLED"))
    {
        problems.push(format!("smuggled: {:?}", record.text()));
    }
    let served = raw
        .answers
        .iter()
        .filter(|answer| answer.status == 200)
        .count();
    if served != record.requests.len() {
        problems.push(format!(
            "{} requests upstream, {served} answers of 200",
            record.requests.len()
        ));
    }
    problems
}

/// What only one case asks for.
fn particular(case: &Case, raw: &Raw, record: &Record) -> Vec<String> {
    let Some(request) = record.requests.first() else {
        return Vec::new();
    };
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let all = format!("{:?}", request.headers).to_ascii_lowercase();
    let held = match case.id.as_str() {
        "rl-absolute-host-mismatch" => header("host") == "b.test",
        "m-connection-host" => header("host") == "a.test",
        "m-upgrade-h2c" => !all.contains("upgrade") && !all.contains("http2-settings"),
        "m-proxy-hdr" => !all.contains("evil"),
        "m-forwarded-spoof" => !all.contains("1.2.3.4") && !all.contains("evil"),
        "m-connection-te" => request.body.is_empty() && header("connection").is_empty(),
        "m-pipeline-20" => {
            raw.answers.len() == 20 && raw.answers.iter().all(|answer| answer.body == b"/c142")
        }
        "m-pipeline-bad" => raw.answers.len() == 2 && raw.answers[1].status == 400 && raw.closed,
        "m-ws-bad-version" => raw.answers[0].status != 101,
        _ => true,
    };
    if held {
        Vec::new()
    } else {
        vec![format!("{:?} answered {:?}", request.headers, raw.answers)]
    }
}
