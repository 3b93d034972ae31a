//! What the keys mean when they are given: the demo shows little more than defaults.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_config::{
    AnswerPlan, Balance, Condition, HashBy, InstanceMode, LogFormat, Plan, Segment, Want, parse,
    to_single,
};

const UPSTREAM: &str = "[upstream.u]\nservers = [\"u:1\"]\n";
const ROUTE: &str = "[[route]]\nname = \"r\"\npath = \"/\"\npublic = true\nupstream = \"u\"\n";

fn plan(text: &str) -> Plan {
    plan_in(Path::new("etc"), text)
}

fn plan_in(dir: &Path, text: &str) -> Plan {
    let env = |name: &str| (name == "SET").then(|| "from the environment".to_owned());
    parse("gateway.toml", text, dir, &env).unwrap_or_else(|report| panic!("{report}"))
}

fn settings(dir: &Path, settings: &str) -> serde_json::Value {
    let text =
        format!("[plugin.p]\ncomponent = \"p.wasm\"\nsettings = {settings}\n{UPSTREAM}{ROUTE}");
    serde_json::from_str(plan_in(dir, &text).plugin["p"].settings.expose()).unwrap()
}

/// A directory of this test, empty.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn general_tables_are_read() {
    let general = r#"
        [listen]
        http = "0.0.0.0:80"
        admin = "[::1]:81"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        workers = 3
        max_connections = 7
        max_head = "8KB"
        drain = "0s"
        [log]
        access = false
        format = "text"
        [plugins]
        folder = "/srv/plugins"
        instances = 1
    "#;
    let plan = plan(&format!("{general}\n{UPSTREAM}{ROUTE}"));
    assert_eq!(plan.listen.http, "0.0.0.0:80".parse().unwrap());
    assert_eq!(plan.listen.h2c, None);
    assert_eq!(plan.listen.admin, "[::1]:81".parse().unwrap());
    assert_eq!(
        plan.listen.trusted_proxies,
        ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]
    );
    assert_eq!(
        (
            plan.listen.workers,
            plan.listen.max_connections,
            plan.listen.max_head
        ),
        (3, 7, 8000)
    );
    assert_eq!(plan.listen.drain, Duration::ZERO);
    assert!(!plan.log.access);
    assert_eq!(plan.log.format, LogFormat::Text);
    assert_eq!(plan.plugins.folder, Path::new("/srv/plugins"));
    assert_eq!(plan.plugins.instances, 1);
}

#[test]
fn a_plugin_is_read_with_its_limits_and_grants() {
    let text = r#"
        [plugin.p]
        component = "p.wasm"
        instance = "kept"
        limits = { memory = "64KiB", time = "2s", host_calls = 0 }
        on_failure = "open"
        grants.upstreams = ["u", { name = "v", methods = ["GET"], paths = ["/a/*", "/b/**"] }]
        grants.buckets = { tries = "5/1m" }
        grants.state = ["seen"]
        grants.clock = true
        [upstream.v]
        servers = ["a:1"]
    "#;
    let plan = plan(&format!("{text}\n{UPSTREAM}{ROUTE}"));
    let plugin = &plan.plugin["p"];
    assert_eq!(plugin.instance, InstanceMode::Kept);
    let portcullis_config::plan::Given {
        limits,
        grants,
        fail_open,
        ..
    } = &plugin.given;
    assert!(*fail_open);
    assert_eq!((limits.memory, limits.host_calls), (65_536, 0));
    assert_eq!(limits.time, Duration::from_secs(2));
    assert_eq!(limits.cpu, Duration::from_millis(50), "the default");
    assert_eq!(limits.concurrent, 1000, "as many as the pool has");
    let names: Vec<&str> = grants.upstreams.iter().map(|u| &*u.name).collect();
    assert_eq!(names, ["u", "v"]);
    assert_eq!(grants.upstreams[1].paths, ["/a/*", "/b/**"]);
    assert_eq!(grants.calls, 16, "the default where there are upstreams");
    let bucket = &grants.buckets[0];
    assert_eq!((bucket.size, bucket.per), (5, Duration::from_secs(60)));
    assert!(grants.clock && !grants.random && grants.log == 0);
    assert_eq!(plugin.settings.expose(), "{}");
    assert_eq!(plan.plugins.folder, Path::new("etc/plugins.d"));
}

#[test]
fn a_route_narrows_what_a_plugin_is_given() {
    let text = r#"
        [plugin.p]
        component = "p.wasm"
        limits = { time = "2s" }
        grants = { upstreams = ["u"], log = "4KiB" }
        [[route]]
        name = "n"
        path = "/n"
        server_timing = true
        plugins = [{ name = "p", limits = { time = "1s" }, grants = { upstreams = [] }, on_failure = "open" }]
    "#;
    let plan = plan(&format!("{text}\n{UPSTREAM}"));
    assert!(plan.routes[0].server_timing);
    let own = &plan.plugin["p"].given;
    let given = plan.routes[0].plugins[0].narrowed.as_ref().unwrap();
    assert_eq!(given.limits.time, Duration::from_secs(1));
    assert_eq!(given.limits.memory, own.limits.memory);
    assert!(given.grants.upstreams.is_empty());
    assert_eq!(given.grants.log, 4096);
    assert!(given.fail_open && !own.fail_open);
}

#[test]
fn an_upstream_overrides_single_timeouts() {
    let text = r#"
        [timeouts]
        total = "5m"
        [upstream.u]
        servers = ["a:1", { address = "[::1]:2", weight = 3 }]
        timeouts = { connect = "3s", idle = "1h" }
        eject = { base = "0s" }
        keep_alive = 0
        preserve_host = false
    "#;
    let plan = plan(&format!("{text}\n{ROUTE}"));
    let upstream = &plan.upstream["u"];
    assert_eq!(upstream.timeouts.connect, Duration::from_secs(3));
    assert_eq!(upstream.timeouts.idle, Duration::from_secs(3600));
    assert_eq!(upstream.timeouts.total, Duration::from_secs(300));
    assert_eq!(upstream.timeouts.first_byte, Duration::from_secs(15));
    let servers: Vec<_> = upstream
        .servers
        .iter()
        .map(|s| (s.source.to_string(), s.weight))
        .collect();
    assert_eq!(servers, [("a:1".to_owned(), 1), ("[::1]:2".to_owned(), 3)]);
    assert_eq!(
        (
            upstream.eject.base,
            upstream.keep_alive,
            upstream.preserve_host
        ),
        (Duration::ZERO, 0, false)
    );
}

#[test]
fn every_way_to_balance_is_read() {
    let table = [
        ("", Balance::RoundRobin),
        ("balance = 'round_robin'", Balance::RoundRobin),
        ("balance = 'least_connections'", Balance::LeastConnections),
        ("balance = 'power_of_two'", Balance::PowerOfTwo),
        ("balance = 'ewma'", Balance::Ewma),
        ("balance = 'peak_ewma'", Balance::PeakEwma),
        (
            "balance = 'hash'\nhash_by = 'caller'",
            Balance::Hash(HashBy::Caller),
        ),
        (
            "balance = 'hash'\nhash_by = 'client_ip'",
            Balance::Hash(HashBy::ClientIp),
        ),
        (
            "balance = 'hash'\nhash_by = 'header:X-Room'",
            Balance::Hash(HashBy::Header("x-room".to_owned())),
        ),
    ];
    for (lines, balance) in table {
        assert_eq!(
            plan(&format!("{UPSTREAM}{lines}\n{ROUTE}")).upstream["u"].balance,
            balance,
            "{lines}"
        );
    }
}

#[test]
fn conditions_and_hosts_are_normalised() {
    let lines = r#"
        host = ["API.example.com", "*.example.org"]
        headers = { X-B = "1", x-a = false }
        query = { v = true }
        max_body = "0B"
    "#;
    let plan = plan(&format!("{UPSTREAM}{ROUTE}{lines}"));
    let route = &plan.routes[0];
    assert_eq!(route.hosts, ["api.example.com", "*.example.org"]);
    let condition = |name: &str, want| Condition {
        name: name.to_owned(),
        want,
    };
    let headers = [
        condition("x-a", Want::Absent),
        condition("x-b", Want::Equals("1".to_owned())),
    ];
    assert_eq!(route.headers, headers);
    assert_eq!(route.query, [condition("v", Want::Present)]);
    assert_eq!(route.max_body, 0);
}

#[test]
fn routes_that_differ_in_one_thing_are_no_conflict() {
    let lines = [
        "path = '/a'",
        "path = '/a/{id}'",
        "path = '/a/{id}'\nhost = 'a.com'",
        "path = '/a/{id}'\nheaders = { x-a = '1' }",
        "path = '/a/{id}'\nheaders = { x-a = '2' }",
        "path = '/a/{id}'\nquery = { v = true }",
        "prefix = '/a'",
        "path = '/b'\nmethods = ['GET']",
        "path = '/b'\nmethods = ['POST', 'PUT']",
    ];
    let routes = lines.iter().enumerate().map(|(n, lines)| {
        format!("[[route]]\nname = 'r{n}'\n{lines}\npublic = true\nupstream = 'u'\n")
    });
    let plan = plan(&format!("{UPSTREAM}{}", routes.collect::<String>()));
    assert_eq!(plan.routes.len(), lines.len());
    assert!(plan.routes[6].path.open);
    assert_eq!(
        plan.routes[6].path.segments,
        [Segment::Literal("a".to_owned())]
    );
}

#[test]
fn a_plugin_may_answer_in_place_of_an_upstream() {
    let text =
        "[plugin.p]\ncomponent = 'p.wasm'\n[[route]]\nname = 'r'\npath = '/'\nplugins = ['p']\n";
    assert_eq!(plan(text).routes[0].answer, AnswerPlan::Plugin);
}

#[test]
fn settings_become_json() {
    let seen = settings(
        Path::new(""),
        "{ a = [1, 2.5, true, 'x'], b = { c = 0xff }, d = 18446744073709551615 }",
    );
    let want = serde_json::json!({ "a": [1, 2.5, true, "x"], "b": { "c": 255 }, "d": u64::MAX });
    assert_eq!(seen, want);
}

#[test]
fn secrets_are_put_in_their_places_at_any_depth() {
    let dir = folder("secrets");
    fs::write(dir.join("unix"), "one\ntwo\n").unwrap();
    fs::write(dir.join("dos"), "three\r\n").unwrap();
    fs::write(dir.join("bare"), "four").unwrap();
    let seen = settings(
        &dir,
        r#"{
            a = { env = "SET", default = "unused" },
            b = [{ c = { env = "UNSET", default = "a default" } }, { file = "unix" }],
            d = { e = { file = "dos" }, f = { file = "bare" } },
        }"#,
    );
    let want = serde_json::json!({
        "a": "from the environment",
        "b": [{ "c": "a default" }, "one\ntwo"],
        "d": { "e": "three", "f": "four" },
    });
    assert_eq!(seen, want);
}

#[test]
fn a_file_that_is_no_text_is_a_mistake() {
    let dir = folder("no_text");
    fs::write(dir.join("gateway.toml"), b"# fine\n# \xff\n").unwrap();
    let report = portcullis_config::read(&dir.join("gateway.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        report.contains("error: line 2 is not UTF-8 text"),
        "{report}"
    );
    fs::write(dir.join("key"), b"\xff\xfe").unwrap();
    let text = format!(
        "{UPSTREAM}{ROUTE}[plugin.p]\ncomponent = 'p.wasm'\nsettings.k = {{ file = 'key' }}\n"
    );
    let report = parse("gateway.toml", &text, &dir, &|_| None)
        .unwrap_err()
        .to_string();
    assert!(
        report.contains("the file `key` cannot be read: it is not UTF-8 text"),
        "{report}"
    );
}

#[test]
fn what_is_wrong_with_a_url_is_shown_in_it() {
    let told = |url| {
        to_single(url, ([127, 0, 0, 1], 0).into())
            .unwrap_err()
            .to_string()
    };
    let want = "--to:1:1: error: only a host and a port can stand here\n    1 | http://a:1/api\n      \
                | ^^^^^^^^^^^^^^\n   hint: requests keep the path they came with; write it like \
                http://127.0.0.1:3000\n1 mistake; nothing was changed";
    assert_eq!(told("http://a:1/api"), want);
    assert!(told("https://a:1").contains("servers are spoken to in clear text"));
    assert!(told("ftp://a:1").contains("`ftp` is not a scheme for servers"));
}
