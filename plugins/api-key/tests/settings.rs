//! What the settings may just say, and what they just may not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use api_key::Plan;
use portcullis_sdk::serde_json::{Value, json};

/// What is told of settings with one key that is right but for `more`.
fn told(more: &Value) -> String {
    let mut key = json!({ "id": "ci", "sha256": "ab".repeat(32) });
    merge(&mut key, more);
    told_of(&json!({ "keys": [key] }))
}

fn told_of(settings: &Value) -> String {
    let plan = portcullis_sdk::settings::parse(&settings.to_string()).and_then(Plan::new);
    plan.err().unwrap_or_default()
}

fn merge(base: &mut Value, more: &Value) {
    let more = more.as_object().unwrap().clone();
    base.as_object_mut().unwrap().extend(more);
}

#[test]
fn an_id_is_one_line_of_256_bytes() {
    let refused = "keys[0].id: this is no id (one line, at most 256 bytes)";
    let cases = [
        ("i".to_owned(), ""),
        ("Jörg von der 🚪".to_owned(), ""),
        ("i".repeat(256), ""),
        ("i".repeat(257), refused),
        ("é".repeat(128), ""),
        ("é".repeat(129), refused),
        (String::new(), refused),
        ("a\nb".to_owned(), refused),
        ("a\r".to_owned(), refused),
        ("a\0b".to_owned(), refused),
        ("\u{7f}".to_owned(), refused),
        ("\u{85}".to_owned(), refused),
    ];
    for (id, want) in cases {
        assert_eq!(told(&json!({ "id": id })), want, "{id:?}");
    }
}

#[test]
fn a_claim_has_a_name_and_is_one_line_of_1024_bytes() {
    let refused = |name: &str| {
        format!("keys[0].claims.{name}: this is no claim (one line, at most 1024 bytes)")
    };
    let cases = [
        ("team", "tools".to_owned(), true),
        ("team", String::new(), true),
        ("team", "t".repeat(1_024), true),
        ("team", "t".repeat(1_025), false),
        ("team", "a\nb".to_owned(), false),
        ("team", "a\0b".to_owned(), false),
        ("", "tools".to_owned(), false),
    ];
    for (name, value, passes) in cases {
        let want = if passes { String::new() } else { refused(name) };
        let claims = json!({ "claims": { name: value } });
        assert_eq!(told(&claims), want, "{name}: {value:?}");
    }
}

#[test]
fn a_role_fits_into_a_list_with_commas() {
    for (role, passes) in [
        ("deploy", true),
        ("a:b/c-d_e.f", true),
        ("", false),
        ("a,b", false),
        ("a b", false),
        ("a\nb", false),
        ("é", false),
    ] {
        let told = told(&json!({ "roles": [role] }));
        assert_eq!(told.is_empty(), passes, "{role:?}: {told}");
        assert!(passes || told.starts_with("keys[0].roles:"), "{told}");
    }
}

#[test]
fn a_header_and_a_scheme_are_tokens() {
    let cases = [
        (json!({ "header": "x-key_1.2" }), ""),
        (json!({ "header": "" }), "header: this is no header name"),
        (
            json!({ "header": "x key" }),
            "header: this is no header name",
        ),
        (
            json!({ "header": "x:key" }),
            "header: this is no header name",
        ),
        (
            json!({ "header": "schlüssel" }),
            "header: this is no header name",
        ),
        (
            json!({ "header": "Cookie" }),
            "header: this one carries more",
        ),
        (
            json!({ "header": "AUTHORIZATION" }),
            "header: this one carries more",
        ),
        (json!({ "scheme": "ApiKey" }), ""),
        (json!({ "scheme": "" }), "scheme: this is no scheme"),
        (json!({ "scheme": "Api Key" }), "scheme: this is no scheme"),
    ];
    for (more, want) in cases {
        let mut settings = json!({ "keys": [{ "id": "ci", "sha256": "ab".repeat(32) }] });
        merge(&mut settings, &more);
        let told = told_of(&settings);
        assert_eq!(
            told.lines().count(),
            usize::from(!want.is_empty()),
            "{more}: {told}"
        );
        assert!(told.starts_with(want), "{more}: {told}");
    }
}

#[test]
fn a_hash_has_64_hex_digits() {
    let refused = "keys[0].sha256: these are not 64 hex digits";
    let cases = [
        ("ab".repeat(32), ""),
        ("AB".repeat(32), ""),
        ("ab".repeat(31), refused),
        ("ab".repeat(33), refused),
        ("ag".repeat(32), refused),
        (String::new(), refused),
    ];
    for (hash, want) in cases {
        let told = told(&json!({ "sha256": hash }));
        assert_eq!(told.is_empty(), want.is_empty(), "{hash}: {told}");
        assert!(told.starts_with(want), "{hash}: {told}");
    }
}

#[test]
fn a_second_key_says_that_it_is_another() {
    let settings = |first: bool, second: bool| {
        json!({ "keys": [
            { "id": "ci", "sha256": "ab".repeat(32), "another": first },
            { "id": "ci", "sha256": "cd".repeat(32), "another": second },
        ] })
    };
    let refused = "keys[1].id: \"ci\" has a key already; write another = true if it has two";
    for (first, second, want) in [
        (false, false, refused),
        (true, false, refused),
        (false, true, ""),
        (true, true, ""),
    ] {
        assert_eq!(told_of(&settings(first, second)), want, "{first} {second}");
    }
}
