//! Limits on request heads, of the gateway and of a route.

use portcullis_tests::gateway::Setup;
use portcullis_tests::upstream::echo::Echo;

use super::{route, upstream};

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_body_is_that_of_all_routes_unless_one_says_otherwise() {
    let echo = Echo::start("one").await;
    let toml = [
        upstream("echo", echo.address()),
        route("general", "/g", "upstream = \"echo\""),
        route("large", "/l", "upstream = \"echo\"\nmax_body = \"2KiB\""),
        route("small", "/s", "upstream = \"echo\"\nmax_body = \"10B\""),
    ]
    .concat();
    let gateway = Setup::new(&toml)
        .listen("max_body = \"1KiB\"")
        .start()
        .await;
    let table = [
        ("/g", 1024, 200),
        ("/g", 1025, 413),
        ("/l", 2048, 200),
        ("/l", 2049, 413),
        ("/s", 10, 200),
        ("/s", 11, 413),
    ];
    for (target, bytes, status) in table {
        let answer = gateway.ask("POST", target, &[], &vec![b'x'; bytes]).await;
        assert_eq!(answer.status, status, "{target} {bytes}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused_by_its_name() {
    let echo = Echo::start("one").await;
    let toml = [
        upstream("echo", echo.address()),
        route("general", "/g/**", "upstream = \"echo\""),
        route(
            "strict",
            "/s/**",
            "upstream = \"echo\"\nmax_uri = \"100B\"\nmax_query = \"20B\"\nmax_headers = 5\nmax_head = \"300B\"",
        ),
    ]
    .concat();
    let gateway = Setup::new(&toml)
        .listen("max_uri = \"1KiB\"\nmax_query = \"512B\"\nmax_headers = 20")
        .start()
        .await;
    let long = |path: &str, bytes: usize| format!("{path}{}", "a".repeat(bytes));
    let fields = |count: usize| -> Vec<(String, String)> {
        (0..count)
            .map(|n| (format!("x-{n}"), "1".to_owned()))
            .collect()
    };
    let wide = vec![("x-wide".to_owned(), "w".repeat(400))];
    let table = [
        (long("/g/", 1000), vec![], 200, ""),
        (long("/g/", 1100), vec![], 414, "uri_too_long"),
        (long("/g/x?", 500), vec![], 200, ""),
        (long("/g/x?", 513), vec![], 414, "uri_too_long"),
        ("/g/x".into(), fields(20), 200, ""),
        ("/g/x".into(), fields(21), 431, "head_too_large"),
        (long("/nowhere/", 1100), vec![], 414, "uri_too_long"),
        (long("/s/", 90), vec![], 200, ""),
        (long("/s/", 98), vec![], 414, "uri_too_long"),
        (long("/s/x?", 20), vec![], 200, ""),
        (long("/s/x?", 21), vec![], 414, "uri_too_long"),
        ("/s/x".into(), fields(5), 200, ""),
        ("/s/x".into(), fields(6), 431, "head_too_large"),
        ("/s/x".into(), wide.clone(), 431, "head_too_large"),
        ("/g/x".into(), wide, 200, ""),
    ];
    for (target, headers, status, reason) in table {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = gateway.get(&target, &headers).await;
        assert_eq!(answer.status, status, "{target} {headers:?}: {answer:?}");
        if status != 200 {
            assert_eq!(answer.json()["type"], reason, "{target} {headers:?}");
        }
    }
}
