//! Copies of a configured instance are lean: they do without what no call needs, and nobody can tell.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use portcullis_exchange::{Exchange, Outcome};
use portcullis_runtime::{Artifact, Bill, CallError, Copying, Plugin, Slot, Snapshot, Spec};

use crate::{RUNTIME, component, load_bytes, spec};

/// Configured and in service, its snapshot compiled.
async fn settled(file: &str, spec: Spec) -> Arc<Plugin> {
    let artifact = Artifact::from_bytes(file.into(), component(file));
    let verified = artifact
        .compile(&RUNTIME)
        .and_then(|compiled| compiled.verify(&RUNTIME, spec));
    let configured = verified.unwrap_or_else(|error| panic!("{file}: {error}"));
    let plugin = configured.configure().await;
    let plugin = plugin.unwrap_or_else(|error| panic!("{file}: {error}"));
    let plugin = plugin.serve();
    plugin.settled().await;
    plugin
}

/// A call of a filter, and its bill.
async fn asked(
    plugin: &Arc<Plugin>,
    wish: &str,
) -> (Exchange, Result<Outcome, CallError>, Arc<Bill>) {
    let bill = Arc::new(Bill::default());
    let post = plugin.post(plugin.spec().clone(), bill.clone());
    let mut request = HeaderMap::new();
    request.insert("x-do", HeaderValue::from_str(wish).expect("a header value"));
    let mut x = Exchange {
        request,
        ..Exchange::default()
    };
    let outcome = post.on_request(&mut x, &mut Slot::default()).await;
    (x, outcome, bill)
}

#[tokio::test]
async fn copies_of_our_own_plugins_are_lean() {
    let token = r#"{"bots": [{"token": "7000000001:TEST-token"}], "query": "tma"}"#;
    for (file, settings) in [
        ("headers.wasm", "{}"),
        ("rbac.wasm", r#"{"roles": {"user": {"allow": ["GET /"]}}}"#),
        ("telegram_auth.wasm", token),
        ("unruly.wasm", "{}"),
        ("unruly_handler.wasm", "{}"),
    ] {
        let mut spec = spec(settings);
        spec.grants.imports.upstreams = true;
        let snapshot = settled(file, spec).await.snapshot();
        let Snapshot::Taken { bytes, whole: None } = snapshot else {
            panic!("{file}: {snapshot}");
        };
        assert!(bytes > 10_000, "{file}: {bytes}");
    }
}

#[tokio::test]
async fn a_copy_of_a_standard_guest_keeps_its_streams() {
    let mut spec = spec("{}");
    spec.grants.imports.upstreams = true;
    let snapshot = settled("standard.wasm", spec).await.snapshot();
    assert!(matches!(snapshot, Snapshot::Taken { .. }), "{snapshot}");
}

#[tokio::test]
async fn a_copy_answers_and_ends_as_an_instance_that_was_configured_by_itself() {
    let copied = settled("unruly.wasm", spec("{}")).await;
    let whole = settled(
        "unruly.wasm",
        Spec {
            copying: Copying::Never,
            ..spec("{}")
        },
    )
    .await;
    assert!(matches!(copied.snapshot(), Snapshot::Taken { .. }));
    for wish in [
        "environment",
        "count",
        "print",
        "print much",
        "print without end",
        "trap",
        "exit",
        "nonsense",
        "teapot",
        "inject",
        "call the host",
    ] {
        let seen = async |plugin: &Arc<Plugin>| {
            let (x, outcome, bill) = asked(plugin, wish).await;
            let outcome = match outcome {
                Ok(Outcome::Next) => "next".to_owned(),
                Ok(Outcome::Respond(reply)) => format!("{} {:?}", reply.status, reply.body),
                Err(error) => error.to_string(),
            };
            let left_out = bill.figures().dropped_log_bytes;
            (outcome, x.request, left_out)
        };
        let (copy, other) = (seen(&copied).await, seen(&whole).await);
        if wish == "print without end" {
            for (outcome, ..) in [copy, other] {
                assert!(
                    outcome.contains("it printed more than 1000 times"),
                    "{outcome}"
                );
            }
            continue;
        }
        assert_eq!(copy, other, "{wish}");
    }
}

#[tokio::test]
async fn what_a_copy_prints_is_charged_and_counted() {
    let plugin = settled("unruly.wasm", spec("{}")).await;
    let (_, outcome, bill) = asked(&plugin, "print much").await;
    assert!(matches!(outcome, Ok(Outcome::Next)), "{outcome:?}");
    let figures = bill.figures();
    // A hundred lines of 1 KiB, of which the log takes what is granted.
    assert!(figures.bytes_out >= 100 * 1025, "{}", figures.bytes_out);
    let left_out = 100 * 1025 - 4096;
    assert!(
        (left_out..left_out + 4).contains(&figures.dropped_log_bytes),
        "{}: a character is not cut",
        figures.dropped_log_bytes
    );
}

#[tokio::test]
async fn a_component_may_not_import_what_is_for_copies() {
    let guest = r#"(component
        (import "portcullis:runtime/stderr@0.1.0" (instance
            (type $text (list u8))
            (export "write" (func (param "text" $text)))))
        (instance $i)
        (export "portcullis:plugin/filter@0.1.0" (instance $i)))"#;
    let bytes = wat::parse_str(guest).expect("valid");
    let said = load_bytes(bytes, spec("{}")).await.expect_err("refused");
    let said = said.to_string();
    assert!(
        said.contains("portcullis:runtime/stderr@0.1.0, which no plugin is given"),
        "{said}"
    );
}

/// A handler whose functions are of these types, and do nothing.
fn handler(functions: &[(&str, &str)]) -> Vec<u8> {
    let lifted: Vec<String> = functions
        .iter()
        .map(|(name, parameters)| {
            format!("(func ${name} {parameters} (canon lift (core func $i \"{name}\")))")
        })
        .collect();
    let bodies: Vec<String> = functions
        .iter()
        .map(|(name, parameters)| {
            let parameters = if parameters.is_empty() {
                ""
            } else {
                "(param i32)"
            };
            format!("(func (export \"{name}\") {parameters})")
        })
        .collect();
    let exports: Vec<String> = functions
        .iter()
        .map(|(name, _)| format!("(export \"{name}\" (func ${name}))"))
        .collect();
    let text = format!(
        "(component (core module $m {}) (core instance $i (instantiate $m)) {} (instance $e {}) \
         (export \"portcullis:plugin/handler@0.1.0\" (instance $e)))",
        bodies.join(" "),
        lifted.join(" "),
        exports.join(" ")
    );
    wat::parse_str(text).expect("valid")
}

#[tokio::test]
async fn an_export_that_is_missing_or_of_another_type_is_refused_at_load() {
    for (functions, text) in [
        (
            &[("configure", "")][..],
            "verify: it exports no handle of portcullis:plugin/handler@0.1.0",
        ),
        (
            &[("handle", "")],
            "verify: it exports no configure of portcullis:plugin/handler@0.1.0",
        ),
        (
            &[("configure", ""), ("handle", "")],
            "configure: it failed: the plugin trapped: failed to convert function to given type",
        ),
        (
            &[("configure", "(param \"json\" u32)"), ("handle", "")],
            "configure: it failed: the plugin trapped: failed to convert function to given type",
        ),
    ] {
        let said = load_bytes(handler(functions), spec("{}"))
            .await
            .expect_err("refused")
            .to_string();
        assert!(said.contains(text), "{said}");
    }
}
