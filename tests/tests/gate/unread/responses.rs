//! Answers: neither a client nor an upstream chooses that a rule does not run.

use portcullis_tests::client::Client;
use portcullis_tests::client::curl::curl;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::canned::{Canned, Then};
use portcullis_tests::upstream::negotiator::{DOCUMENT, Negotiator};

use super::{setup, upstream};

type Lines = &'static [(&'static str, &'static str)];

const ROUTES: [(&str, &str, &str); 6] = [
    ("rewrite", "\"rewrite\"", "negotiator"),
    ("convert", "\"convert\"", "negotiator"),
    ("validate", "\"validate\"", "negotiator"),
    ("rewrite-open", "\"rewrite-open\"", "negotiator"),
    ("convert-open", "\"convert-open\"", "negotiator"),
    ("stamp", "\"stamp\"", "negotiator"),
];

/// What a client can say to have an answer written in another way.
const WISHES: [Lines; 10] = [
    &[],
    &[("accept-encoding", "gzip")],
    &[
        ("accept-encoding", "identity"),
        ("accept-encoding", "gzip;q=1"),
    ],
    &[
        ("accept-encoding", "gzip"),
        ("connection", "accept-encoding"),
    ],
    &[
        ("accept-encoding", "identity"),
        ("connection", "accept-encoding"),
    ],
    &[("accept-encoding", "identity"), ("range", "bytes=0-10")],
    &[
        ("accept-encoding", "identity"),
        ("range", "bytes=0-10"),
        ("if-range", "\"v1\""),
    ],
    &[
        ("accept-encoding", "identity"),
        ("request-range", "bytes=0-10"),
    ],
    &[("accept-encoding", "identity"), ("a-im", "vcdiff")],
    &[
        ("accept-encoding", "identity"),
        ("accept-charset", "utf-16"),
    ],
];

async fn start(negotiator: &Negotiator) -> Gateway {
    let rest = format!(
        "{}[compress]\nmin_size = \"1B\"\ntypes = [\"application/json\"]\n",
        upstream("negotiator", negotiator.address())
    );
    setup(&ROUTES, &rest).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_does_not_choose_whether_a_rule_runs() {
    let negotiator = Negotiator::start().await;
    let rest = upstream("negotiator", negotiator.address());
    let gateway = setup(&ROUTES, &rest).start().await;
    for wish in WISHES {
        for (route, body) in [
            ("rewrite", r#"{"x":2}"#),
            ("rewrite-open", r#"{"x":2}"#),
            ("convert", "{'secret': 1, 'x': 2}"),
            ("validate", DOCUMENT),
        ] {
            let answer = gateway.get(&format!("/{route}"), wish).await;
            assert_eq!(
                (answer.status, answer.text()),
                (200, body.to_owned()),
                "{route} {wish:?}"
            );
            assert_eq!(answer.header("content-encoding"), None, "{route} {wish:?}");
        }
    }
    // Where nobody reads bodies a client has what it asks for.
    for (wish, header, status) in [
        (WISHES[1], "content-encoding", 200),
        (WISHES[5], "content-range", 206),
        (WISHES[8], "im", 226),
    ] {
        let answer = gateway.get("/stamp", wish).await;
        assert_eq!(answer.status, status, "{wish:?}");
        assert!(answer.header(header).is_some(), "{wish:?}: {answer:?}");
        assert_eq!(answer.header("x-served-by"), Some("gate"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_own_compression_answers_what_the_client_accepts() {
    let negotiator = Negotiator::start().await;
    let gateway = start(&negotiator).await;
    for encoding in ["gzip", "br", "zstd"] {
        let wish = format!("accept-encoding: {encoding}");
        let url = format!("http://{}/rewrite", gateway.listen.http);
        let answer = curl(&["--compressed", "--header", &wish, &url]);
        assert_eq!(answer.header("content-encoding"), Some(encoding));
        assert_eq!(answer.text(), r#"{"x":2}"#, "{encoding}");
    }
    let answer = gateway
        .get("/rewrite", &[("accept-encoding", "identity")])
        .await;
    assert_eq!(answer.text(), r#"{"x":2}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stored_answer_is_for_clients_of_every_coding() {
    let negotiator = Negotiator::start().await;
    let rest = upstream("negotiator", negotiator.address());
    let setup = setup(&ROUTES, &rest).edit(
        "prefix = \"/rewrite\"\n",
        "prefix = \"/rewrite\"\ncache = {}\n",
    );
    let gateway = setup.start().await;
    for wish in WISHES {
        let answer = gateway.get("/rewrite", wish).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, r#"{"x":2}"#.to_owned()),
            "{wish:?}"
        );
    }
    assert_eq!(negotiator.served(), 1);
}

/// What an upstream does by itself, and what a client gets by the rules of rewrite, convert and validate.
const ANSWERS: [(&str, Lines, [u16; 3]); 12] = [
    ("?anyhow=gzip", &[], [502, 502, 502]),
    ("?status=206", &[], [502, 502, 502]),
    ("?status=226", &[], [502, 502, 502]),
    (
        "?type=application/json&type=application/json",
        &[],
        [502, 502, 502],
    ),
    (
        "?type=text/html&type=application/json",
        &[],
        [502, 502, 502],
    ),
    ("?type=text/html,+application/json", &[], [502, 502, 502]),
    ("?type=application/json;", &[], [502, 502, 502]),
    (
        "?type=application/json;+charset=utf-16",
        &[],
        [502, 502, 502],
    ),
    ("?body=no", &[], [502, 502, 502]),
    ("?type=text/x-json", &[], [200, 200, 200]),
    // The client chose a page instead of the document: of that only rewrite says what may not leave.
    ("", &[("accept", "text/html")], [502, 200, 200]),
    ("?status=404", &[("accept", "text/html")], [404, 404, 404]),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_refused() {
    let negotiator = Negotiator::start().await;
    let rest = upstream("negotiator", negotiator.address());
    let gateway = setup(&ROUTES, &rest).start().await;
    for (query, wish, [rewritten, converted, validated]) in ANSWERS {
        for (route, wanted) in [
            ("rewrite", rewritten),
            ("convert", converted),
            ("validate", validated),
            // A refusal is no failure: there is nothing to open.
            ("rewrite-open", rewritten),
            ("convert-open", converted),
        ] {
            let answer = gateway.get(&format!("/{route}{query}"), wish).await;
            assert_eq!(answer.status, wanted, "{route} {query}: {answer:?}");
            if wanted == 502 {
                assert_eq!(answer.json()["type"], "upstream_broken", "{route} {query}");
                assert!(!answer.text().contains("secret"), "{route} {query}");
            }
        }
    }
    let told = gateway
        .log_line(|line| line["route"] == "rewrite" && line["status"] == 502)
        .await;
    let because = told["because"].as_str().unwrap_or_default();
    assert!(
        because.contains("it is encoded (content-encoding)"),
        "{told}"
    );
}

/// A client may take a trailer for a header.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_takes_out_does_not_come_back_as_a_trailer() {
    let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-secret: 1\r\ntrailer: x-secret, x-sum\r\n\r\n\
        2\r\nhi\r\n0\r\nx-secret: 1\r\nx-sum: 2\r\n\r\n";
    let canned = Canned::start(bytes, Then::Keep).await;
    let rest = format!(
        "[plugin.quiet]\ncomponent = \"headers.wasm\"\n[plugin.quiet.settings.response]\nremove = [\"x-secret\"]\n\n{}",
        upstream("canned", canned.address())
    );
    let gateway = setup(&[("quiet", "\"quiet\"", "canned")], &rest)
        .start()
        .await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    let request =
        b"GET /quiet HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close, te\r\n\r\n";
    client.write(request).await.expect("it is connected");
    let mut all = Vec::new();
    while let Ok(piece) = client.piece().await {
        if piece.is_empty() {
            break;
        }
        all.extend(piece);
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.ends_with("\r\n0\r\nx-sum: 2\r\n\r\n"), "{text}");
    assert!(!text.contains("x-secret: "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_head_does_not_speak_of_the_body_before_the_rules() {
    let negotiator = Negotiator::start().await;
    let rest = upstream("negotiator", negotiator.address());
    let gateway = setup(&ROUTES, &rest).start().await;
    const OF_A_BODY: [&str; 4] = ["content-length", "etag", "digest", "content-md5"];
    let length = DOCUMENT.len().to_string();
    for route in ["rewrite", "rewrite-open", "convert", "validate"] {
        let answer = gateway.ask("HEAD", &format!("/{route}"), &[], b"").await;
        assert_eq!(answer.status, 200, "{route}: {answer:?}");
        for name in OF_A_BODY {
            let said = answer.header(name);
            assert_eq!(said, None, "{route} {name}: {answer:?}");
        }
    }
    // Where nobody reads bodies it is the upstream's own.
    let wish = [("accept-encoding", "identity")];
    let answer = gateway.ask("HEAD", "/stamp", &wish, b"").await;
    assert_eq!(
        answer.header("content-length"),
        Some(&*length),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_head_has_the_head_that_the_rules_make() {
    let negotiator = Negotiator::start().await;
    let rest = format!(
        "[plugin.heads]\ncomponent = \"rewrite.wasm\"\n[plugin.heads.settings.response.headers]\n\
         remove = [\"cache-control\"]\nset = {{ x-x = \"{{body.x}}\", vary = \"{{body.x}}\" }}\n\n{}",
        upstream("negotiator", negotiator.address())
    );
    let gateway = setup(&[("heads", "\"heads\"", "negotiator")], &rest)
        .start()
        .await;
    for (method, x) in [("GET", Some("2")), ("HEAD", None)] {
        let answer = gateway.ask(method, "/heads", &[], b"").await;
        let seen = ["cache-control", "x-x", "vary"].map(|name| answer.header(name));
        assert_eq!((answer.status, seen), (200, [None, x, x]), "{method}");
    }
}
