//! WebSocket over HTTP/2 (RFC 8441), by Python's `h2`.

use std::io::Write;
use std::process::{Command, Stdio};

use portcullis_tests::client::websocket::Frame;
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::peer;
use portcullis_tests::telegram::{init_data, query_value};
use portcullis_tests::upstream::sockets::Sockets;
use serde_json::{Value, json};

use super::handshake::toml;

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_the_same_requests_are_refused_and_say_so() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&toml(&server).replace("/**", "/ws")).await;
    let with = |name: &str, value: &str| {
        let mut headers = connect("/ws");
        headers.retain(|(n, _)| *n != name);
        headers.push((name.to_owned(), value.to_owned()));
        headers.sort_by_key(|(name, _)| !name.starts_with(':'));
        headers
    };
    let mut plain_connect = connect("/ws");
    plain_connect.retain(|(name, _)| ![":protocol", ":path", ":scheme"].contains(&name.as_str()));
    let mut grpc = with("sec-websocket-version", "8");
    grpc.push(("content-type".into(), "application/grpc".into()));
    let table = [
        ("another route", with(":path", "/elsewhere"), 404),
        ("an old version", with("sec-websocket-version", "8"), 426),
        ("another protocol", with(":protocol", "connect-udp"), 501),
        ("a proxy's CONNECT", plain_connect, 501),
        // Refusals of gRPC have status 200, which would say that there is a tunnel.
        ("gRPC", grpc, 426),
    ];
    let requests = table
        .iter()
        .map(|(_, headers, _)| json!({ "headers": headers, "bytes": "" }));
    let answers = speak_h2(&gateway, requests.collect());
    for ((what, _, status), answer) in table.iter().zip(answers) {
        assert_eq!(
            answer["connect"], true,
            "the settings allow extended CONNECT"
        );
        assert_eq!(
            (&answer["status"], &answer["end"]),
            (&json!(status), &json!("refused")),
            "{what}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mentions_of_the_demo_speak_websocket_over_http2_too() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let target = format!("/ws/mentions?tma={}", query_value(&init_data(42)));
    let bytes = [Frame::text("hello").bytes(), Frame::close(1000).bytes()].concat();
    let requests = ["/ws/mentions", &target]
        .map(|path| json!({ "headers": connect(path), "bytes": hex(&bytes) }));
    let answers = speak_h2(&gateway, requests.to_vec());
    assert_eq!(
        (&answers[0]["status"], &answers[0]["end"]),
        (&json!(401), &json!("refused"))
    );
    let frames = received(&answers[1]);
    assert!(
        frames.contains(&Frame::text("hello").unmasked()),
        "{frames:?}"
    );
    assert_eq!(
        frames.last().and_then(Frame::code),
        Some(1000),
        "{frames:?}"
    );
    let line = gateway.log_line(|line| line["caller"] == "42").await;
    let logged = [
        &line["method"],
        &line["status"],
        &line["websocket"]["ended"],
    ];
    assert_eq!(
        logged,
        [&json!("GET"), &json!(200), &json!("client")],
        "{line}"
    );
}

/// The frames of a tunnel over HTTP/2 that came to its end.
pub(super) fn received(answer: &Value) -> Vec<Frame> {
    assert_eq!(
        (&answer["status"], &answer["end"]),
        (&json!(200), &json!("ended")),
        "{answer}"
    );
    let bytes = unhex(answer["bytes"].as_str().expect("bytes"));
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some((frame, used)) = Frame::parse(&bytes[at..]) {
        at += used;
        frames.push(frame);
    }
    frames
}

pub(super) fn connect(path: &str) -> Vec<(String, String)> {
    let lines = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "gate.test"),
        ("sec-websocket-version", "13"),
    ];
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

pub(super) fn speak_h2(gateway: &Gateway, requests: Vec<Value>) -> Vec<Value> {
    speak(gateway.listen.h2c.port(), false, requests)
}

pub(super) fn speak(port: u16, tls: bool, requests: Vec<Value>) -> Vec<Value> {
    let count = requests.len();
    let asked = json!({ "port": port, "tls": tls, "requests": requests });
    let mut client = Command::new(peer::python());
    client.arg(peer::script("sockets_h2.py"));
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin
        .write_all(asked.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a list of answers");
    assert_eq!(answers.len(), count, "an answer for each: {answers:?}");
    answers
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}
