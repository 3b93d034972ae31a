//! The examples of docs/limits.md are files that the gateway takes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use portcullis_config::parse;

#[test]
fn the_examples_of_the_page_are_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/limits.md")).unwrap();
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(!examples.is_empty());
    for example in examples {
        let plan = parse("limits.md", example, Path::new(""), &|_| None);
        let plan = plan.unwrap_or_else(|report| panic!("{report}"));
        let search = &plan.routes[0];
        let names: Vec<&str> = search.rate_limits.iter().map(|u| &*u.limit.name).collect();
        assert_eq!(names, ["api", "client_ip", "header-x-api-key-day"]);
        assert_eq!(search.max_concurrent[0].limit, 10);
        assert_eq!(plan.routes[1].rate_limits[0].cost, 50);
    }
}
