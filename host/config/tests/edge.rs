//! What the keys of the edge mean when they are given, and when they are not.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use portcullis_config::{
    AnswerPlan, Condition, Encoding, HeadLimits, Level, Origin, Piece, Plan, RoutePlan, SplitBy,
    TypePattern, Want, parse,
};

fn plan(general: &str, route: &str) -> Plan {
    let text = format!(
        "{general}\n[upstream.u]\nservers = ['u:1']\n[upstream.v]\nservers = ['v:1']\n[[route]]\nname = 'r'\npublic = true\n{route}\n"
    );
    let plan = parse("gateway.toml", &text, Path::new("tests"), &|_| None);
    plan.unwrap_or_else(|report| panic!("{report}"))
}

fn route(general: &str, keys: &str) -> RoutePlan {
    plan(general, keys).routes[0].clone()
}

const FORWARDS: &str = "path = '/'\nupstream = 'u'";

#[test]
fn a_route_that_says_nothing_is_open_and_changes_nothing() {
    let plan = plan("", FORWARDS);
    let route = &plan.routes[0];
    assert_eq!(plan.access, route.access);
    assert!(route.access.allow.is_empty() && route.access.deny.is_empty());
    assert!(!route.maintenance.on);
    assert_eq!((&route.cors, &route.compress), (&None, &None));
    assert!(route.mirror.is_none());
    let limits = HeadLimits {
        head: 64 * 1024,
        uri: 16 * 1024,
        query: 16 * 1024,
        headers: 100,
    };
    assert_eq!((plan.listen.head_limits(), route.limits), (limits, limits));
}

#[test]
fn a_routes_own_tables_take_the_place_of_the_general_ones() {
    let general =
        "[maintenance]\non = true\nretry_after = '1h'\nmessage = 'soon'\n[cors]\norigins = ['*']\n";
    let inherits = route(general, FORWARDS);
    assert!(inherits.maintenance.on);
    assert_eq!(inherits.maintenance.retry_after, Duration::from_secs(3600));
    assert_eq!(inherits.maintenance.message.as_deref(), Some("soon"));
    assert_eq!(inherits.cors.unwrap().origins, [Origin::Any]);
    let own = format!("{FORWARDS}\nmaintenance = {{}}\ncors = {{ origins = [] }}");
    let own = route(general, &own);
    assert!(!own.maintenance.on && own.maintenance.message.is_none());
    assert!(own.cors.unwrap().origins.is_empty());
}

/// Clients with an IPv4 address are known by that one, so its network has one form wherever a network stands.
#[test]
fn a_network_of_mapped_addresses_is_the_ipv4_network() {
    for (written, meant) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.1/32"),
        ("::FFFF:7f00:1", "127.0.0.1/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("::1", "::1/128"),
        ("::fffe:0:0/96", "::fffe:0:0/96"),
        ("64:ff9b::/96", "64:ff9b::/96"),
        ("2001:db8::/32", "2001:db8::/32"),
    ] {
        let general = format!(
            "[listen]\ntrusted_proxies = ['{written}']\n[access]\nallow = ['{written}']\n[maintenance]\nallow = ['{written}']"
        );
        let keys = format!(
            "{FORWARDS}\naccess = {{ deny = ['{written}'] }}\nmaintenance = {{ allow = ['{written}'] }}"
        );
        let plan = plan(&general, &keys);
        let lists = [
            &plan.listen.trusted_proxies,
            &plan.access.allow,
            &plan.routes[0].access.deny,
            &plan.routes[0].maintenance.allow,
        ];
        for list in lists {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            assert_eq!(list, [meant], "{written}");
        }
    }
    for mixed in ["::/1", "::/64", "::/80", "::ffff:0:0/95", "::fffe:0:0/95"] {
        let text = format!("[access]\ndeny = ['{mixed}']");
        let report = parse("gateway.toml", &text, Path::new("tests"), &|_| None).unwrap_err();
        let known = report.to_string().contains(mixed);
        assert!(known, "{mixed}: {report}");
    }
}

#[test]
fn origins_are_exact_or_below_a_name_or_on_any_port() {
    let cors = "path = '/'\nupstream = 'u'\ncors = { origins = ['https://App.example:8443', 'https://*.app.example:1', 'http://localhost:*', 'capacitor://localhost'], headers = ['X-A'], max_age = '0s' }";
    let cors = route("", cors).cors.unwrap();
    let want = [
        Origin::Exact("https://app.example:8443".into()),
        Origin::Below("https://".into(), ".app.example:1".into()),
        Origin::AnyPort("http://localhost:".into()),
        Origin::Exact("capacitor://localhost".into()),
    ];
    assert_eq!(cors.origins, want);
    assert_eq!(cors.headers, ["x-a"]);
    assert_eq!(cors.max_age, Duration::ZERO);
    assert!(!cors.credentials);
}

#[test]
fn a_table_for_compression_is_for_every_route_that_does_not_refuse() {
    let table = "[compress]\nencodings = ['gzip', 'br']\ntypes = ['Text/*', 'application/*+json', 'a/b']\nlevel = 'small'\n";
    let compress = route(table, FORWARDS).compress.unwrap();
    assert_eq!(compress.encodings, [Encoding::Gzip, Encoding::Brotli]);
    let want = [
        TypePattern::Around("text/".into(), String::new()),
        TypePattern::Around("application/".into(), "+json".into()),
        TypePattern::Exact("a/b".into()),
    ];
    assert_eq!(compress.types, want);
    assert_eq!(compress.level, Level::Small);
    assert_eq!((compress.min_size, compress.concurrent), (1024, 256));
    let refuses = format!("{FORWARDS}\ncompress = false");
    assert!(route(table, &refuses).compress.is_none());
    let asks = format!("{FORWARDS}\ncompress = true");
    let defaults = route("", &asks).compress.unwrap();
    assert_eq!(
        defaults.encodings,
        [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip]
    );
    assert!(
        defaults
            .types
            .contains(&TypePattern::Exact("application/json".into()))
    );
}

#[test]
fn a_split_has_sides_with_weights_and_conditions() {
    let keys = "path = '/'\nsplit = [{ upstream = 'v', headers = { X-Canary = '1' }, cookies = { c = true } }, { upstream = 'u', weight = 3 }]";
    let route = route("", keys);
    assert_eq!(route.upstream().as_deref(), Some("v|u"));
    let AnswerPlan::Split(split) = route.answer else {
        panic!("{:?}", route.answer);
    };
    assert_eq!(split.by, SplitBy::Caller);
    let condition = |name: &str, want| Condition {
        name: name.into(),
        want,
    };
    let [first, second] = split.sides.as_slice() else {
        panic!("{:?}", split.sides);
    };
    assert_eq!(
        first.headers,
        [condition("x-canary", Want::Equals("1".into()))]
    );
    assert_eq!(first.cookies, [condition("c", Want::Present)]);
    assert_eq!((first.weight, second.weight), (0, 3));
}

#[test]
fn the_target_of_a_redirect_is_text_and_places() {
    let text = |text: &str| Piece::Text(text.into());
    let param = |name: &str| Piece::Param(name.into());
    let table = [
        (
            "/a/{id}",
            "https://x.example/{id}/y",
            vec![
                text("https://x.example"),
                text("/"),
                param("id"),
                text("/y"),
            ],
        ),
        (
            "/a/**",
            "https://x.example:8443/{rest}",
            vec![text("https://x.example:8443"), text("/"), Piece::Rest],
        ),
        ("/a", "http://[::1]:8080", vec![text("http://[::1]:8080")]),
        (
            "/a/{rest}",
            "/b?x={rest}",
            vec![text("/b?x="), param("rest")],
        ),
        ("/a", "/b", vec![text("/b")]),
    ];
    for (path, to, want) in table {
        let route = route(
            "",
            &format!("path = '{path}'\nredirect = {{ to = '{to}' }}"),
        );
        let AnswerPlan::Redirect(redirect) = route.answer else {
            panic!("{:?}", route.answer);
        };
        assert_eq!(redirect.to, want, "{to}");
        assert_eq!((redirect.status, redirect.keep_query), (308, true));
    }
}

#[test]
fn a_response_takes_its_body_from_the_text_or_from_a_file() {
    let respond = |keys: &str| match route("", &format!("path = '/'\nrespond = {keys}")).answer {
        AnswerPlan::Respond(respond) => respond,
        other => panic!("{other:?}"),
    };
    let text = respond("{ status = 404, body = 'no', headers = { X-Why = 'because' } }");
    assert_eq!((text.status, &*text.body), (404, b"no".as_slice()));
    let headers = [
        ("x-why".to_owned(), "because".to_owned()),
        (
            "content-type".to_owned(),
            "text/plain; charset=utf-8".to_owned(),
        ),
    ];
    assert_eq!(text.headers, headers);
    // `parse` was told that the file stands in tests/.
    let file = respond("{ file = 'ui/edge/respond.toml' }");
    assert!(file.body.starts_with(b"[upstream.u]"));
    assert_eq!(file.headers[0].1, "application/octet-stream");
}
