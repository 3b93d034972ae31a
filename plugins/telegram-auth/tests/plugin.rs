//! The plugin against the SDK's fake gateway: where credentials come from, and what everyone is told.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::{Fake, set_now};
use telegram_auth::{TelegramAuth, sign};

const TOKEN: &str = "7000000001:DEMO-token-for-local-use-only-000000";
const NOW: u64 = 1_767_225_660;

fn plugin() -> TelegramAuth {
    set_now(Duration::from_secs(NOW));
    let json = format!(
        r#"{{"bots":[{{"token":"{TOKEN}"}}],"header":"x-init-data","query":"tma","admin_ids":"1,2"}}"#
    );
    TelegramAuth::configure(settings::parse(&json).unwrap()).unwrap()
}

fn fresh(user: u64) -> String {
    sign::init_data(TOKEN, user, NOW - 5, &[])
}

/// What the client and the log are told, and the challenge.
fn refused(fake: &Fake) -> (String, String) {
    let fault = plugin().authenticate(&mut fake.exchange()).unwrap_err();
    let refusal = fault.refusal().unwrap();
    assert_eq!(refusal.reason(), "unauthenticated");
    assert_eq!(
        refusal.header_value("www-authenticate"),
        Some(b"tma".as_slice())
    );
    (
        refusal.told().unwrap().to_owned(),
        refusal.logged().unwrap().to_owned(),
    )
}

#[test]
fn a_user_becomes_a_caller_with_roles_and_claims() {
    let extra = [("start_param", "raid_9")];
    let init_data = sign::init_data(TOKEN, 2, NOW - 5, &extra);
    let fake = Fake::request("GET", "/").with_header("authorization", format!("tma {init_data}"));
    let caller = plugin().authenticate(&mut fake.exchange()).unwrap();
    assert_eq!(
        (caller.id.as_str(), caller.roles.as_slice()),
        ("2", ["user".to_owned(), "admin".to_owned()].as_slice())
    );
    let claim = |name: &str| {
        caller
            .claims
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    assert_eq!(
        (claim("username"), claim("first_name"), claim("language")),
        (Some("user2"), Some("User 2"), Some("en"))
    );
    assert_eq!(
        (claim("bot_id"), claim("start_param")),
        (Some("7000000001"), Some("raid_9"))
    );
    assert_eq!(
        (claim("auth_date"), claim("premium")),
        (Some("1767225655"), None)
    );
}

#[test]
fn the_scheme_is_case_insensitive_and_others_are_not_ours() {
    for scheme in ["tma", "TMA", "Tma"] {
        let fake = Fake::request("GET", "/")
            .with_header("Authorization", format!("{scheme} {}", fresh(7)));
        assert_eq!(plugin().authenticate(&mut fake.exchange()).unwrap().id, "7");
    }
    for other in ["Bearer x", "tmax y", "", "Basic dG1hIHg="] {
        let fake = Fake::request("GET", "/").with_header("authorization", other);
        assert_eq!(refused(&fake).0, "credentials are missing", "{other}");
    }
}

#[test]
fn header_and_query_carry_it_too_and_the_query_loses_it() {
    let fake = Fake::request("GET", "/").with_header("x-init-data", fresh(8));
    assert_eq!(plugin().authenticate(&mut fake.exchange()).unwrap().id, "8");
    let fake = Fake::request(
        "GET",
        &format!("/ws?a=%2F&tma={}&b", sign::encode(&fresh(9))),
    );
    assert_eq!(plugin().authenticate(&mut fake.exchange()).unwrap().id, "9");
    assert_eq!(fake.exchange().target(), "/ws?a=%2F&b");
}

#[test]
fn the_query_loses_it_even_when_a_header_has_it() {
    let init_data = fresh(7);
    let fake = Fake::request("GET", &format!("/ws?tma={}", sign::encode(&init_data)))
        .with_header("authorization", format!("tma {init_data}"));
    assert_eq!(plugin().authenticate(&mut fake.exchange()).unwrap().id, "7");
    assert_eq!(fake.exchange().target(), "/ws");
}

#[test]
fn two_different_credentials_are_none() {
    let header = format!("tma {}", fresh(7));
    let cases = [
        Fake::request("GET", "/")
            .with_header("authorization", &header)
            .with_header("x-init-data", fresh(8)),
        Fake::request("GET", "/")
            .with_header("authorization", &header)
            .with_header("authorization", "tma x"),
        Fake::request("GET", "/?tma=x").with_header("authorization", &header),
    ];
    for fake in cases {
        let (told, logged) = refused(&fake);
        assert_eq!(told, "credentials are not valid");
        assert!(logged.starts_with("several:"), "{logged}");
    }
    let same = Fake::request("GET", "/")
        .with_header("authorization", &header)
        .with_header("x-init-data", fresh(7));
    assert!(plugin().authenticate(&mut same.exchange()).is_ok());
}

#[test]
fn a_broken_query_is_not_valid() {
    for query in ["tma=%zz", "tma=a&tma=a", "tma="] {
        let (told, _) = refused(&Fake::request("GET", &format!("/?{query}")));
        assert_eq!(told, "credentials are not valid", "{query}");
    }
}

#[test]
fn the_client_is_told_little_and_the_log_why() {
    let with = |init_data: String| {
        Fake::request("GET", "/").with_header("authorization", format!("tma {init_data}"))
    };
    let old = refused(&with(sign::init_data(TOKEN, 7, NOW - 86_401, &[])));
    assert_eq!(
        old,
        (
            "credentials have expired".to_owned(),
            "expired: it is 86401 s old".to_owned()
        )
    );
    let early = refused(&with(sign::init_data(TOKEN, 7, NOW + 301, &[])));
    assert_eq!(
        early,
        (
            "credentials are not valid".to_owned(),
            "future: it is 301 s ahead of the clock".to_owned()
        )
    );
    let nobody = refused(&with(sign::sign(&[("auth_date", "1767225660")], TOKEN)));
    assert_eq!(nobody.1, "no_user: no user in initData");
    let unreadable = [("auth_date", "1767225660"), ("user", "7")];
    let unreadable = refused(&with(sign::sign(&unreadable, TOKEN)));
    assert_eq!(unreadable.1, "user: the user cannot be read");
    let shapeless = refused(&with("a".to_owned()));
    assert_eq!(shapeless.1, "format: a pair has no `=`");
    let twice = refused(&with("a=1&a=2".to_owned()));
    assert_eq!(twice.1, "duplicate");
    let foreign = refused(&with(sign::init_data("1:other", 7, NOW, &[])));
    assert_eq!(
        foreign,
        (
            "credentials are not valid".to_owned(),
            "invalid: no bot signed this".to_owned()
        )
    );
}
