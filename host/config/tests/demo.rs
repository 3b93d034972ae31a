//! The gateway.toml at the root of the repository.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_config::{
    Audience, Balance, InstanceMode, KeyPart, LogFormat, PathPattern, Plan, PluginLimits, RulePlan,
    Segment, ServerPlan, ServerSource, Timeouts, parse, read, to_single,
};

const DEMO: &str = include_str!("../../../gateway.toml");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn demo(env: &dyn Fn(&str) -> Option<String>) -> Plan {
    parse("gateway.toml", DEMO, &root(), env).unwrap_or_else(|report| panic!("{report}"))
}

fn path(text: &str, segments: &[Segment]) -> PathPattern {
    PathPattern {
        text: text.to_owned(),
        segments: segments.to_vec(),
        open: false,
    }
}

fn literal(text: &str) -> Segment {
    Segment::Literal(text.to_owned())
}

#[test]
fn the_demo_parses_to_the_expected_listeners() {
    let plan = demo(&|_| None);
    assert_eq!(plan.listen.http, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(plan.listen.h2c, Some("127.0.0.1:8082".parse().unwrap()));
    assert_eq!(plan.listen.https, Some("127.0.0.1:8443".parse().unwrap()));
    assert_eq!(plan.tls.unwrap().self_signed, ["localhost", "127.0.0.1"]);
    assert_eq!(plan.listen.admin, "127.0.0.1:9901".parse().unwrap());
    assert!(plan.listen.trusted_proxies.is_empty());
    assert!(plan.listen.workers >= 1);
    assert_eq!(plan.listen.max_connections, 10_000);
    assert_eq!(plan.listen.max_head, 64 * 1024);
    assert_eq!(plan.listen.drain, Duration::from_secs(10));
    assert!(plan.log.access);
    assert_eq!(plan.log.format, LogFormat::Auto);
    let want = Timeouts {
        head: Duration::from_secs(10),
        keep_alive: Duration::from_secs(60),
        connect: Duration::from_secs(1),
        first_byte: Duration::from_secs(15),
        idle: Duration::from_secs(60),
        total: Duration::from_secs(120),
    };
    assert_eq!(plan.timeouts, want);
}

#[test]
fn the_demo_parses_to_the_expected_plugins() {
    let plan = demo(&|_| None);
    assert_eq!(plan.plugins.folder, root().join("plugins.d"));
    assert_eq!(plan.plugins.instances, 1000);
    let names: Vec<_> = plan.plugin.keys().map(AsRef::as_ref).collect();
    assert_eq!(
        names,
        [
            "bearer",
            "dashboard",
            "players",
            "raid_schema",
            "rules",
            "service_keys",
            "session",
            "stamp",
            "telegram",
            "to_python"
        ]
    );
    let telegram = &plan.plugin["telegram"];
    assert_eq!(telegram.component, "telegram_auth.wasm");
    assert_eq!(
        &DEMO[telegram.component_span.start..telegram.component_span.end],
        "\"telegram_auth.wasm\""
    );
    assert_eq!(&DEMO[telegram.span.start..telegram.span.end], "telegram");
    assert_eq!(telegram.instance, InstanceMode::Fresh);
    let limits = PluginLimits {
        memory: 16 << 20,
        time: Duration::from_millis(50),
        cpu: Duration::from_millis(50),
        host_calls: 1000,
        bytes_in: 32 << 20,
        bytes_out: 32 << 20,
        concurrent: 1000,
    };
    assert_eq!(telegram.given.limits, limits);
    assert_eq!(
        plan.plugin["rules"].given.limits, limits,
        "the demo writes the defaults out"
    );
    assert!(telegram.given.grants.upstreams.is_empty());
    let settings: serde_json::Value = serde_json::from_str(telegram.settings.expose()).unwrap();
    assert_eq!(
        settings["bots"][0]["token"],
        "7000000001:DEMO-token-for-local-use-only-000000"
    );
    assert_eq!(settings["admin_ids"], "1");
    let stamp: serde_json::Value =
        serde_json::from_str(plan.plugin["stamp"].settings.expose()).unwrap();
    assert_eq!(stamp["request"]["set"]["x-user-id"], "${caller.id}");
}

#[test]
fn the_demo_parses_to_the_expected_upstreams() {
    let plan = demo(&|_| None);
    let names: Vec<_> = plan.upstream.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["mentions", "raids", "users"]);
    let users = &plan.upstream["users"];
    let server = |address: &str| ServerPlan {
        source: ServerSource::Address(address.to_owned()),
        weight: 1,
        zone: None,
        priority: 0,
    };
    assert_eq!(
        users.servers,
        [server("127.0.0.1:9101"), server("127.0.0.1:9102")]
    );
    assert_eq!(users.balance, Balance::RoundRobin);
    assert_eq!(users.timeouts, plan.timeouts);
    assert_eq!(users.eject.base, Duration::from_secs(10));
    assert_eq!(users.keep_alive, 64);
    assert!(users.preserve_host);
}

#[test]
fn the_demo_parses_to_the_expected_routes() {
    let plan = demo(&|_| None);
    let names: Vec<_> = plan
        .routes
        .iter()
        .map(|route| route.name.as_ref())
        .collect();
    assert_eq!(
        names,
        [
            "hello",
            "news",
            "limited",
            "users",
            "players",
            "raids",
            "new-raid",
            "raid",
            "service-raids",
            "mentions",
            "mention-events",
            "dashboard",
            "session"
        ]
    );
    let hello = &plan.routes[0];
    assert!(hello.public);
    assert!(hello.plugins.is_empty());
    assert!(hello.hosts.is_empty() && hello.headers.is_empty() && hello.query.is_empty());
    assert_eq!(
        hello.path,
        path("/public/hello", &[literal("public"), literal("hello")])
    );
    assert_eq!(hello.max_body, 10 << 20);
    let news = plan.routes[1].cache.expect("the news are stored");
    assert_eq!(
        (news.ttl, news.audience),
        (Some(Duration::from_secs(5)), Audience::Everyone)
    );
    assert!(hello.cache.is_none());
    let limited = &plan.routes[2].rate_limits[0];
    let window = RulePlan::SlidingWindow {
        limit: 5,
        per: Duration::from_secs(10),
    };
    assert_eq!((limited.limit.rule, limited.cost), (window, 1));
    assert_eq!(limited.limit.per.parts, [KeyPart::ClientIp]);
    let users = &plan.routes[3];
    let id = Segment::Param("id".to_owned());
    assert_eq!(
        users.path,
        path("/api/users/{id}", &[literal("api"), literal("users"), id])
    );
    assert_eq!(users.methods, ["GET", "PUT"]);
    assert!(!users.public);
    let chain: Vec<_> = users
        .plugins
        .iter()
        .map(|plugin| plugin.name.as_ref())
        .collect();
    assert_eq!(chain, ["telegram", "bearer", "rules", "stamp"]);
    let span = users.plugins[0].span;
    assert_eq!(&DEMO[span.start..span.end], "\"telegram\"");
    assert_eq!(users.upstream().as_deref(), Some("users"));
}

#[test]
fn a_secret_comes_from_the_environment_and_stays_out_of_debug() {
    let plan = demo(&|name| (name == "BOT_TOKEN").then(|| "hunter2".to_owned()));
    assert!(
        plan.plugin["telegram"]
            .settings
            .expose()
            .contains("hunter2")
    );
    let debug = format!("{plan:?} {plan:#?}");
    assert!(!debug.contains("hunter2"));
    assert!(
        !debug.contains("DEMO-token"),
        "the text of the file is not shown either"
    );
}

#[test]
fn the_demo_is_read_from_its_path() {
    let plan = read(&root().join("gateway.toml")).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(plan.routes.len(), 13);
}

#[test]
fn a_file_that_cannot_be_read_is_one_mistake() {
    let report = read(Path::new("no/such/gateway.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        report.starts_with("no/such/gateway.toml: error: the file cannot be read: "),
        "{report}"
    );
}

#[test]
fn to_single_is_one_public_route_for_everything() {
    let plan = to_single("http://localhost:3000", "127.0.0.1:0".parse().unwrap()).unwrap();
    assert_eq!(plan.routes.len(), 1);
    let route = &plan.routes[0];
    assert!(route.public && route.path.open && route.path.segments.is_empty());
    assert_eq!(
        plan.upstream["to"].servers[0].source.to_string(),
        "localhost:3000"
    );
    assert_eq!(plan.listen.http, "127.0.0.1:0".parse().unwrap());
    let table = [
        ("http://[::1]:1/", "[::1]:1"),
        ("http://a.b", "a.b:80"),
        ("127.0.0.1:9", "127.0.0.1:9"),
    ];
    for (url, address) in table {
        let plan = to_single(url, "127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(
            plan.upstream["to"].servers[0].source.to_string(),
            address,
            "{url}"
        );
    }
    let wrong = [
        "",
        "http://",
        "https://a:1",
        "ftp://a:1",
        "http://a:1/b",
        "http://u@a:1",
        "http://a:0",
        "http://a b:1",
    ];
    for url in wrong {
        assert!(
            to_single(url, "127.0.0.1:0".parse().unwrap()).is_err(),
            "{url}"
        );
    }
}
