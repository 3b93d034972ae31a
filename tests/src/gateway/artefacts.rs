//! Where the build put what is tested, and variants of it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is a folder of the repository")
}

/// The gateway: `PORTCULLIS_BIN`, else the one built beside this test.
pub fn binary() -> PathBuf {
    env::var_os("PORTCULLIS_BIN").map_or_else(|| target().join("debug/portcullis"), PathBuf::from)
}

/// Where the gateways of all tests keep machine code: the same few components are compiled by each of them.
pub fn code_cache() -> PathBuf {
    target().join("code-cache")
}

/// A shipped plugin from `PORTCULLIS_GUESTS`, else from the build.
pub fn guest(file: &str) -> Vec<u8> {
    let folder = env::var_os("PORTCULLIS_GUESTS").map(PathBuf::from);
    let path = folder
        .unwrap_or_else(|| target().join("wasm32-wasip2/guest"))
        .join(file);
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build it with `cargo xtask guests`",
            path.display()
        )
    })
}

/// The same component with one more custom section: another digest, the same behaviour.
pub fn with_custom_section(component: &[u8], text: &str) -> Vec<u8> {
    const NAME: &[u8] = b"edition";
    let size = 1 + NAME.len() + text.len();
    // One byte of LEB128 each, which the sizes here fit.
    assert!(size < 128, "the text is short");
    let byte = |number: usize| u8::try_from(number).expect("checked above");
    let mut bytes = component.to_vec();
    bytes.extend([0, byte(size), byte(NAME.len())]);
    bytes.extend(NAME);
    bytes.extend(text.as_bytes());
    bytes
}

/// What /plugins calls the bytes of a component.
pub fn digest(component: &[u8]) -> String {
    hex::encode(Sha256::digest(component))
}

/// The target directory: this test's own executable is `<target>/debug/deps/…`.
pub fn target() -> PathBuf {
    let executable = env::current_exe().expect("the system knows the executable");
    executable
        .ancestors()
        .nth(3)
        .expect("cargo puts tests three levels deep")
        .to_owned()
}
