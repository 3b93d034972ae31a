//! Bodies flow through: whole, in order, and without being kept in memory.

use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::client::answer::Framing;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::{Echo, pattern};

const MIB: u64 = 1024 * 1024;
/// What the gateway may grow by while a body passes, in KiB.
const GROWTH: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_mib_pass_both_ways() {
    upload(64 * MIB).await;
    download(64 * MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: cargo xtask test --full"]
async fn one_gib_goes_up_with_flat_memory() {
    upload(1024 * MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: cargo xtask test --full"]
async fn one_gib_comes_down_with_flat_memory() {
    download(1024 * MIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_the_server_instead_of_filling_memory() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let before = gateway.resident();
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let request = b"GET /source?bytes=268435456 HTTP/1.1\r\nHost: a.test\r\n\r\n";
    client.write(request).await.expect("it is connected");
    client.head("GET").await.expect("a head");
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let grown = gateway.resident().saturating_sub(before);
        assert!(grown < GROWTH, "grown by {grown} KiB while nobody read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bytes_of_an_answer_do_not_wait_for_the_last() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    // Far more than every buffer on the way: the head can only come before the end.
    let request = b"GET /source?bytes=1073741824&chunked=1 HTTP/1.1\r\nHost: a.test\r\n\r\n";
    client.write(request).await.expect("it is connected");
    let head = tokio::time::timeout(Duration::from_secs(5), client.head("GET")).await;
    let head = head.expect("in time").expect("a head");
    assert_eq!((head.answer.status, head.framing), (200, Framing::Chunked));
    assert!(!client.piece().await.expect("bytes").is_empty());
}

async fn upload(length: u64) {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let before = gateway.resident();
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let head = format!("POST /sink HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n");
    client
        .write(head.as_bytes())
        .await
        .expect("it is connected");
    let mut at = 0;
    while at < length {
        let piece = pattern(at, usize::try_from(length - at).unwrap_or(usize::MAX));
        client
            .write(piece)
            .await
            .unwrap_or_else(|error| panic!("{error} after {at} bytes"));
        at += piece.len() as u64;
    }
    let answer = client.answer("POST").await.expect("an answer");
    let sunk = answer.json();
    assert_eq!(
        (&sunk["bytes"], &sunk["intact"]),
        (&length.into(), &true.into()),
        "{answer:?}"
    );
    assert_flat(&gateway, before);
    let line = gateway.log_line(|line| line["path"] == "/sink").await;
    assert_eq!(line["bytes_in"], length, "{line}");
}

async fn download(length: u64) {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let before = gateway.resident();
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let request = format!("GET /source?bytes={length} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client
        .write(request.as_bytes())
        .await
        .expect("it is connected");
    let head = client.head("GET").await.expect("a head");
    assert_eq!(
        head.answer.header("content-length"),
        Some(length.to_string().as_str())
    );
    let mut at = 0;
    while at < length {
        let piece = client
            .piece()
            .await
            .unwrap_or_else(|error| panic!("{error} after {at} bytes"));
        assert!(!piece.is_empty(), "the connection ended after {at} bytes");
        for part in piece.chunks(64 * 1024) {
            assert!(part == pattern(at, part.len()), "wrong bytes after {at}");
            at += part.len() as u64;
        }
    }
    assert_flat(&gateway, before);
    let line = gateway.log_line(|line| line["path"] == "/source").await;
    assert_eq!(
        (&line["bytes_out"], &line["aborted"]),
        (&length.into(), &false.into()),
        "{line}"
    );
}

/// Whether memory stayed where it was, by the most that the gateway ever had.
fn assert_flat(gateway: &Gateway, before: u64) {
    let grown = gateway.peak().saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < GROWTH, "grown by {grown} KiB");
}

fn toml(echo: &Echo) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\nmax_body = \"2GiB\"\n",
        echo.address()
    )
}
