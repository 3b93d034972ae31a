//! Where the build put what is tested, and variants of it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is a folder of the repository")
}

/// The gateway: `PORTCULLIS_BIN`, else the one built beside this test.
pub fn binary() -> PathBuf {
    env::var_os("PORTCULLIS_BIN").map_or_else(
        || {
            fresh(
                target().join("debug/portcullis"),
                "cargo build --workspace --bins",
            )
        },
        PathBuf::from,
    )
}

/// Where the gateways of all tests keep machine code: the same few components are compiled by each of them.
pub fn code_cache() -> PathBuf {
    target().join("code-cache")
}

/// The component of a shipped plugin or of one of `tests/guests`.
pub fn guest(file: &str) -> Vec<u8> {
    let path = guest_path(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where it is: in `PORTCULLIS_GUESTS`, else where the build leaves it.
pub fn guest_path(file: &str) -> PathBuf {
    env::var_os("PORTCULLIS_GUESTS").map_or_else(
        || {
            fresh(
                target().join("wasm32-wasip2/guest").join(file),
                "cargo xtask guests",
            )
        },
        |folder| PathBuf::from(folder).join(file),
    )
}

/// An artefact that is as new as every source that it was made of.
fn fresh(artefact: PathBuf, build: &str) -> PathBuf {
    if let Err(why) = is_fresh(&artefact) {
        panic!("{}: {why}; run `{build}`", artefact.display());
    }
    artefact
}

/// Cargo writes the sources of an artefact beside it (The Cargo Book, "Build cache", dep-info files), and looks at the
/// same times to tell whether it has to build.
fn is_fresh(artefact: &Path) -> Result<(), String> {
    let built = modified(artefact)?;
    let list = artefact.with_extension("d");
    let text = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let (_, sources) = text
        .split_once(": ")
        .ok_or("its list of sources is empty")?;
    for source in names(sources.trim_end()) {
        if modified(Path::new(&source))? > built {
            return Err(format!("it is older than {source}"));
        }
    }
    Ok(())
}

/// Names with spaces between them; one in a name has a backslash before it.
fn names(sources: &str) -> Vec<String> {
    let escaped = sources.replace("\\ ", "\0");
    let names = escaped.split_whitespace();
    names.map(|name| name.replace('\0', " ")).collect()
}

fn modified(file: &Path) -> Result<SystemTime, String> {
    let time = fs::metadata(file).and_then(|found| found.modified());
    time.map_err(|error| format!("{}: {error}", file.display()))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_artefact_older_than_a_source_of_its_own_is_stale() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |file: &str| folder.path().join(file);
        let (artefact, source) = (at("gate"), at("a source.rs"));
        let listed = source.display().to_string().replace(' ', "\\ ");
        fs::write(&artefact, "").expect("written");
        fs::write(&source, "").expect("written");
        fs::write(at("gate.d"), format!("gate: {listed}\n")).expect("written");
        let dated = |seconds| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let file = fs::File::options().write(true).open(&source);
            file.and_then(|file| file.set_modified(time)).expect("ours");
        };
        dated(1);
        assert_eq!(is_fresh(&artefact), Ok(()));
        dated(1 << 33);
        let stale = is_fresh(&artefact).expect_err("it is older");
        assert!(stale.contains("a source.rs"), "{stale}");
        fs::remove_file(&source).expect("ours");
        assert!(is_fresh(&artefact).is_err(), "a source is gone");
    }
}
