//! The example of docs/resilience.md is a file that the gateway takes, and means what the page says.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use portcullis_config::{Priority, parse};

#[test]
fn the_example_of_the_page_is_a_good_gateway_toml() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/resilience.md");
    let page = std::fs::read_to_string(page).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let plan = parse("resilience.md", example, Path::new(""), &|_| None);
    let plan = plan.unwrap_or_else(|report| panic!("{report}"));
    let priorities = plan.routes.iter().map(|route| route.guards.priority);
    let wanted = [Priority::Normal, Priority::Critical, Priority::Low];
    assert!(priorities.eq(wanted));
    let login = &plan.routes[1].guards.retry;
    assert_eq!((login.per_try, login.tries), (None, 3));
    assert_eq!(login.hedge_after, Some(Duration::from_millis(150)));
}
