//! What the keys of limits mean; the examples of docs/limits.md are files that the gateway takes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use portcullis_config::{KeyPart, Period, Plan, RulePlan, parse};

const UPSTREAM: &str = "[upstream.u]\nservers = [\"u:1\"]\n";
const ROUTE: &str = "[[route]]\nname = \"r\"\npath = \"/\"\npublic = true\nupstream = \"u\"\n";

fn plan(text: &str) -> Plan {
    parse("gateway.toml", text, Path::new(""), &|_| None)
        .unwrap_or_else(|report| panic!("{report}"))
}

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

#[test]
fn limits_are_read_with_their_defaults() {
    let text = r#"
        [plugin.p]
        component = "p.wasm"
        [limit.site]
        per = ["client_ip", "header:X-Team"]
        limit = "100/10s"
        burst = 20
        throttle = "2s"
        ipv6_prefix = 56
        on_failure = "closed"
        [[route]]
        name = "n"
        path = "/n"
        plugins = ["p"]
        upstream = "u"
        rate_limit = [
            "site",
            { per = "caller", limit = "20/1s", algorithm = "sliding_window", dry_run = true },
            { per = ["caller", "route"], limit = "10000/day", cost = 5, headers = false },
            { per = "everyone", limit = "9/month" },
            { per = "api_key", limit = "7/1m", name = "key" },
        ]
        max_concurrent = [{ per = "caller", limit = 10 }]
    "#;
    let plan = plan(&format!("{text}\n{UPSTREAM}{ROUTE}"));
    let route = &plan.routes[0];
    let limits = &route.rate_limits;
    let names: Vec<&str> = limits.iter().map(|used| &*used.limit.name).collect();
    assert_eq!(
        names,
        [
            "site",
            "caller",
            "caller-route-day",
            "everyone-month",
            "key"
        ]
    );
    let site = &limits[0].limit;
    let (ten, second) = (Duration::from_secs(10), Duration::from_secs(1));
    let header = KeyPart::Header("x-team".to_owned());
    assert_eq!(site.per.parts, [KeyPart::ClientIp, header]);
    let gcra = |limit, per, burst| RulePlan::Gcra { limit, per, burst };
    assert_eq!(site.rule, gcra(100, ten, 20));
    assert_eq!((site.throttle, site.per.ipv6_prefix), (2 * second, 56));
    assert!(limits[0].shared && !site.fail_open && site.headers && !site.dry_run);
    let window = RulePlan::SlidingWindow {
        limit: 20,
        per: second,
    };
    assert_eq!(limits[1].limit.rule, window);
    assert!(limits[1].limit.dry_run && limits[1].limit.fail_open && !limits[1].shared);
    let quota = RulePlan::Quota {
        limit: 10_000,
        period: Period::Day,
    };
    assert_eq!((limits[2].limit.rule, limits[2].cost), (quota, 5));
    assert!(!limits[2].limit.headers);
    assert!(limits[3].limit.per.parts.is_empty() && !limits[3].limit.per.needs_caller());
    assert_eq!(limits[4].limit.per.parts, [KeyPart::ApiKey]);
    assert_eq!(limits[4].limit.rule, gcra(7, 6 * ten, 7));
    assert_eq!(limits[4].limit.max_keys, 1_000_000);
    let concurrent = &route.max_concurrent[0];
    assert_eq!(
        (&*concurrent.name, concurrent.limit),
        ("caller-concurrent", 10)
    );
    assert!(concurrent.per.needs_caller());
}
