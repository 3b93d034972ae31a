//! The plugin against the SDK's fake gateway.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::Fake;
use rbac::Rbac;

const ROLES: &str = r#"{"roles":{
    "user":{"allow":["GET /api/users/{own}"]},
    "admin":{"inherits":["user"],"allow":["GET /api/users/{id}","DELETE /api/raids/{id}"]}}}"#;

fn plugin() -> Rbac {
    Rbac::configure(settings::parse(ROLES).unwrap()).unwrap()
}

fn authorized(method: &str, target: &str, role: &str) -> Result<(), Fault> {
    let fake = Fake::request(method, target);
    plugin().authorize(&mut fake.exchange(), &Caller::new("42").role(role))
}

#[test]
fn a_role_lets_pass_what_it_allows_and_nothing_else() {
    let cases = [
        ("GET", "/api/users/42", "user", true),
        ("GET", "/api/users/42?of=43", "user", true),
        ("GET", "/api/users/43", "user", false),
        ("GET", "/api/users/43?x=/api/users/42", "user", false),
        ("HEAD", "/api/users/42", "user", false),
        ("DELETE", "/api/raids/7", "user", false),
        ("GET", "/api/users/42", "admin", true),
        ("GET", "/api/users/43", "admin", true),
        ("DELETE", "/api/raids/7", "admin", true),
        ("GET", "/api/users/42", "", false),
        ("GET", "/api/users/42", "stranger", false),
    ];
    for (method, target, role, passes) in cases {
        let outcome = authorized(method, target, role);
        assert_eq!(outcome.is_ok(), passes, "{role}: {method} {target}");
    }
}

#[test]
fn the_client_reads_403_and_only_the_log_reads_why() {
    let fault = authorized("DELETE", "/api/raids/7", "user").unwrap_err();
    let refusal = fault.refusal().unwrap();
    assert_eq!((refusal.reason(), refusal.told()), ("forbidden", None));
    assert_eq!(
        refusal.logged(),
        Some(
            "caller 42 with roles [user] has no permission for DELETE /api/raids/7; \
             nearest: role admin allows it"
        )
    );
}

#[test]
fn roles_that_cannot_be_read_are_told_when_the_plugin_is_configured() {
    let settings = settings::parse(r#"{"roles":{"user":{"allow":["GET api/**"]}}}"#).unwrap();
    let told = Rbac::configure(settings).unwrap_err();
    assert_eq!(
        told,
        "roles.user.allow[0]: \"GET api/**\": the path starts with a slash"
    );
}
