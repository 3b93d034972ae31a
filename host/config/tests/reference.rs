#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

#[test]
fn the_committed_reference_is_the_one_made_from_the_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let want = portcullis_config::reference();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &want).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == want,
        "docs/config.md is stale; UPDATE=1 cargo test writes it again"
    );
}
