//! HEAD, conditions and ranges, answered from a stored GET.

use portcullis_tests::upstream::origin::{Asked, Origin, Says};

use super::{gateway, is_stored};

const MODIFIED: &str = "Mon, 01 Jan 2024 00:00:00 GMT";
const LATER: &str = "Tue, 02 Jan 2024 00:00:00 GMT";
const EARLIER: &str = "Sun, 31 Dec 2023 00:00:00 GMT";

type Lines = &'static [(&'static str, &'static str)];
/// Status, body and Content-Range.
type Seen = (u16, &'static str, Option<&'static str>);

async fn ten_bytes() -> Origin {
    Origin::saying(|_| {
        Says::ok("0123456789")
            .header("cache-control", "max-age=60")
            .header("etag", "\"a\"")
            .header("last-modified", MODIFIED)
            .header("x-kept", "1")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_ranges_are_answered_from_the_store() {
    let origin = ten_bytes().await;
    let gateway = gateway(&origin, "{}").await;
    gateway.get("/", &[]).await;
    let whole = (200, "0123456789", None);
    let cases: &[(Lines, Seen)] = &[
        (&[], whole),
        (&[("if-none-match", "\"a\"")], (304, "", None)),
        (&[("if-none-match", "W/\"a\"")], (304, "", None)),
        (&[("if-none-match", "\"x\", \"a\"")], (304, "", None)),
        (&[("if-none-match", "*")], (304, "", None)),
        (&[("if-none-match", "\"b\"")], whole),
        (
            &[("if-none-match", "\"b\""), ("if-modified-since", LATER)],
            whole,
        ),
        (&[("if-modified-since", MODIFIED)], (304, "", None)),
        (&[("if-modified-since", LATER)], (304, "", None)),
        (&[("if-modified-since", EARLIER)], whole),
        (&[("if-modified-since", "yesterday")], whole),
        (
            &[("range", "bytes=2-4")],
            (206, "234", Some("bytes 2-4/10")),
        ),
        (&[("range", "bytes=8-")], (206, "89", Some("bytes 8-9/10"))),
        (&[("range", "bytes=-3")], (206, "789", Some("bytes 7-9/10"))),
        (
            &[("range", "bytes=5-99")],
            (206, "56789", Some("bytes 5-9/10")),
        ),
        (&[("range", "bytes=10-")], (416, "", Some("bytes */10"))),
        (&[("range", "bytes=0-1,3-4")], whole),
        (&[("range", "bytes=4-2")], whole),
        (
            &[("range", "bytes=0-1"), ("if-range", "\"a\"")],
            (206, "01", Some("bytes 0-1/10")),
        ),
        (
            &[("range", "bytes=0-1"), ("if-range", MODIFIED)],
            (206, "01", Some("bytes 0-1/10")),
        ),
        (&[("range", "bytes=0-1"), ("if-range", "W/\"a\"")], whole),
        (&[("range", "bytes=0-1"), ("if-range", "\"b\"")], whole),
        (
            &[("range", "bytes=0-1"), ("if-none-match", "\"a\"")],
            (304, "", None),
        ),
    ];
    for (headers, (status, body, range)) in cases {
        let answer = gateway.get("/", headers).await;
        let seen = (answer.status, answer.text(), answer.header("content-range"));
        assert_eq!(
            seen,
            (*status, (*body).to_owned(), *range),
            "{headers:?}: {answer:?}"
        );
        assert!(is_stored(&answer), "{headers:?}: {answer:?}");
        assert_eq!(
            answer.header("etag"),
            Some("\"a\""),
            "{headers:?}: {answer:?}"
        );
    }
    let head = gateway.ask("HEAD", "/", &[], b"").await;
    assert_eq!(
        (
            head.status,
            head.header("content-length"),
            head.header("x-kept")
        ),
        (200, Some("10"), Some("1"))
    );
    assert!(is_stored(&head), "{head:?}");
    assert_eq!(origin.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_never_stored_as_the_whole() {
    let origin =
        Origin::saying(
            |asked: &Asked| match (asked.header("range"), asked.target.as_str()) {
                (Some(_), "/ignores") | (None, _) => {
                    Says::ok("0123456789").header("cache-control", "max-age=60")
                }
                (Some(_), _) => Says::status(206, "01")
                    .header("content-range", "bytes 0-1/10")
                    .header("cache-control", "max-age=60"),
            },
        )
        .await;
    let gateway = gateway(&origin, "{}").await;
    let range = [("range", "bytes=0-1")];
    assert_eq!(gateway.get("/", &range).await.status, 206);
    let whole = gateway.get("/", &[]).await;
    assert_eq!(
        (whole.status, whole.text().as_str()),
        (200, "0123456789"),
        "{whole:?}"
    );
    let part = gateway.get("/", &range).await;
    assert_eq!((part.status, part.text().as_str()), (206, "01"), "{part:?}");
    assert_eq!(origin.count("/"), 2);
    // A server that knows no ranges sends the whole, which is good for everyone.
    assert_eq!(gateway.get("/ignores", &range).await.status, 200);
    assert_eq!(gateway.get("/ignores", &range).await.text(), "01");
    assert_eq!(origin.count("/ignores"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_no_response_to_a_get() {
    let origin = Origin::saying(|asked: &Asked| {
        let body = if asked.method == "HEAD" { "" } else { "body" };
        Says::ok(body)
            .header("cache-control", "max-age=60")
            .header("etag", "\"a\"")
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    assert_eq!(gateway.ask("HEAD", "/", &[], b"").await.status, 200);
    assert_eq!(gateway.get("/", &[]).await.text(), "body");
    assert_eq!(gateway.get("/", &[]).await.text(), "body");
    assert_eq!(origin.count("/"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_with_a_condition_fills_the_store_too() {
    let origin = ten_bytes().await;
    let gateway = gateway(&origin, "{}").await;
    let held = gateway.get("/", &[("if-none-match", "\"a\"")]).await;
    assert_eq!((held.status, held.text().as_str()), (304, ""), "{held:?}");
    assert_eq!(origin.asked()[0].header("if-none-match"), None);
    assert_eq!(gateway.get("/", &[]).await.text(), "0123456789");
    assert_eq!(origin.asked().len(), 1);
}
