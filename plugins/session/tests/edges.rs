//! What just passes, and what just does not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{Value, json};
use portcullis_sdk::testing::Fake;
use session::{Plan, Session};

const NOW: u64 = 1_767_225_660;

fn settings(more: &Value) -> String {
    let mut settings = json!({ "secret": "s".repeat(32), "issuer": "i", "audience": "a" });
    let more = more.as_object().unwrap().clone();
    settings.as_object_mut().unwrap().extend(more);
    settings.to_string()
}

fn told(more: &Value) -> String {
    let plan = settings::parse(&settings(more)).and_then(Plan::new);
    plan.err().unwrap_or_default()
}

fn minter(more: &Value) -> Session {
    Session::configure(settings::parse(&settings(more)).unwrap()).unwrap()
}

/// The claims in a token.
fn claims_of(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
    portcullis_sdk::serde_json::from_slice(&bytes.unwrap()).unwrap()
}

#[test]
fn a_session_lives_from_a_second_to_a_day() {
    let refused = "ttl: write at least \"1s\" and at most \"24h\"";
    let cases = [
        ("1s", ""),
        ("15m", ""),
        ("24h", ""),
        ("86400s", ""),
        ("1d", ""),
        ("86401s", refused),
        ("25h", refused),
        ("0s", refused),
        ("999ms", refused),
    ];
    for (ttl, want) in cases {
        assert_eq!(told(&json!({ "ttl": ttl })), want, "{ttl}");
    }
}

#[test]
fn a_secret_has_32_bytes_and_no_white_space_around_it() {
    let short = "secret: it has 31 bytes, HS256 needs 32";
    let spaced = "secret: it begins or ends with white space";
    let cases = [
        ("s".repeat(31), short),
        ("s".repeat(32), ""),
        ("s".repeat(33), ""),
        (format!("{}\n", "s".repeat(40)), spaced),
        (format!(" {}", "s".repeat(40)), spaced),
        (format!("{0} {0}", "s".repeat(20)), ""),
    ];
    for (secret, want) in cases {
        let told = told(&json!({ "secret": secret }));
        assert_eq!(told.is_empty(), want.is_empty(), "{told}");
        assert!(told.starts_with(want), "{told}");
    }
}

#[test]
fn a_claim_of_the_tokens_own_cannot_be_set() {
    let own = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "roles", ""];
    for name in own {
        let want = format!("claims: {name:?} cannot be set; the token's own");
        assert_eq!(told(&json!({ "claims": ["username", name] })), want);
    }
    assert_eq!(told(&json!({ "claims": ["username", "Sub"] })), "");
}

#[test]
fn a_token_has_at_most_4096_bytes() {
    let session = minter(&json!({ "claims": ["a", "b", "c"] }));
    let mint = |length: usize| {
        let full = "x".repeat(1_024);
        let fake = Fake::request("POST", "/")
            .with_attr("caller.id", "42")
            .with_attr("claim.a", &full)
            .with_attr("claim.b", &full)
            .with_attr("claim.c", &"x".repeat(length));
        session.mint(&fake.exchange(), NOW)
    };
    let (fits, rest): (Vec<_>, Vec<_>) = (700..1_024).map(mint).partition(Result::is_ok);
    let lengths = fits.into_iter().map(|minted| minted.unwrap().token.len());
    assert_eq!(lengths.max(), Some(4_096));
    let first = rest.into_iter().next().unwrap().err();
    assert_eq!(
        first,
        Some(Fault::failed(
            "the token has 4097 bytes, more than 4096; list fewer claims"
        ))
    );
}

#[test]
fn a_claim_of_1024_bytes_on_one_line_is_kept() {
    let session = minter(&json!({ "claims": ["a"] }));
    let cases = [
        ("x".repeat(1_024), true),
        ("x".repeat(1_025), false),
        (String::new(), true),
        ("a\nb".to_owned(), false),
        ("a\u{7f}".to_owned(), false),
    ];
    for (value, kept) in cases {
        let fake = Fake::request("POST", "/")
            .with_attr("caller.id", "42")
            .with_attr("claim.a", &value);
        let minted = session.mint(&fake.exchange(), NOW).unwrap();
        let want = kept.then(|| Value::from(value.clone()));
        assert_eq!(
            claims_of(&minted.token).get("a"),
            want.as_ref(),
            "{value:?}"
        );
    }
}

#[test]
fn a_token_says_what_the_settings_say() {
    let fake = Fake::request("POST", "/")
        .with_attr("caller.id", "42")
        .with_attr("caller.roles", "user,admin")
        .with_attr("request.id", "01-request");
    let more = json!({ "ttl": "1h", "jti": true });
    let minted = minter(&more).mint(&fake.exchange(), NOW).unwrap();
    let want = json!({ "iss": "i", "aud": "a", "sub": "42", "roles": ["user", "admin"], "iat": NOW,
        "exp": NOW + 3_600, "jti": "01-request" });
    assert_eq!(claims_of(&minted.token), want);
    let fake = Fake::request("POST", "/").with_attr("caller.id", "42");
    let minted = minter(&json!({})).mint(&fake.exchange(), NOW).unwrap();
    let want =
        json!({ "iss": "i", "aud": "a", "sub": "42", "roles": [], "iat": NOW, "exp": NOW + 900 });
    assert_eq!(claims_of(&minted.token), want);
}

#[test]
fn a_key_is_shown_by_its_algorithm() {
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let shown = format!(
        "{:?}",
        minter(&json!({ "secret": null, "private_key": PRIVATE }))
    );
    assert!(shown.contains("EdDSA") && !shown.contains("212"), "{shown}");
}
