//! What the settings may say, and what a mistake is told.

use telegram_auth::{Key, Plan};

const TOKEN: &str = "7000000001:DEMO-token-for-local-use-only-000000";

fn plan(json: &str) -> Result<Plan, String> {
    portcullis_sdk::settings::parse(json).and_then(Plan::new)
}

fn roles_of(plan: &Plan, user: u64) -> Vec<&str> {
    plan.roles_of(user, &plan.bots[0]).collect()
}

#[test]
fn a_token_is_enough() {
    let plan = plan(&format!(r#"{{"bots":[{{"token":"{TOKEN}"}}]}}"#)).expect("valid");
    assert_eq!(plan.bots[0].id, Some(7_000_000_001));
    assert_eq!((plan.window.max_age, plan.window.clock_skew), (86_400, 300));
    assert_eq!(roles_of(&plan, 1), ["user"]);
}

#[test]
fn admins_are_text_or_a_list() {
    for ids in [r#""1, 2,""#, r#"[1, "2"]"#] {
        let plan = plan(&format!(
            r#"{{"bots":[{{"token":"{TOKEN}"}}],"admin_ids":{ids}}}"#
        ))
        .expect("valid");
        assert_eq!(roles_of(&plan, 2), ["user", "admin"], "{ids}");
        assert_eq!(roles_of(&plan, 3), ["user"], "{ids}");
    }
    let plan = plan(&format!(
        r#"{{"bots":[{{"token":"{TOKEN}"}}],"admin_ids":7}}"#
    ))
    .expect("valid");
    assert_eq!(roles_of(&plan, 7), ["user", "admin"]);
}

#[test]
fn roles_come_from_default_bot_and_user() {
    let plan = plan(&format!(
        r#"{{"bots":[{{"token":"{TOKEN}","roles":["beta"]}}],"default_roles":[],"roles":{{"5":["mod"]}}}}"#
    ))
    .expect("valid");
    assert_eq!(roles_of(&plan, 5), ["beta", "mod"]);
}

#[test]
fn a_bot_without_a_secret_is_checked_by_telegrams_key() {
    let json = r#"{"bots":[{"bot_id":"42"},{"bot_id":42,"public_key":"test"}]}"#;
    let plan = plan(json).expect("valid");
    assert!(matches!(
        plan.keys[..],
        [
            Key::Public { bot_id: 42, .. },
            Key::Public { bot_id: 42, .. }
        ]
    ));
}

#[test]
fn every_mistake_is_told_and_no_secret_is() {
    let json = r#"{"bots":[{"token":"1:s3cret\n"},{},{"secret":"5ec"},{"bot_id":1,"token":"1:a"},{"bot_id":"x"},
        {"bot_id":1,"public_key":"00"}],"max_age":"0s","roles":{"ann":["a b"]},"admin_ids":"me","header":"a b",
        "query":"","default_roles":["a,b"]}"#;
    let told = plan(json).err().unwrap_or_default();
    let places = [
        "bots[0]: the token",
        "bots[1]: give",
        "bots[2]: secret",
        "bots[3]: give it one",
        "bots[4]: bot_id",
        "bots[5]: public_key",
        "max_age:",
        "roles: \"ann\"",
        "roles.ann: \"a b\"",
        "admin_ids: \"me\"",
        "header:",
        "query:",
        "default_roles: \"a,b\"",
    ];
    for place in places {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(!told.contains("s3cret") && !told.contains("5ec"), "{told}");
    assert!(plan(r#"{"bots":[]}"#).is_err());
}

#[test]
fn an_unknown_key_is_an_error() {
    let told = plan(r#"{"bots":[{"tokn":"1:a"}]}"#)
        .err()
        .unwrap_or_default();
    assert!(
        told.starts_with("bots[0].tokn: unknown field `tokn`"),
        "{told}"
    );
}

/// What is told of settings with one bot, and more beside it.
fn told_of(bot: &str, more: &str) -> String {
    plan(&format!(r#"{{"bots":[{bot}]{more}}}"#))
        .err()
        .unwrap_or_default()
}

#[test]
fn a_token_is_a_number_a_colon_and_letters() {
    for (token, passes) in [
        (TOKEN, true),
        ("1:a", true),
        ("1:a-B_9", true),
        ("1:", false),
        (":a", false),
        ("1", false),
        ("x:a", false),
        ("-1:a", false),
        ("1:a b", false),
        ("1:a.b", false),
        ("1:a ", false),
        ("1:a:b", false),
        ("18446744073709551616:a", false),
    ] {
        let told = told_of(&format!(r#"{{"token":"{token}"}}"#), "");
        assert_eq!(told.is_empty(), passes, "{token}: {told}");
        assert!(passes || told.starts_with("bots[0]: the token"), "{told}");
    }
}

#[test]
fn a_bot_has_one_kind_of_key() {
    let secret = "ab".repeat(32);
    let cases = [
        (format!(r#"{{"secret":"{secret}"}}"#), ""),
        (format!(r#"{{"secret":"{secret}","bot_id":7}}"#), ""),
        (r#"{"bot_id":" 7 "}"#.to_owned(), ""),
        (r#"{"bot_id":7,"public_key":"test"}"#.to_owned(), ""),
        ("{}".to_owned(), "bots[0]: give it a token"),
        (
            r#"{"public_key":"test"}"#.to_owned(),
            "bots[0]: give it a token",
        ),
        (
            format!(r#"{{"secret":"{secret}","token":"1:a"}}"#),
            "bots[0]: give it one of",
        ),
        (
            format!(r#"{{"secret":"{secret}","public_key":"test"}}"#),
            "bots[0]: give it one of",
        ),
        (
            r#"{"token":"1:a","bot_id":1}"#.to_owned(),
            "bots[0]: give it one of",
        ),
        (
            format!(r#"{{"secret":"{secret}0"}}"#),
            "bots[0]: secret is not 64",
        ),
        (
            r#"{"bot_id":7,"public_key":"tests"}"#.to_owned(),
            "bots[0]: public_key is neither",
        ),
    ];
    for (bot, want) in cases {
        let told = told_of(&bot, "");
        assert_eq!(told.is_empty(), want.is_empty(), "{bot}: {told}");
        assert!(told.starts_with(want), "{bot}: {told}");
    }
}

#[test]
fn a_role_fits_into_a_list_with_commas() {
    for (role, passes) in [
        ("mod", true),
        ("a:b/c-d_e.f", true),
        ("", false),
        ("a,b", false),
        ("a b", false),
        ("é", false),
    ] {
        for place in ["default_roles", "bots[0].roles", "roles.7"] {
            let told = match place {
                "default_roles" => told_of(
                    r#"{"bot_id":1}"#,
                    &format!(r#","default_roles":["{role}"]"#),
                ),
                "roles.7" => told_of(
                    r#"{"bot_id":1}"#,
                    &format!(r#","roles":{{"7":["{role}"]}}"#),
                ),
                _ => told_of(&format!(r#"{{"bot_id":1,"roles":["{role}"]}}"#), ""),
            };
            assert_eq!(told.is_empty(), passes, "{place} {role:?}: {told}");
            assert!(passes || told.starts_with(&format!("{place}: ")), "{told}");
        }
    }
}

#[test]
fn a_header_is_a_token_and_a_query_has_a_name() {
    let cases = [
        (r#","header":"x-init_data.2""#, ""),
        (r#","header":"""#, "header:"),
        (r#","header":"a b""#, "header:"),
        (r#","header":"a:b""#, "header:"),
        (r#","query":"tma""#, ""),
        (r#","query":"""#, "query:"),
        (r#","max_age":"1ms""#, ""),
        (r#","max_age":"0s""#, "max_age:"),
        (r#","admin_ids":"1,, 2,""#, ""),
        (r#","admin_ids":"1,x""#, "admin_ids: \"x\""),
        (r#","admin_ids":["x"]"#, "admin_ids: \"x\""),
    ];
    for (more, want) in cases {
        let told = told_of(r#"{"bot_id":1}"#, more);
        assert_eq!(told.is_empty(), want.is_empty(), "{more}: {told}");
        assert!(told.starts_with(want), "{more}: {told}");
    }
}
