//! Plugins are replaced while they serve, and a bad file replaces nothing.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use portcullis_tests::client::load::{Ask, Load};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup, digest, guest, with_custom_section};
use portcullis_tests::telegram::{authorization, init_data, query_value};
use portcullis_tests::wait;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

const USER: u64 = 42;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_swaps_under_load_fail_no_request_and_close_no_websocket() {
    swap_under_load(100).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: cargo xtask test --full"]
async fn a_thousand_swaps_under_load_fail_no_request_and_close_no_websocket() {
    swap_under_load(1000).await;
}

async fn swap_under_load(swaps: usize) {
    let demo = Demo::start().await;
    let gateway = patient(Setup::demo(&demo)).start().await;
    let (stop, talk) = talk(&gateway).await;
    let load = Load::start(4, &ask(&gateway));
    let original = guest("headers.wasm");
    let other = with_custom_section(&original, "the other");
    let mut slowest = Duration::ZERO;
    for swap in 0..swaps {
        let bytes = if swap % 2 == 0 { &other } else { &original };
        gateway.drop_plugin("headers.wasm", bytes);
        let (_, took) = gateway.plugin_until("stamp", is(bytes)).await;
        slowest = slowest.max(took);
        load.goes_on(1).await;
    }
    stop.send(()).expect("the WebSocket's task runs");
    let echoes = wait::within("the last echo", talk)
        .await
        .expect("no panic")
        .expect("the WebSocket stayed open");
    let tally = load.stop().await;
    println!(
        "{swaps} swaps, the slowest {slowest:?}; {} requests, {echoes} echoes",
        tally.answered
    );
    assert!(
        tally.failures.is_empty(),
        "{:?} of {}",
        tally.failures,
        tally.answered
    );
    assert!(echoes > swaps / 2, "only {echoes} echoes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_file_serves() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let original = guest("headers.wasm");
    for swap in 0..20 {
        // Never seen before, so that nothing can be remembered of it.
        let bytes = with_custom_section(&original, &format!("edition {swap}"));
        gateway.drop_plugin("headers.wasm", &bytes);
        let (_, took) = gateway.plugin_until("stamp", is(&bytes)).await;
        println!("served after {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_by_name_and_the_last_good_one_serves_on() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let good = guest("headers.wasm");
    for (what, bytes, said) in bad_files(&good) {
        gateway.drop_plugin("headers.wasm", &bytes);
        let named = |entry: &Value| {
            entry["last_error"]
                .as_str()
                .is_some_and(|text| text.contains(said))
        };
        let (entry, _) = gateway.plugin_until("stamp", named).await;
        assert!(is(&good)(&entry), "{what}: the old one serves: {entry}");
        gateway.says(said).await;
        let answer = gateway
            .get("/api/users/42", &[("authorization", &authorization(USER))])
            .await;
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        assert_eq!(answer.header("x-served-by"), Some("portcullis"), "{what}");
        // Between two bad ones a good one, so that each message is of its own file.
        gateway.drop_plugin("headers.wasm", &with_custom_section(&good, what));
        gateway
            .plugin_until("stamp", |entry| entry["last_error"].is_null())
            .await;
        gateway.drop_plugin("headers.wasm", &good);
        gateway.plugin_until("stamp", is(&good)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_whose_file_is_removed_serves_on() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    gateway.remove_plugin("headers.wasm");
    gateway
        .plugin_until("stamp", |entry| entry["last_error"].is_string())
        .await;
    let answer = gateway
        .get("/api/users/42", &[("authorization", &authorization(USER))])
        .await;
    assert_eq!(
        (answer.status, answer.header("x-served-by")),
        (200, Some("portcullis")),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_dropped_the_moment_the_gate_is_up_is_served() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let other = with_custom_section(&guest("headers.wasm"), "at once");
    gateway.drop_plugin("headers.wasm", &other);
    gateway.plugin_until("stamp", is(&other)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_slowly_is_read_once_it_is_whole() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let bytes = with_custom_section(&guest("headers.wasm"), "written slowly");
    gateway.write_plugin_slowly("headers.wasm", &bytes, Duration::from_millis(400));
    let whole = |entry: &Value| is(&bytes)(entry) && entry["last_error"].is_null();
    gateway.plugin_until("stamp", whole).await;
}

/// What was dropped, its bytes, and what must be said of it.
fn bad_files(good: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let curious = r#"(component
        (import "wasi:sockets/tcp@0.2.3" (instance))
        (instance $i)
        (export "portcullis:plugin/filter@0.1.0" (instance $i)))"#;
    let curious = wat::parse_str(curious).expect("it is valid text");
    let deaf = wat::parse_str(
        r#"(component (instance $i) (export "portcullis:plugin/filter@0.1.0" (instance $i)))"#,
    );
    vec![
        ("empty", Vec::new(), "not a valid component"),
        ("no wasm", b"#!/bin/sh\n".to_vec(), "not a valid component"),
        (
            "truncated",
            good[..good.len() / 2].to_vec(),
            "not a valid component",
        ),
        ("a module", b"\0asm\x01\0\0\0".to_vec(), "core module"),
        ("wrong kind", guest("rbac.wasm"), "authorizer"),
        ("sockets", curious, "wasi:sockets/tcp@0.2.3"),
        (
            "no functions",
            deaf.expect("it is valid text"),
            "exports no",
        ),
    ]
}

/// With time for plugins on a machine that others use too: their limit is wall time, and not what is tested here.
fn patient(setup: Setup) -> Setup {
    setup
        .edit(r#"time = "50ms""#, r#"time = "5s""#)
        .edit(
            "component = \"rbac.wasm\"",
            "component = \"rbac.wasm\"\nlimits = { time = \"5s\" }",
        )
        .edit(
            "component = \"headers.wasm\"",
            "component = \"headers.wasm\"\nlimits = { time = \"5s\" }",
        )
}

/// Whether an entry of /plugins is about these bytes.
fn is(component: &[u8]) -> impl Fn(&Value) -> bool {
    let digest = digest(component);
    move |entry| entry["digest"] == digest
}

fn ask(gateway: &Gateway) -> Ask {
    Ask {
        address: gateway.listen.http,
        target: String::from("/api/users/42"),
        headers: vec![(String::from("authorization"), authorization(USER))],
        expect: 200,
    }
}

/// Talks over one WebSocket until told to stop; counts its echoes.
async fn talk(gateway: &Gateway) -> (oneshot::Sender<()>, JoinHandle<Result<usize, String>>) {
    let stream = TcpStream::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let url = format!(
        "ws://gate.test/ws/mentions?tma={}",
        query_value(&init_data(USER))
    );
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream)
        .await
        .expect("a handshake");
    let (stop, mut stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let mut echoes = 0;
        while stopped.try_recv().is_err() {
            let text = format!("echo {echoes}");
            socket
                .send(Message::text(text.as_str()))
                .await
                .map_err(|error| error.to_string())?;
            loop {
                match socket.next().await {
                    Some(Ok(Message::Text(back))) if back.as_str() == text => break,
                    Some(Ok(Message::Text(_))) => {}
                    other => return Err(format!("after {echoes} echoes: {other:?}")),
                }
            }
            echoes += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(echoes)
    });
    (stop, task)
}
