//! One caller's data never reaches another: tried with every kind of request at once, over responses whose headers
//! tempt a cache to share them.

use portcullis_tests::client::{Answer, plain};
use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::telegram::authorization;
use portcullis_tests::upstream::origin::{Asked, Origin, Says};
use tokio::task::JoinSet;

use super::is_stored;

type Lines = &'static [(&'static str, &'static str)];

/// Headers that none of the routes may share a response by.
const NEVER: &[&[(&str, &str)]] = &[
    &[("cache-control", "max-age=60, private")],
    &[("cache-control", "no-store")],
    &[("cache-control", "max-age=60"), ("set-cookie", "session=1")],
    &[
        ("cache-control", "public, max-age=60"),
        ("set-cookie", "session=1"),
    ],
    &[("cache-control", "no-cache"), ("etag", "\"same\"")],
    &[("etag", "\"same\"")],
    &[("cache-control", "max-age=0"), ("etag", "\"same\"")],
    &[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
    &[("vary", "authorization, cookie"), ("etag", "\"same\"")],
    &[("cache-control", "max-age=60"), ("vary", "*")],
    &[],
];
/// Where the caller is known: to be shared only if the response says so.
const BY_CALLER: &[&[(&str, &str)]] = &[
    &[("cache-control", "max-age=60")],
    &[("cache-control", "max-age=0, stale-while-revalidate=60")],
    &[("expires", "Thu, 01 Jan 2099 00:00:00 GMT")],
    // The filter takes the credential out: as forwarded, no two requests differ in it.
    &[
        ("cache-control", "public, max-age=60"),
        ("vary", "authorization"),
    ],
    &[("cache-control", "public, max-age=60"), ("vary", "cookie")],
    &[
        ("cache-control", "public, max-age=60"),
        ("vary", "x-user-id"),
    ],
    &[
        ("cache-control", "public, no-cache"),
        ("etag", "\"same\""),
        ("vary", "x-user-id"),
    ],
];
/// Keyed by caller: not even those.
const BY_KEY: &[&[(&str, &str)]] = &[
    &[("cache-control", "public, max-age=60")],
    &[("cache-control", "s-maxage=60")],
    &[("cache-control", "public, no-cache"), ("etag", "\"same\"")],
];
const USERS: [u64; 4] = [1, 2, 12, 42];

/// What a client sends beside its credential.
const REQUESTS: &[(&str, &str, Lines)] = &[
    ("GET", "", &[]),
    ("GET", "", &[]),
    ("HEAD", "", &[]),
    ("GET", "", &[("range", "bytes=0-3")]),
    ("GET", "", &[("if-none-match", "\"other\"")]),
    ("GET", "", &[("cache-control", "max-stale")]),
    ("GET", "/.", &[]),
    ("GET", "/%2e/", &[]),
    ("GET", "//", &[("x-user-id", "1")]),
    (
        "GET",
        "?",
        &[("x-forwarded-host", "gate.test"), ("x-user-id", "2")],
    ),
];

/// Says in body and header whose it is. Takes every validator for the right one, as a careless service would.
pub(super) fn service(
    all: Vec<&'static [(&'static str, &'static str)]>,
) -> impl Fn(&Asked) -> Says + Clone + Send + Sync {
    move |asked: &Asked| {
        let whose = whose(asked);
        let number = asked
            .target
            .split(['/', '?'])
            .nth(2)
            .and_then(|n| n.parse::<usize>().ok());
        let lines = number.map_or(&[][..], |number| all[number]);
        let known = asked.header("if-none-match") == Some("\"same\"");
        let says = if known {
            Says::status(304, "")
        } else {
            Says::ok(format!("{whose:>4} is who this is for"))
        };
        lines
            .iter()
            .fold(says, |says, (name, value)| says.header(name, value))
            .header("x-for", &whose)
    }
}

fn whose(asked: &Asked) -> String {
    let named = asked
        .header("x-user-id")
        .or(asked.header("cookie"))
        .or(asked.header("authorization"));
    named.unwrap_or("-").trim_start_matches("user=").to_owned()
}

pub(super) fn toml(origin: &Origin) -> String {
    format!(
        r#"
[upstream.origin]
servers = ["{}"]

[plugin.telegram]
component = "telegram_auth.wasm"
grants = {{ clock = true, crypto = true }}
limits = {{ time = "5s" }}
snapshot = "never"
settings = {{ bots = [{{ token = "7000000001:DEMO-token-for-local-use-only-000000" }}], query = "tma" }}

[plugin.stamp]
component = "headers.wasm"
limits = {{ time = "5s" }}
snapshot = "never"

[plugin.stamp.settings.request]
set = {{ x-user-id = "${{caller.id}}" }}
remove = ["authorization"]

[[route]]
name = "caller"
path = "/caller/**"
plugins = ["telegram", "stamp"]
upstream = "origin"
cache = {{ ttl = "1m", stale_while_revalidate = "1m", stale_if_error = "1m" }}

[[route]]
name = "callers"
path = "/callers/**"
plugins = ["telegram", "stamp"]
upstream = "origin"
cache = {{ ttl = "1m", stale_while_revalidate = "1m", stale_if_error = "1m", shared = true }}

[[route]]
name = "public"
path = "/public/**"
public = true
upstream = "origin"
cache = {{ ttl = "1m", stale_while_revalidate = "1m", stale_if_error = "1m" }}
"#,
        origin.address()
    )
}

async fn start(origin: &Origin) -> Gateway {
    start_on(&toml(origin)).await
}

pub(super) async fn start_on(toml: &str) -> Gateway {
    let setup = Setup::new(toml);
    let setup = setup.plugin("telegram_auth.wasm", guest("telegram_auth.wasm"));
    setup
        .plugin("headers.wasm", guest("headers.wasm"))
        .start()
        .await
}

/// Everyone asks at once, in every way, twice; nobody may see what is another's.
async fn attack(gateway: &Gateway, target: &str, credential: fn(u64) -> (&'static str, String)) {
    for round in 0..2 {
        let mut asking = JoinSet::new();
        for (method, suffix, headers) in REQUESTS {
            for user in USERS {
                let (address, target) = (gateway.listen.http, format!("{target}{suffix}"));
                asking.spawn(async move {
                    let (name, value) = credential(user);
                    let mut lines = headers.to_vec();
                    if name == "cookie" {
                        // There, x-user-id would be the client's own word.
                        lines.retain(|(name, _)| *name != "x-user-id");
                    }
                    lines.push((name, &value));
                    (
                        user,
                        plain::once(address, method, &target, &lines, b"").await,
                    )
                });
            }
        }
        for (user, answer) in asking.join_all().await {
            is_own(user, &answer, &format!("{target}, round {round}"));
        }
    }
}

pub(super) fn is_own(user: u64, answer: &Answer, at: &str) {
    let own = user.to_string();
    assert!([200, 206, 304].contains(&answer.status), "{at}: {answer:?}");
    assert!(
        answer.header("x-for").is_none_or(|whose| whose == own),
        "{at}, user {user}: {answer:?}"
    );
    let whose = answer.text().get(..4).map(|whose| whose.trim().to_owned());
    assert!(
        whose.is_none_or(|whose| whose == own),
        "{at}, user {user}: {answer:?}"
    );
}

pub(super) fn by_telegram(user: u64) -> (&'static str, String) {
    ("authorization", authorization(user))
}

fn by_itself(user: u64) -> (&'static str, String) {
    ("authorization", user.to_string())
}

fn by_cookie(user: u64) -> (&'static str, String) {
    ("cookie", format!("user={user}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_is_given_what_is_anothers() {
    let all = [NEVER, BY_CALLER, BY_KEY].concat();
    let origin = Origin::saying(service(all.clone())).await;
    let gateway = start(&origin).await;
    for number in 0..all.len() {
        attack(&gateway, &format!("/caller/{number}"), by_telegram).await;
    }
    for number in 0..NEVER.len() + BY_CALLER.len() {
        attack(&gateway, &format!("/callers/{number}"), by_telegram).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_of_a_service_opens_what_is_anothers() {
    let with_vary: &[&[(&str, &str)]] = &[
        &[
            ("cache-control", "public, max-age=60"),
            ("vary", "authorization, cookie"),
        ],
        &[
            ("cache-control", "public, no-cache"),
            ("vary", "cookie, authorization"),
        ],
    ];
    let all = [NEVER, with_vary].concat();
    let origin = Origin::saying(service(all.clone())).await;
    let gateway = start(&origin).await;
    for number in 0..all.len() {
        let own = |asked: &[(&str, &str)]| asked.iter().all(|(name, _)| *name != "x-user-id");
        assert!(REQUESTS.iter().any(|(_, _, headers)| own(headers)));
        attack(&gateway, &format!("/public/{number}"), by_cookie).await;
    }
    // By Authorization, whose response is not for others unless it says so.
    let gateway = start(&origin).await;
    for number in 0..all.len() {
        for _ in 0..2 {
            for user in USERS {
                let (name, value) = by_itself(user);
                let answer = gateway
                    .get(&format!("/public/{number}"), &[(name, &value)])
                    .await;
                is_own(user, &answer, &format!("/public/{number}"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_has_what_is_his_from_the_store() {
    let origin = Origin::saying(service(vec![&[]])).await;
    let gateway = start(&origin).await;
    for user in [1, 2] {
        let (name, value) = by_telegram(user);
        for stored in [false, true, true] {
            let answer = gateway.get("/caller/0", &[(name, &value)]).await;
            is_own(user, &answer, "/caller/0");
            assert_eq!(is_stored(&answer), stored, "{answer:?}");
        }
    }
    assert_eq!(origin.count("/caller/0"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_share_what_the_upstream_gives_to_all_of_them() {
    let origin = Origin::saying(service(BY_KEY.to_vec())).await;
    let gateway = start(&origin).await;
    for target in ["/callers/0", "/callers/1"] {
        for user in [1, 2, 42] {
            let (name, value) = by_telegram(user);
            let answer = gateway.get(target, &[(name, &value)]).await;
            assert_eq!(answer.header("x-for"), Some("1"), "{answer:?}");
        }
        assert_eq!(origin.count(target), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_passes_everything_that_a_miss_passes() {
    let origin = Origin::saying(service(vec![&[("cache-control", "public, max-age=60")]])).await;
    let gateway = start(&origin).await;
    let (name, value) = by_telegram(1);
    for target in ["/caller/0", "/callers/0"] {
        gateway.get(target, &[(name, &value)]).await;
        assert!(is_stored(&gateway.get(target, &[(name, &value)]).await));
        for credential in [None, Some("tma forged"), Some("Bearer x")] {
            let headers: Vec<_> = credential
                .map(|value| ("authorization", value))
                .into_iter()
                .collect();
            let answer = gateway.get(target, &headers).await;
            assert_eq!(answer.status, 401, "{target} {credential:?}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_what_proxies_say_of_them_are_kept_apart() {
    let origin = Origin::saying(|asked: &Asked| {
        let host = asked.header("host").unwrap_or_default();
        let first = asked.header("x-forwarded-host").unwrap_or_default();
        Says::ok(format!(
            "{host} {first} {}",
            asked.header("x-forwarded-proto").unwrap_or_default()
        ))
        .header("cache-control", "max-age=60")
    })
    .await;
    let setup = Setup::new(&super::toml(&origin, "{}"));
    let gateway = setup
        .listen("trusted_proxies = [\"127.0.0.0/8\"]")
        .start()
        .await;
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("host", "a.test")], "a.test a.test http"),
        (&[("host", "b.test")], "b.test b.test http"),
        (&[("host", "a.test:81")], "a.test:81 a.test:81 http"),
        (
            &[("host", "a.test"), ("x-forwarded-host", "evil.test")],
            "a.test evil.test http",
        ),
        (
            &[("host", "a.test"), ("x-forwarded-proto", "https")],
            "a.test a.test https",
        ),
    ];
    for _ in 0..2 {
        for (headers, wanted) in cases {
            assert_eq!(gateway.get("/", headers).await.text(), *wanted);
        }
    }
    assert_eq!(origin.count("/"), cases.len());
}
