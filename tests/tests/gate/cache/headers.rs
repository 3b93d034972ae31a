//! Which headers let a response be stored (RFC 9111).

use portcullis_tests::upstream::origin::{Asked, Origin, Says};

use super::{gateway, is_stored, status};

type Lines = &'static [(&'static str, &'static str)];

/// What the response says, what the first request says, what the second says, and whether it is answered from the
/// store.
const CASES: &[(Lines, Lines, Lines, bool)] = &[
    (&[("cache-control", "max-age=60")], &[], &[], true),
    (
        &[("cache-control", "s-maxage=60, max-age=0")],
        &[],
        &[],
        true,
    ),
    (&[("cache-control", "max-age=\"60\"")], &[], &[], true),
    (
        &[("expires", "Thu, 01 Jan 2099 00:00:00 GMT")],
        &[],
        &[],
        true,
    ),
    (
        &[
            ("cdn-cache-control", "max-age=60"),
            ("cache-control", "no-store"),
        ],
        &[],
        &[],
        true,
    ),
    (
        &[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
        &[],
        &[],
        true,
    ),
    (
        &[("cache-control", "max-age=60"), ("pragma", "no-cache")],
        &[],
        &[],
        true,
    ),
    (&[], &[], &[], false),
    (&[("cache-control", "max-age=0")], &[], &[], false),
    (&[("cache-control", "max-age=-1")], &[], &[], false),
    (&[("cache-control", "max-age='60'")], &[], &[], false),
    (&[("cache-control", "x=\"max-age=60\"")], &[], &[], false),
    (&[("expires", "0")], &[], &[], false),
    (
        &[("cache-control", "max-age=60"), ("age", "60")],
        &[],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60"), ("age", "young")],
        &[],
        &[],
        false,
    ),
    (
        &[
            ("cache-control", "max-age=60"),
            ("date", "Mon, 01 Jan 2024 00:00:00 GMT"),
        ],
        &[],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60, No-Store")],
        &[],
        &[],
        false,
    ),
    (&[("cache-control", "max-age=60, private")], &[], &[], false),
    (
        &[("cache-control", "max-age=60, no-cache")],
        &[],
        &[],
        false,
    ),
    (
        &[
            ("cache-control", "max-age=60"),
            ("cdn-cache-control", "private"),
        ],
        &[],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
        &[],
        &[],
        false,
    ),
    (
        &[
            ("cache-control", "public, max-age=60"),
            ("set-cookie", "a=b"),
        ],
        &[],
        &[],
        false,
    ),
    // Credentials: RFC 9111 section 3.5.
    (
        &[("cache-control", "max-age=60")],
        &[("authorization", "x")],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60")],
        &[("authorization", "x")],
        &[("authorization", "x")],
        false,
    ),
    (
        &[("cache-control", "max-age=60, public")],
        &[("authorization", "x")],
        &[],
        true,
    ),
    (
        &[("cache-control", "s-maxage=60")],
        &[("authorization", "x")],
        &[],
        true,
    ),
    (
        &[("cache-control", "max-age=60, must-revalidate")],
        &[("authorization", "x")],
        &[],
        true,
    ),
    // A cookie may have chosen it, and nobody said that it is for others.
    (
        &[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
        &[("cookie", "a=b")],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60")],
        &[("cookie", "a=b")],
        &[],
        true,
    ),
    // Variants.
    (
        &[("cache-control", "max-age=60"), ("vary", "x-kind")],
        &[("x-kind", "1")],
        &[("x-kind", "1")],
        true,
    ),
    (
        &[("cache-control", "max-age=60"), ("vary", "x-kind")],
        &[("x-kind", "1")],
        &[("x-kind", "2")],
        false,
    ),
    (
        &[("cache-control", "max-age=60"), ("vary", "x-kind")],
        &[("x-kind", "1")],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60"), ("vary", "x-kind")],
        &[],
        &[("x-kind", "1")],
        false,
    ),
    (
        &[("cache-control", "max-age=60"), ("vary", "*")],
        &[],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60"), ("vary", "x-kind, *")],
        &[],
        &[],
        false,
    ),
    (
        &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
        &[("accept-language", "en, de")],
        &[("accept-language", "EN,de")],
        true,
    ),
    // What the second request wants.
    (
        &[("cache-control", "max-age=60")],
        &[],
        &[("cache-control", "no-cache")],
        false,
    ),
    (
        &[("cache-control", "max-age=60")],
        &[],
        &[("pragma", "no-cache")],
        false,
    ),
    (
        &[("cache-control", "max-age=60")],
        &[],
        &[("cache-control", "max-age=0")],
        false,
    ),
    (
        &[("cache-control", "max-age=60")],
        &[],
        &[("cache-control", "min-fresh=120")],
        false,
    ),
    (
        &[("cache-control", "max-age=60")],
        &[],
        &[("cache-control", "max-age=30")],
        true,
    ),
    (
        &[("cache-control", "max-age=0")],
        &[],
        &[("cache-control", "max-stale=60")],
        false,
    ),
    (
        &[("cache-control", "max-age=60")],
        &[("cache-control", "no-store")],
        &[],
        false,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn headers_decide_what_is_stored() {
    let origin = Origin::saying(|asked: &Asked| {
        let case: usize = asked.target[1..].parse().expect("the number of a case");
        let (lines, ..) = CASES[case];
        let says = Says::ok(format!("{} of {case}", asked.before));
        lines
            .iter()
            .fold(says, |says, (name, value)| says.header(name, value))
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    let mut wrong = Vec::new();
    for (number, (lines, first, second, stored)) in CASES.iter().enumerate() {
        let target = format!("/{number}");
        let one = gateway.get(&target, first).await;
        let two = gateway.get(&target, second).await;
        let from_store = two.body == one.body;
        if from_store != *stored
            || from_store != is_stored(&two) && !lines.iter().any(|l| l.0 == "age")
        {
            wrong.push(format!("{lines:?} {first:?} {second:?}: {one:?} {two:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_says_how_long_what_says_nothing_is_fresh() {
    let origin = Origin::saying(|asked: &Asked| match asked.target.as_str() {
        "/gone" => Says::status(404, format!("{}", asked.before)),
        "/error" => Says::status(500, format!("{}", asked.before)),
        "/stated" => Says::ok(format!("{}", asked.before)).header("cache-control", "max-age=0"),
        _ => Says::ok(format!("{}", asked.before)),
    })
    .await;
    let gateway = gateway(&origin, r#"{ ttl = "1m", negative_ttl = "1m" }"#).await;
    let cases = [
        ("/plain", &[][..], true),
        ("/gone", &[], true),
        ("/error", &[], false),
        ("/stated", &[], false),
    ];
    for (target, headers, stored) in cases {
        gateway.get(target, headers).await;
        let second = gateway.get(target, headers).await;
        assert_eq!(second.text() == "0", stored, "{target}: {second:?}");
    }
    // Whoever shows who he is may have been told something of his own.
    for header in [("cookie", "session=1"), ("authorization", "Basic eA==")] {
        let target = format!("/{}", header.0);
        gateway.get(&target, &[header]).await;
        let second = gateway.get(&target, &[]).await;
        assert_eq!(second.text(), "1", "{target}: {second:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_response_tells_its_age_and_keeps_its_headers() {
    let origin = Origin::saying(|asked: &Asked| {
        Says::ok(format!("{}", asked.before))
            .header(
                "cache-control",
                "max-age=60, private=\"x-mine\", no-cache=\"x-other\"",
            )
            .header("date", &now(-10))
            .header("age", "20")
            .header("x-mine", "1")
            .header("x-other", "1")
            .header("x-kept", "1")
            .header("cache-status", "inner; hit")
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    let first = gateway.get("/", &[]).await;
    let second = gateway.get("/", &[]).await;
    assert_eq!(first.all("x-mine").len(), 1, "{first:?}");
    assert_eq!(second.text(), "0");
    let age: u64 = second
        .header("age")
        .and_then(|age| age.parse().ok())
        .expect("an age");
    assert!((20..50).contains(&age), "{second:?}");
    for (name, kept) in [("x-mine", false), ("x-other", false), ("x-kept", true)] {
        assert_eq!(second.header(name).is_some(), kept, "{name}: {second:?}");
    }
    assert_eq!(first.header("date"), second.header("date"), "{second:?}");
    assert_eq!(
        first.all("cache-status"),
        ["inner; hit", "portcullis; fwd=uri-miss; stored"]
    );
    assert!(
        second.all("cache-status")[1].starts_with("portcullis; hit; ttl="),
        "{second:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_if_cached_never_asks_the_upstream() {
    let origin = Origin::saying(|_| Says::ok("x").header("cache-control", "max-age=60")).await;
    let gateway = gateway(&origin, "{}").await;
    let wish = [("cache-control", "only-if-cached")];
    let answer = gateway.get("/", &wish).await;
    assert_eq!(
        (answer.status, answer.json()["type"].as_str()),
        (504, Some("not_stored")),
        "{answer:?}"
    );
    assert!(origin.asked().is_empty());
    gateway.get("/", &[]).await;
    assert_eq!(gateway.get("/", &wish).await.status, 200);
    assert_eq!(origin.count("/"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_may_be_kept_from_asking_the_upstream() {
    let origin = Origin::saying(|_| Says::ok("x").header("cache-control", "max-age=60")).await;
    let gateway = gateway(&origin, "{ client_directives = false, status = false }").await;
    for wish in ["max-age=60", "no-cache", "no-store", "max-age=0"] {
        let answer = gateway
            .get("/", &[("cache-control", wish), ("pragma", "no-cache")])
            .await;
        assert_eq!((answer.status, status(&answer)), (200, ""), "{answer:?}");
    }
    assert_eq!(origin.count("/"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_makes_what_is_stored_invalid() {
    let origin =
        Origin::saying(
            |asked: &Asked| match (asked.method.as_str(), asked.target.as_str()) {
                ("GET", _) => {
                    Says::ok(format!("{}", asked.before)).header("cache-control", "max-age=60")
                }
                ("POST", "/fails") => Says::status(500, ""),
                ("POST", "/elsewhere") => Says::ok("").header("location", "http://other.test/a"),
                _ => Says::status(201, "")
                    .header("location", "/b")
                    .header("content-location", "c?d"),
            },
        )
        .await;
    let gateway = gateway(&origin, "{}").await;
    // What is asked to change, and what is to be asked for anew.
    let cases: [(&str, &str, &[&str], &[&str]); 4] = [
        ("POST", "/a", &["/a", "/b", "/c?d"], &["/c", "/fails"]),
        ("DELETE", "/a", &["/a", "/b", "/c?d"], &["/c"]),
        ("POST", "/fails", &[], &["/fails", "/a"]),
        ("POST", "/elsewhere", &[], &["/a", "/b"]),
    ];
    for (method, target, gone, stays) in cases {
        let all = || gone.iter().chain(stays);
        for target in all() {
            gateway.get(target, &[]).await;
            assert!(
                is_stored(&gateway.get(target, &[]).await),
                "{target} is stored"
            );
        }
        gateway.ask(method, target, &[], b"x").await;
        for other in all() {
            let answer = gateway.get(other, &[]).await;
            assert_eq!(
                is_stored(&answer),
                !gone.contains(other),
                "{method} {target}: {other} {answer:?}"
            );
        }
    }
}

/// An HTTP date so many seconds from now.
fn now(seconds: i64) -> String {
    use std::time::{Duration, SystemTime};
    let now = SystemTime::now();
    let span = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 { now - span } else { now + span };
    httpdate::fmt_http_date(at)
}
