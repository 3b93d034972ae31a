//! An OpenAPI document in the settings of `validate`: `check` says which of its operations no route serves.

use portcullis_tests::gateway::{Setup, guest};

const TOML: &str = r#"
[plugin.api]
component = "validate.wasm"
grants = { clock = true, random = true }

[plugin.api.settings]
base_path = "/api"

[plugin.api.settings.openapi]
openapi = "3.1.0"
info = { title = "users", version = "1" }

[plugin.api.settings.openapi.paths."/users/{id}"]
get    = { responses = { 200 = {} } }
delete = { responses = { 204 = {} } }

[plugin.api.settings.openapi.paths."/users/{id}/friends"]
get = { responses = { 200 = {} } }

[plugin.api.settings.openapi.paths."/teams"]
post = { responses = { 201 = {} } }

[upstream.users]
servers = ["127.0.0.1:9"]

[[route]]
name = "user"
path = "/api/users/{who}"
methods = ["GET"]
public = true
plugins = ["api"]
upstream = "users"

[[route]]
name = "friends"
path = "/api/users/{who}/friends/**"
public = true
plugins = ["api"]
upstream = "users"
"#;

#[test]
fn check_names_the_operations_that_no_route_serves() {
    let setup = Setup::new(TOML).plugin("validate.wasm", guest("validate.wasm"));
    let checked = setup.check();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{checked:?}");
    let notes: Vec<&str> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("note: no route serves "))
        .collect();
    assert_eq!(
        notes,
        [
            "POST /api/teams, which its OpenAPI document describes",
            "DELETE /api/users/{id}, which its OpenAPI document describes",
        ],
        "{said}"
    );
}
