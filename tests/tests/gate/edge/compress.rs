//! Compression, with curl to read what comes.

use portcullis_tests::client::Client;
use portcullis_tests::client::curl::{Curl, curl};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::page::{FIRST, Page, SECOND, text};

use super::{metric, route, upstream};

const ENCODINGS: [&str; 3] = ["gzip", "br", "zstd"];
const MIB: usize = 1024 * 1024;

fn toml(page: &Page, compress: &str) -> String {
    [
        format!("[compress]\n{compress}\n\n"),
        upstream("page", page.address()),
        route("page", "/page", "upstream = \"page\""),
        route("raw", "/raw", "upstream = \"page\"\ncompress = false"),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_reads_what_it_asked_for_over_both_protocols() {
    let page = Page::start().await;
    let gateway = Gateway::start(&toml(&page, "")).await;
    let target = "page?bytes=300000&sized=1&h.content-type=text/html&h.etag='v1'";
    for encoding in ENCODINGS {
        let wish = format!("accept-encoding: {encoding}");
        let plain = format!("http://{}/{target}", gateway.listen.http);
        let h2 = format!("http://{}/{target}", gateway.listen.h2c);
        for arguments in [
            vec!["--compressed", "--header", &wish, &plain],
            vec![
                "--compressed",
                "--header",
                &wish,
                "--http2-prior-knowledge",
                &h2,
            ],
        ] {
            let answer = curl(&arguments);
            let head = ["content-encoding", "vary", "etag", "content-length"];
            let seen = head.map(|name| answer.header(name));
            let want = [
                Some(encoding),
                Some("accept-encoding"),
                Some("W/\"v1\""),
                None,
            ];
            assert_eq!(seen, want, "{arguments:?}");
            assert!(answer.body == text(300_000), "{arguments:?}: other bytes");
        }
        let count = format!("portcullis_compressed_total{{encoding=\"{encoding}\"}}");
        assert_eq!(metric(&gateway, &count).await, 2);
        let bytes = |side| {
            format!("portcullis_compression_bytes_total{{encoding=\"{encoding}\",side=\"{side}\"}}")
        };
        assert_eq!(metric(&gateway, &bytes("before")).await, 600_000);
        let after = metric(&gateway, &bytes("after")).await;
        assert!((1..60_000).contains(&after), "{encoding}: {after} bytes");
    }
    gateway.metric_is("portcullis_compressing", 0).await;
}

/// The type of an answer and more of its head; Accept-Encoding; the encoding of the answer, and whether it varies.
type Case = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    bool,
);

const HTML: &str = "text/html";
const CASES: &[Case] = &[
    (HTML, "", Some("gzip"), Some("gzip"), true),
    ("TEXT/HTML;~charset=utf-8", "", Some("br"), Some("br"), true),
    ("application/ld+json", "", Some("gzip"), Some("gzip"), true),
    (HTML, "&status=404", Some("gzip"), Some("gzip"), true),
    (HTML, "&sized=1", Some("gzip"), Some("gzip"), true),
    (HTML, "", Some("br;q=0.2, gzip;q=0.8"), Some("gzip"), true),
    (HTML, "", Some("gzip, br, zstd"), Some("zstd"), true),
    (HTML, "", Some("identity;q=1, gzip;q=0.5"), None, true),
    (HTML, "", Some("gzip;q=0"), None, true),
    (HTML, "", None, None, true),
    (HTML, "&h.vary=origin", Some("gzip"), Some("gzip"), true),
    ("image/png", "", Some("gzip"), None, false),
    ("", "", Some("gzip"), None, false),
    ("text/event-stream", "", Some("gzip"), None, false),
    ("application/grpc+json", "", Some("gzip"), None, false),
    (
        HTML,
        "&h.content-encoding=br",
        Some("gzip"),
        Some("br"),
        false,
    ),
    (
        HTML,
        "&h.cache-control=max-age=1,~no-transform",
        Some("gzip"),
        None,
        false,
    ),
    (
        HTML,
        "&status=206&h.content-range=bytes~0-4999/9000",
        Some("gzip"),
        None,
        false,
    ),
    (
        HTML,
        "&status=416&h.content-range=bytes~*/9000",
        Some("gzip"),
        None,
        false,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_compressed_is_and_nothing_else() {
    let page = Page::start().await;
    let types = "types = [\"text/*\", \"application/json\", \"application/*+json\"]";
    let gateway = Gateway::start(&toml(&page, types)).await;
    for (content_type, more, wish, encoding, varies) in CASES {
        let typed = match *content_type {
            "" => String::new(),
            content_type => format!("&h.content-type={content_type}"),
        };
        let target = format!("/page?bytes=5000{typed}{more}");
        let headers: Vec<(&str, &str)> = wish.map(|w| ("accept-encoding", w)).into_iter().collect();
        let answer = gateway.get(&target, &headers).await;
        let vary = answer.all("vary").contains(&"accept-encoding");
        let seen = (answer.header("content-encoding"), vary);
        assert_eq!(
            seen,
            (*encoding, *varies),
            "{target} {wish:?}: {:?}",
            answer.headers
        );
        if encoding.is_none() {
            assert!(answer.body == text(5000), "{target}: other bytes");
        }
    }
    let gzip = [("accept-encoding", "gzip")];
    let small = gateway
        .get("/page?bytes=1023&sized=1&h.content-type=text/html", &gzip)
        .await;
    assert_eq!(small.header("content-encoding"), None, "too small");
    let unknown = gateway
        .get("/page?bytes=10&h.content-type=text/html", &gzip)
        .await;
    assert_eq!(
        unknown.header("content-encoding"),
        Some("gzip"),
        "nobody knows how small"
    );
    let raw = gateway
        .get("/raw?bytes=5000&h.content-type=text/html", &gzip)
        .await;
    assert_eq!(
        (raw.header("content-encoding"), raw.header("vary")),
        (None, None)
    );
    let asked_not_to = [
        ("accept-encoding", "gzip"),
        ("cache-control", "no-transform"),
    ];
    let plain = gateway
        .get("/page?bytes=5000&h.content-type=text/html", &asked_not_to)
        .await;
    assert_eq!(plain.header("content-encoding"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_validations_speak_of_the_compressed_answer() {
    let page = Page::start().await;
    let gateway = Gateway::start(&toml(&page, "")).await;
    let gzip = [("accept-encoding", "gzip")];
    let target = "/page?bytes=5000&sized=1&h.content-type=text/html&h.etag='v1'&h.accept-ranges=bytes&h.content-digest=x";
    let names = [
        "content-encoding",
        "content-length",
        "etag",
        "vary",
        "accept-ranges",
        "content-digest",
    ];
    let get = gateway.get(target, &gzip).await;
    let head = gateway.ask("HEAD", target, &gzip, b"").await;
    let of = |answer: &portcullis_tests::client::Answer| {
        names.map(|name| answer.header(name).map(str::to_owned))
    };
    let want = [
        Some("gzip"),
        None,
        Some("W/\"v1\""),
        Some("accept-encoding"),
        None,
        None,
    ];
    assert_eq!(of(&get), want.map(|value| value.map(str::to_owned)));
    assert_eq!(of(&head), of(&get));
    assert!(head.body.is_empty());
    // A client that has the compressed answer asks with its weak tag; the service compares weakly.
    let target = "/page?status=304&h.etag='v1'";
    let answer = gateway
        .get(
            target,
            &[("accept-encoding", "gzip"), ("if-none-match", "W/\"v1\"")],
        )
        .await;
    assert_eq!(
        (answer.status, answer.header("etag")),
        (304, Some("W/\"v1\""))
    );
    let plain = gateway.get(target, &[("if-none-match", "\"v1\"")]).await;
    assert_eq!(plain.header("etag"), Some("\"v1\""));
    assert!(
        page.seen()
            .iter()
            .any(|seen| seen.header("if-none-match") == Some("W/\"v1\""))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_can_be_read_before_the_rest_is_there() {
    let page = Page::start().await;
    let gateway = Gateway::start(&toml(&page, "")).await;
    for encoding in ENCODINGS {
        let url = format!(
            "http://{}/page?drip=1&h.content-type=text/html",
            gateway.listen.http
        );
        let wish = format!("accept-encoding: {encoding}");
        let mut curl = Curl::start(&["--compressed", "--header", &wish, &url]);
        assert_eq!(curl.read(FIRST.len()), FIRST.as_bytes(), "{encoding}");
        page.let_go();
        assert_eq!(curl.rest(), SECOND.as_bytes(), "{encoding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_answers_than_there_are_places_leave_as_they_are() {
    let page = Page::start().await;
    let gateway = Gateway::start(&toml(&page, "concurrent = 1")).await;
    let gzip = [("accept-encoding", "gzip")];
    let mut first = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    let request = b"GET /page?drip=1&h.content-type=text/html HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\n\r\n";
    first.write(request).await.expect("it is connected");
    let head = first.head("GET").await.expect("a head");
    assert_eq!(head.answer.header("content-encoding"), Some("gzip"));
    let target = "/page?bytes=5000&h.content-type=text/html";
    let second = gateway.get(target, &gzip).await;
    assert_eq!(second.header("content-encoding"), None);
    assert_eq!(second.header("vary"), Some("accept-encoding"));
    assert_eq!(
        metric(&gateway, "portcullis_compressed_total{encoding=\"busy\"}").await,
        1
    );
    // A client that leaves gives its place back.
    drop(first);
    gateway.metric_is("portcullis_compressing", 0).await;
    let third = gateway.get(target, &gzip).await;
    assert_eq!(third.header("content-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_compressed_without_being_kept() {
    let page = Page::start().await;
    let gateway = Gateway::start(&toml(&page, "")).await;
    let before = gateway.resident();
    for encoding in ENCODINGS {
        let bytes = 48 * MIB;
        let url = format!(
            "http://{}/page?bytes={bytes}&h.content-type=text/html",
            gateway.listen.http
        );
        let wish = format!("accept-encoding: {encoding}");
        let mut curl = Curl::start(&["--compressed", "--header", &wish, &url]);
        let mut at = 0;
        while at < bytes {
            let piece = curl.read((bytes - at).min(MIB));
            at += piece.len();
        }
        assert_eq!(curl.rest().len(), 0, "{encoding}");
        let grown = gateway.resident().saturating_sub(before);
        assert!(grown < 32 * 1024, "{encoding}: grown by {grown} KiB");
    }
}
