//! Configured once, fresh every time: from when on, for whom, and for whom not.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use portcullis_exchange::{Exchange, Outcome};
use portcullis_runtime::{Artifact, Bill, Copying, Plugin, Slot, Snapshot, Spec};

use crate::{RUNTIME, component, spec};

/// Configured and in service, its snapshot still to come.
async fn served(file: &str, spec: Spec) -> Arc<Plugin> {
    let artifact = Artifact::from_bytes(file.into(), component(file));
    let verified = artifact
        .compile(&RUNTIME)
        .and_then(|compiled| compiled.verify(&RUNTIME, spec));
    let configured = verified.expect("it loads").configure().await;
    configured.expect("it takes its settings").serve()
}

async fn count(plugin: &Arc<Plugin>) -> String {
    let post = plugin.post(plugin.spec().clone(), Arc::new(Bill::default()));
    let mut request = HeaderMap::new();
    request.insert("x-do", HeaderValue::from_static("count"));
    let mut x = Exchange {
        request,
        ..Exchange::default()
    };
    let outcome = post.on_request(&mut x, &mut Slot::default()).await;
    assert!(matches!(outcome, Ok(Outcome::Next)), "{outcome:?}");
    x.request["x-count"].to_str().expect("text").to_owned()
}

// On one thread: what compiles the snapshot cannot have run before the first wait of this test.
#[tokio::test]
async fn a_plugin_serves_before_its_snapshot_is_compiled_and_from_it_afterwards() {
    let settings = r#"{"configure": "as itself, in this test alone"}"#;
    let plugin = served("unruly.wasm", spec(settings)).await;
    assert_eq!(plugin.snapshot(), Snapshot::Pending);
    assert_eq!(count(&plugin).await, "1");
    plugin.settled().await;
    assert!(
        matches!(plugin.snapshot(), Snapshot::Taken { bytes, .. } if bytes > 10_000),
        "{}",
        plugin.snapshot()
    );
    assert_eq!(count(&plugin).await, "1");

    // The same component with the same settings shares it; with others it has its own.
    let twin = served("unruly.wasm", spec(settings)).await;
    assert_eq!(twin.snapshot(), plugin.snapshot());
    let other = served("unruly.wasm", spec(r#"{"configure": "as another"}"#)).await;
    assert_eq!(other.snapshot(), Snapshot::Pending);
}

#[tokio::test]
async fn a_component_without_a_snapshot_says_why() {
    let with = |copying, kept| {
        let mut spec = spec(r#"{"configure": "print"}"#);
        (spec.copying, spec.kept) = (copying, kept);
        spec
    };
    for (copying, kept, why) in [
        (Copying::Auto, false, "does it print while configuring"),
        (Copying::Always, false, "does it print while configuring"),
        (Copying::Never, false, "`snapshot = \"never\"`"),
        (Copying::Auto, true, "configured once per kept instance"),
    ] {
        let plugin = served("unruly.wasm", with(copying, kept)).await;
        let said = plugin.snapshot().to_string();
        assert!(said.contains(why), "{copying:?}, kept {kept}: {said}");
        assert_eq!(count(&plugin).await, "1", "it serves all the same");
    }
}
