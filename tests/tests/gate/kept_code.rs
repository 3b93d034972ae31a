//! Machine code that is kept between starts: used as it was written, and never otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::upstream::echo::Echo;

/// A gateway with one plugin that keeps its machine code here.
async fn start(echo: &Echo, folder: &Path) -> Gateway {
    let toml = format!(
        r#"
[plugins]
cache = "{}"

[plugin.stamp]
component = "headers.wasm"
settings.response.set = {{ x-seen = "yes" }}

[upstream.echo]
servers = ["{}"]

[[route]]
name = "a"
path = "/a"
public = true
plugins = ["stamp"]
upstream = "echo"
"#,
        folder.display(),
        echo.address()
    );
    let setup = Setup::new(&toml).plugin("headers.wasm", guest("headers.wasm"));
    setup.start().await
}

/// Starts a gateway, sees that its plugin works and that its machine code came from there, and ends it.
async fn serves(echo: &Echo, folder: &Path, outcome: &str) {
    let mut gateway = start(echo, folder).await;
    let answer = gateway.get("/a", &[]).await;
    assert_eq!(answer.header("x-seen"), Some("yes"));
    for other in ["kept", "compiled", "other_version", "rejected"] {
        let sample = format!("portcullis_plugin_code_total{{outcome=\"{other}\"}}");
        let count = gateway.metric(&sample).await;
        assert_eq!(count, Some(u64::from(other == outcome)), "{sample}");
    }
    gateway.stop();
}

/// The one file of machine code.
fn code(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut code = paths.filter(|path| path.extension().is_some_and(|end| end == "code"));
    let first = code.next().expect("some code is kept");
    assert_eq!(code.next(), None, "a snapshot is not kept");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_was_tampered_with_is_compiled_again_and_counted() {
    let (echo, folder) = (Echo::start("echo").await, tempfile::tempdir());
    let folder = folder.expect("a temporary directory");
    let folder = folder.path().join("code");
    serves(&echo, &folder, "compiled").await;
    serves(&echo, &folder, "kept").await;

    let file = code(&folder);
    let whole = fs::read(&file).expect("it can be read");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b""] {
        fs::write(&file, damaged).expect("it can be written");
        serves(&echo, &folder, "rejected").await;
        serves(&echo, &folder, "kept").await;
    }

    // Another key is another installation.
    let key = folder.join("key");
    fs::write(&key, [7; 32]).expect("it can be written");
    serves(&echo, &folder, "rejected").await;
    serves(&echo, &folder, "kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_read_the_key() {
    let (echo, folder) = (Echo::start("echo").await, tempfile::tempdir());
    let folder = folder.expect("a temporary directory");
    let folder = folder.path().join("code");
    serves(&echo, &folder, "compiled").await;
    let key = folder.join("key");
    let mode = |path: &Path| {
        let meta = fs::metadata(path).expect("it is there");
        meta.permissions().mode() & 0o777
    };
    assert_eq!((mode(&folder), mode(&key)), (0o700, 0o600));
    assert_eq!(mode(&code(&folder)), 0o600);
}
