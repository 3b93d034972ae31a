//! Components that must not serve, and what is said of each.

use crate::{component, load, load_bytes, spec};

#[tokio::test]
async fn a_component_that_cannot_serve_is_refused_by_step_and_item() {
    let good = component("headers.wasm");
    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    let mut flipped = good.clone();
    flipped[9] ^= 0xff;
    let filesystem = wat::parse_str(
        r#"(component (import "wasi:filesystem/types@0.2.0" (instance (export "descriptor" (type (sub resource))))))"#,
    );
    let exporting = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "greet" (func $f)))"#;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "compile: not a valid component"),
        ("text", b"hello".to_vec(), "compile: not a valid component"),
        ("cut", cut, "compile: not a valid component"),
        ("flipped", flipped, "compile: not a valid component"),
        (
            "core module",
            b"\0asm\x01\0\0\0".to_vec(),
            "compile: this is a core module",
        ),
        (
            "exports nothing",
            wat::parse_str("(component)").expect("valid"),
            "it exports nothing",
        ),
        (
            "exports else",
            wat::parse_str(exporting).expect("valid"),
            "it exports greet",
        ),
        ("imports files", filesystem.expect("valid"), "verify"),
    ];
    for (name, bytes, text) in cases {
        let said = load_bytes(bytes, spec("{}"))
            .await
            .expect_err(name)
            .to_string();
        assert!(said.contains(text), "{name}: {said}");
    }
}

#[tokio::test]
async fn every_prefix_of_a_component_is_refused() {
    let good = component("headers.wasm");
    // Some prefixes that end at a section are valid binaries; none of them exports the plugin.
    for length in (0..good.len()).step_by(good.len() / 150) {
        let cut = good[..length].to_vec();
        assert!(
            load_bytes(cut, spec("{}")).await.is_err(),
            "{length} of {} bytes",
            good.len()
        );
    }
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_named() {
    let said = load("relay.wasm", spec(r#"{"calls": []}"#))
        .await
        .expect_err("no grant")
        .to_string();
    assert!(
        said.contains("portcullis:plugin/upstream@0.1.1 (send-all), which it is not granted")
            && said.contains("grants = { upstreams"),
        "{said}"
    );
    let mut without = spec(r#"{"bots": [{"bot_id": 1}]}"#);
    without.grants.crypto = false;
    let said = load("telegram_auth.wasm", without).await;
    let said = said.expect_err("no grant").to_string();
    assert!(
        said.contains("portcullis:plugin/crypto@0.1.1 (")
            && said.contains("grants = { crypto = true }"),
        "{said}"
    );
    let files = r#"(component
        (import "wasi:filesystem/preopens@0.2.3" (instance))
        (import "wasi:sockets/tcp@0.2.3" (instance))
        (instance $i)
        (export "portcullis:plugin/filter@0.1.0" (instance $i)))"#;
    let bytes = wat::parse_str(files).expect("valid");
    let said = load_bytes(bytes, spec("{}"))
        .await
        .expect_err("not granted")
        .to_string();
    assert!(
        said.contains(
            "wasi:filesystem/preopens@0.2.3, wasi:sockets/tcp@0.2.3, which no plugin is given"
        ),
        "{said}"
    );
}

#[tokio::test]
async fn settings_and_memory_that_do_not_fit_are_refused_before_any_request() {
    let said = load("headers.wasm", spec(r#"{"reqest": {}}"#))
        .await
        .expect_err("a typo")
        .to_string();
    assert!(
        said.contains("configure: it refused its settings") && said.contains("reqest"),
        "{said}"
    );
    let mut small = spec("{}");
    small.budget.memory = 64 << 10;
    let said = load("headers.wasm", small)
        .await
        .expect_err("too little")
        .to_string();
    assert!(
        said.contains("which is 65536 bytes. Raise limits.memory"),
        "{said}"
    );
    let cyclic = r#"{"roles": {"a": {"inherits": ["b"]}, "b": {"inherits": ["a"]}}}"#;
    let said = load("rbac.wasm", spec(cyclic))
        .await
        .expect_err("a cycle")
        .to_string();
    assert!(
        said.contains("configure: it refused its settings"),
        "{said}"
    );
}
