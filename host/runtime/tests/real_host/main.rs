//! Built components in the real runtime. `cargo xtask guests` (or `test`) builds them first.

mod abi;
mod aggregate;
mod bodies;
mod lean;
mod limits;
mod loading;
mod shipped;
mod snapshots;
mod standard;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use portcullis_runtime::{
    Artifact, Bill, Budget, Copying, EngineOptions, Grants, LoadError, Post, Runtime, SecretText,
    Spec,
};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let options = EngineOptions {
        instances: 64,
        max_memory: 256 << 20,
        cache: Some(target().join("code-cache")),
    };
    Runtime::new(options).expect("an engine")
});

/// Cargo's target directory.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the system knows the executable");
    let target = test.ancestors().nth(3);
    target.expect("<target>/<profile>/deps/<test>").to_owned()
}

/// A component that xtask built.
fn component(file: &str) -> Vec<u8> {
    let folder = std::env::var_os("PORTCULLIS_GUESTS")
        .map(PathBuf::from)
        .unwrap_or_else(|| target().join("wasm32-wasip2/guest"));
    let path = folder.join(file);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}. Run `cargo xtask guests` first",
            path.display()
        )
    })
}

fn spec(settings: &str) -> Spec {
    Spec {
        name: "under-test".into(),
        settings: SecretText(settings.to_owned()),
        grants: Grants {
            clock: true,
            crypto: true,
            log: 4096,
            ..Grants::default()
        },
        budget: Budget {
            memory: 16 << 20,
            time: Duration::from_millis(500),
            cpu: Duration::from_millis(500),
            host_calls: 1000,
            bytes_in: 16 << 20,
            bytes_out: 16 << 20,
            concurrent: 64,
        },
        kept: false,
        copying: Copying::Auto,
        fail_open: false,
    }
}

async fn load_bytes(bytes: Vec<u8>, spec: Spec) -> Result<Arc<Post>, LoadError> {
    let artifact = Artifact::from_bytes("test.wasm".into(), bytes);
    let verified = artifact.compile(&RUNTIME)?.verify(&RUNTIME, spec)?;
    let plugin = verified.configure().await?.serve();
    plugin.settled().await;
    let spec = plugin.spec().clone();
    Ok(plugin.post(spec, Arc::new(Bill::default())))
}

async fn load(file: &str, spec: Spec) -> Result<Arc<Post>, LoadError> {
    load_bytes(component(file), spec).await
}
