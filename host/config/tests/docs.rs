//! What the pages of docs/ tell people to write can be written.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use portcullis_config::parse;

/// The blocks of a page that are whole files: those with a route.
fn examples(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .filter(|block| block.contains("[[route]]"))
        .collect()
}

#[test]
fn every_example_of_the_pages_is_a_gateway_toml() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut seen = 0;
    for entry in fs::read_dir(docs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).unwrap();
        for example in examples(&page) {
            let env = |name: &str| Some(format!("{name}-0123456789abcdef"));
            let plan = parse(&path.display().to_string(), example, Path::new(""), &env);
            assert!(plan.is_ok(), "{}", plan.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen >= 2, "the pages have {seen} examples");
}
