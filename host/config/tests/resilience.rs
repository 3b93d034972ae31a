//! What the keys of guards mean; the example of docs/resilience.md is a file that the gateway takes, and means what the
//! page says.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use portcullis_config::{
    Breaker, Bulkhead, Overload, Plan, Priority, Retry, RetryBudget, RouteGuards, UpstreamGuards,
    parse,
};

const UPSTREAM: &str = "[upstream.u]\nservers = [\"u:1\"]\n";
const ROUTE: &str = "[[route]]\nname = \"r\"\npath = \"/\"\npublic = true\nupstream = \"u\"\n";

fn plan(text: &str) -> Plan {
    parse("gateway.toml", text, Path::new(""), &|_| None)
        .unwrap_or_else(|report| panic!("{report}"))
}

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

#[test]
fn the_guards_of_an_upstream_and_a_route_are_read() {
    let plan = plan(
        r#"
        [timeouts]
        deadline_header = "X-Timeout-Ms"
        [overload]
        in_flight = 500
        lag = "100ms"
        memory = "1GiB"
        [upstream.u]
        servers = ["u:1"]
        retry = { tries = 4, on = [502, 503], per_try = "2s", hedge_after = "50ms", max_body = "1KiB" }
        retry_budget = { share = "10%", min_per_second = 3 }
        breaker = { errors = "25%", probes = 5 }
        max_in_flight = 100
        queue = 20
        queue_timeout = "250ms"
        [[route]]
        name = "r"
        path = "/"
        public = true
        upstream = "u"
        retry = { on = [], hedge_after = "0s", back_off = "5ms" }
        deadline = "3s"
        priority = "critical"
        max_in_flight = 7
        "#,
    );
    assert_eq!(plan.deadline_header.as_deref(), Some("x-timeout-ms"));
    let overload = Overload {
        in_flight: Some(500),
        lag: Some(Duration::from_millis(100)),
        memory: Some(1 << 30),
    };
    assert_eq!(plan.overload, overload);
    let retry = Retry {
        tries: 4,
        on: vec![502, 503],
        per_try: Some(Duration::from_secs(2)),
        hedge_after: Some(Duration::from_millis(50)),
        back_off: Duration::from_millis(25),
        max_back_off: Duration::from_secs(1),
        max_body: 1024,
    };
    let bulkhead = |max_in_flight, queue, millis| {
        Some(Bulkhead {
            max_in_flight,
            queue,
            queue_timeout: Duration::from_millis(millis),
        })
    };
    let upstream = UpstreamGuards {
        retry: retry.clone(),
        budget: RetryBudget {
            percent: 10,
            min_per_second: 3,
        },
        breaker: Some(Breaker {
            errors: 25,
            window: Duration::from_secs(10),
            min_requests: 20,
            open_for: Duration::from_secs(5),
            probes: 5,
        }),
        bulkhead: bulkhead(100, 20, 250),
    };
    assert_eq!(plan.upstream["u"].guards, upstream);
    let route = RouteGuards {
        retry: Retry {
            on: Vec::new(),
            hedge_after: None,
            back_off: Duration::from_millis(5),
            ..retry
        },
        bulkhead: bulkhead(7, 0, 1000),
        deadline: Some(Duration::from_secs(3)),
        priority: Priority::Critical,
    };
    assert_eq!(plan.routes[0].guards, route);
}

#[test]
fn without_a_word_there_are_three_tries_within_a_budget_and_no_other_guard() {
    let plan = plan(&format!("{UPSTREAM}{ROUTE}"));
    let guards = &plan.upstream["u"].guards;
    assert_eq!((guards.retry.tries, guards.retry.per_try), (3, None));
    assert_eq!(
        (guards.budget.percent, guards.budget.min_per_second),
        (20, 10)
    );
    assert_eq!((guards.breaker, guards.bulkhead), (None, None));
    assert_eq!(plan.routes[0].guards.retry, guards.retry);
    assert_eq!(plan.routes[0].guards.priority, Priority::Normal);
    assert_eq!(plan.overload, Overload::default());
}
