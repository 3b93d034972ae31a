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

#[test]
fn what_a_route_with_a_split_does_not_say_of_retries_its_first_side_says() {
    let text = "[upstream.a]\nservers = ['127.0.0.1:1']\nretry = { tries = 2, per_try = '1s' }\n\
                [upstream.b]\nservers = ['127.0.0.1:2']\nretry = { tries = 5 }\n\
                [[route]]\nname = 'ab'\npath = '/ab'\npublic = true\n\
                split = [{ upstream = 'a', weight = 1 }, { upstream = 'b', weight = 9 }]\n\
                [[route]]\nname = 'ba'\npath = '/ba'\npublic = true\nretry = { per_try = '3s' }\n\
                split = [{ upstream = 'b', weight = 1 }, { upstream = 'a', weight = 9 }]\n";
    let plan = parse("x.toml", text, Path::new(""), &|_| None);
    let plan = plan.unwrap_or_else(|report| panic!("{report}"));
    let retry = |route: usize| {
        let retry = &plan.routes[route].guards.retry;
        (retry.tries, retry.per_try)
    };
    let seconds = |count| Some(Duration::from_secs(count));
    assert_eq!([retry(0), retry(1)], [(2, seconds(1)), (5, seconds(3))]);
}
