//! Event streams and long polls: nothing on their way waits for more.

use std::time::{Duration, Instant};

use portcullis_tests::client::stream::Version::{Http1, Http2};
use portcullis_tests::client::stream::{Stream, Version};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::telegram::{authorization, init_data, query_value};
use portcullis_tests::upstream::events::Events;
use rustix::process::Signal;

#[tokio::test(flavor = "multi_thread")]
async fn each_event_arrives_before_the_next_is_sent_through_filters_too() {
    let events = Events::start().await;
    let gateway = Setup::new(&toml(&events, "")).plugin("headers.wasm", guest("headers.wasm"));
    let gateway = gateway.start().await;
    for version in [Http1, Http2] {
        let mut stream = open(&gateway, version, "/events").await;
        assert_eq!(stream.header("content-type"), Some("text/event-stream"));
        assert_eq!(
            stream.header("x-served-by"),
            Some("portcullis"),
            "the filter saw the head"
        );
        events.listened_by(1).await;
        for number in 0..20 {
            let event = format!("id: {number}\ndata: {}\n\n", "x".repeat(number * 100));
            events.send(&event);
            // Sent whole, so it comes whole; the next one is not sent yet.
            assert_eq!(stream.piece().await, Ok(Some(event)), "{version:?}");
        }
        drop(stream);
        // The server learns that nobody listens any more.
        events.listened_by(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_outlives_the_time_of_an_exchange_and_is_cut_by_silence_only() {
    let events = Events::start().await;
    let times = "[timeouts]\nidle = \"4s\"\ntotal = \"1s\"\n";
    let gateway = Setup::new(&toml(&events, times)).plugin("headers.wasm", guest("headers.wasm"));
    let gateway = gateway.start().await;
    let mut stream = open(&gateway, Http1, "/events").await;
    events.listened_by(1).await;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(6) {
        // A comment, as servers send them to keep a stream alive.
        events.send(": still here\n\n");
        assert_eq!(stream.piece().await, Ok(Some(": still here\n\n".into())));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(
        stream.piece().await.is_err(),
        "silence ends it, and not as if it were complete"
    );
    let line = gateway.log_line(|line| line["path"] == "/events").await;
    assert_eq!(line["aborted"], true, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_an_end_does_not_hold_up_the_end_of_the_gateway() {
    let events = Events::start().await;
    let mut gateway = Gateway::start(&without_plugin(&toml(&events, ""))).await;
    let mut stream = open(&gateway, Http1, "/events").await;
    events.listened_by(1).await;
    gateway.signal(Signal::TERM);
    events.send(": it goes on\n\n");
    assert_eq!(stream.piece().await, Ok(Some(": it goes on\n\n".into())));
    let status = gateway.wait(Duration::from_secs(20));
    assert!(status.expect("cut after `drain`").success());
    assert!(stream.piece().await.is_err(), "and the client can tell");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_waits_as_long_as_first_byte_says() {
    let events = Events::start().await;
    for (first_byte, status) in [("30s", 200), ("1s", 504)] {
        let times = format!("[timeouts]\nfirst_byte = \"{first_byte}\"\n");
        let gateway = Gateway::start(&without_plugin(&toml(&events, &times))).await;
        let address = gateway.listen.http;
        let poll = tokio::spawn(async move { Stream::get(address, Http1, "/poll", &[]).await });
        events.listened_by(1).await;
        if status == 200 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            events.send("at last");
        }
        let mut answer = poll.await.expect("no panic");
        assert_eq!(answer.head.status(), status, "first_byte = {first_byte}");
        if status == 200 {
            assert_eq!(answer.piece().await, Ok(Some("at last".into())));
        }
        events.listened_by(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_wants_whole_bodies_refuses_a_stream_instead_of_holding_it() {
    let events = Events::start().await;
    let toml = toml(&events, "")
        .replace("headers.wasm", "convert.wasm")
        .replace(
            "set = { x-served-by = \"portcullis\" }",
            "from = \"python\"\nto = \"json\"",
        );
    let setup = Setup::new(&toml).plugin("convert.wasm", guest("convert.wasm"));
    let gateway = setup.start().await;
    let stream = open(&gateway, Http1, "/events").await;
    assert_eq!(stream.head.status(), 502);
    let line = gateway.log_line(|line| line["path"] == "/events").await;
    assert!(
        line["because"]
            .as_str()
            .is_some_and(|text| text.contains("event stream")),
        "{line}"
    );
    events.listened_by(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_mentions_come_as_events_to_those_who_may_hear_them() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    assert_eq!(gateway.get("/events/mentions", &[]).await.status, 401);
    // An EventSource of a browser cannot set headers: its credential is in the query.
    let query = format!("/events/mentions?tma={}", query_value(&init_data(42)));
    let bearer = authorization(42);
    let header = [("authorization", bearer.as_str())];
    type Case<'a> = (Version, &'a str, &'a [(&'a str, &'a str)]);
    let table: [Case; 3] = [
        (Http1, &query, &[]),
        (Http2, &query, &[]),
        (Http1, "/events/mentions", &header),
    ];
    for (version, target, headers) in table {
        let address = match version {
            Http1 => gateway.listen.http,
            Http2 => gateway.listen.h2c,
        };
        let mut stream = Stream::get(address, version, target, headers).await;
        for id in 1..=2 {
            let event = stream
                .piece()
                .await
                .expect("it goes on")
                .expect("it has no end");
            assert!(event.contains(&format!("\"mention\":{id}")), "{event}");
        }
    }
}

async fn open(gateway: &Gateway, version: Version, target: &str) -> Stream {
    let address = match version {
        Http1 => gateway.listen.http,
        Http2 => gateway.listen.h2c,
    };
    Stream::get(address, version, target, &[]).await
}

/// A route with a filter on the head of the response.
fn toml(events: &Events, times: &str) -> String {
    format!(
        "{times}\n[plugin.stamp]\ncomponent = \"headers.wasm\"\nsnapshot = \"never\"\nlimits = {{ time = \"5s\" }}\n\
         [plugin.stamp.settings.response]\nset = {{ x-served-by = \"portcullis\" }}\n\n\
         [upstream.events]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"events\"\npath = \"/**\"\npublic = true\nplugins = [\"stamp\"]\nupstream = \"events\"\n",
        events.address()
    )
}

/// The text without its plugin: starting is faster without.
fn without_plugin(toml: &str) -> String {
    let (times, rest) = toml.split_once("[plugin.stamp]").expect("it has one");
    let (_, upstream) = rest.split_once("[upstream.").expect("it has one");
    format!("{times}\n[upstream.{upstream}").replace("plugins = [\"stamp\"]\n", "")
}
