//! What `check` says of plugins beside mistakes.

use std::process::{Command, Stdio};

use portcullis_tests::gateway::{Setup, binary, guest};

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

#[test]
fn check_says_what_a_plugin_can_do_from_its_imports_and_its_grants() {
    let toml = r#"
[plugin.stamp]
component = "headers.wasm"
grants = { clock = true, random = true, log = "1KiB", upstreams = ["users"], state = ["seen"] }

[plugin.who]
component = "telegram_auth.wasm"
grants = { clock = true, crypto = true }
settings = { bots = [{ token = "7000000001:DEMO-token-for-local-use-only-000000" }] }

[upstream.users]
servers = ["127.0.0.1:9"]

[[route]]
name = "a"
path = "/a"
plugins = ["who", "stamp"]
upstream = "users"
"#;
    let checked = Setup::new(toml).guests().check();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{checked:?}");
    for line in [
        "can change the request and the response; log 1024 bytes per call",
        "note: granted, though it imports nothing of the kind: call upstreams users, 16 times per request; \
         remember in seen; tell the time; draw random numbers",
        "can say who the caller is; change request headers and the query; tell the time; compute digests, codes and signatures",
    ] {
        assert!(said.lines().any(|l| l.trim() == line), "{line}\nin\n{said}");
    }
}

#[test]
fn a_command_whose_reader_has_left_ends_without_a_word() {
    for arguments in [["completions", "bash"], ["schema", "--help"]] {
        let mut command = Command::new(binary())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        drop(command.stdout.take());
        let ended = command.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{arguments:?}");
    }
}
