//! Where a token is found, and that it is taken out there.

use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::Fake;

use crate::kit::{claims, token, verdict, with};

const ALL: &str = r#","cookie":"session","query":"token","subprotocol":"bearer""#;

fn good() -> String {
    token(&claims(""))
}

fn get(target: &str) -> Fake {
    Fake::request("GET", target)
}

fn asked(settings: &str, fake: &Fake) -> Result<Caller, Fault> {
    with(settings).authenticate(&mut fake.exchange())
}

fn is_absent(outcome: Result<Caller, Fault>) -> bool {
    let fault = outcome.unwrap_err();
    let refusal = fault.refusal().unwrap();
    assert_eq!(refusal.reason(), "unauthenticated");
    let bare = refusal.header_value("www-authenticate") == Some(b"Bearer".as_slice());
    bare && refusal.told() == Some("credentials are missing") && refusal.logged() == Some("missing")
}

#[test]
fn the_scheme_is_case_insensitive_and_others_are_not_ours() {
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let fake = get("/").with_header("authorization", format!("{scheme} {}", good()));
        assert_eq!(asked("", &fake).unwrap().id, "42", "{scheme}");
        assert_eq!(fake.header_text("authorization"), None);
    }
    for other in ["tma x", "Bearerx y", "", "Basic eDp5", "DPoP x"] {
        let fake = get("/").with_header("authorization", other);
        assert!(is_absent(asked(ALL, &fake)), "{other}");
        assert_eq!(fake.header_text("authorization").as_deref(), Some(other));
    }
    for bad in ["Bearer", "Bearer ", "bearer x"] {
        let fake = get("/").with_header("authorization", bad);
        assert_eq!(verdict(asked("", &fake)), "format", "{bad}");
    }
    assert!(is_absent(asked(ALL, &get("/"))));
}

#[test]
fn the_header_is_forwarded_on_demand_only() {
    let fake = get("/").with_header("authorization", format!("Bearer {}", good()));
    assert!(asked(r#","forward":true"#, &fake).is_ok());
    assert_eq!(
        fake.header_text("authorization"),
        Some(format!("Bearer {}", good()))
    );
}

#[test]
fn other_schemes_stay_beside_it() {
    let both = || {
        get("/")
            .with_header("authorization", "Basic eDp5")
            .with_header("authorization", format!("Bearer {}", good()))
    };
    let fake = both();
    assert_eq!(asked("", &fake).unwrap().id, "42");
    let left = fake.exchange().request().header_all("authorization");
    assert_eq!(left, [b"Basic eDp5"]);
    let fake = both();
    assert!(asked(r#","forward":true"#, &fake).is_ok());
    let left = fake.exchange().request().header_all("authorization");
    assert_eq!(left.len(), 2);
}

#[test]
fn a_cookie_is_taken_out_from_among_others() {
    let cookie = format!("a=1; session={}; b=\u{ff}2", good());
    let fake = get("/").with_header("cookie", &cookie);
    assert_eq!(asked(ALL, &fake).unwrap().id, "42");
    assert_eq!(
        fake.header_text("cookie").as_deref(),
        Some("a=1; b=\u{ff}2")
    );
    let gaps = get("/").with_header("cookie", format!("a=1;; session={};", good()));
    assert!(asked(ALL, &gaps).is_ok());
    assert_eq!(gaps.header_text("cookie").as_deref(), Some("a=1"));
    let alone = get("/").with_header("cookie", format!("session={}", good()));
    assert!(asked(ALL, &alone).is_ok());
    assert_eq!(alone.header_text("cookie"), None);
    for other in [
        "sessions=x",
        "xsession=x",
        "Session=x",
        "a=session=x",
        "session",
    ] {
        let fake = get("/").with_header("cookie", other);
        assert!(is_absent(asked(ALL, &fake)), "{other}");
        assert_eq!(fake.header_text("cookie").as_deref(), Some(other));
    }
    let unset = get("/").with_header("cookie", &cookie);
    assert!(is_absent(asked("", &unset)));
}

#[test]
fn a_web_socket_carries_it_as_a_subprotocol() {
    let fake = get("/ws").with_header(
        "sec-websocket-protocol",
        format!("chat.v2, bearer.{},chat", good()),
    );
    assert_eq!(asked(ALL, &fake).unwrap().id, "42");
    assert_eq!(
        fake.header_text("sec-websocket-protocol").as_deref(),
        Some("chat.v2, chat")
    );
    let lines = get("/ws")
        .with_header("sec-websocket-protocol", "chat")
        .with_header("sec-websocket-protocol", format!("bearer.{}", good()));
    assert!(asked(ALL, &lines).is_ok());
    assert_eq!(
        lines.header_text("sec-websocket-protocol").as_deref(),
        Some("chat")
    );
    let other = get("/ws").with_header("sec-websocket-protocol", "chat, bearer");
    assert!(is_absent(asked(ALL, &other)));
}

#[test]
fn the_query_loses_it() {
    let fake = get(&format!("/ws?a=1&token={}&b", good()));
    assert_eq!(asked(ALL, &fake).unwrap().id, "42");
    assert_eq!(fake.exchange().target(), "/ws?a=1&b");
    for (query, want) in [
        ("token=", "format"),
        ("token=a&token=a", "query"),
        ("token=%zz", "query"),
    ] {
        assert_eq!(
            verdict(asked(ALL, &get(&format!("/?{query}")))),
            want,
            "{query}"
        );
    }
}

#[test]
fn two_different_tokens_are_none() {
    let other = token(&claims(r#","jti":"2""#));
    let header = format!("Bearer {}", good());
    let cases = [
        get("/")
            .with_header("authorization", &header)
            .with_header("authorization", format!("Bearer {other}")),
        get("/")
            .with_header("authorization", &header)
            .with_header("cookie", format!("session={other}")),
        get(&format!("/?token={other}")).with_header("authorization", &header),
        get("/").with_header("cookie", format!("session={}; session={other}", good())),
        get("/").with_header(
            "sec-websocket-protocol",
            format!("bearer.{}, bearer.{other}", good()),
        ),
        get("/")
            .with_header("authorization", &header)
            .with_header("cookie", "session="),
    ];
    for fake in cases {
        assert_eq!(verdict(asked(ALL, &fake)), "several");
    }
    let same = get(&format!("/?token={}", good())).with_header("authorization", &header);
    assert!(asked(ALL, &same).is_ok());
}
