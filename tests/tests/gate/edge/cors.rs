//! CORS: preflights before authentication, and what every answer says.

use portcullis_tests::client::Answer;
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::authorization;
use portcullis_tests::upstream::page::Page;

use super::{route, upstream};

const APP: &str = "https://app.example";

/// The headers of a request, the status of its answer, and the origin that may read it.
type Asked<'a> = (&'a [(&'a str, &'a str)], u16, Option<&'a str>);

async fn preflight(gateway: &Gateway, path: &str, origin: &str, method: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization"),
    ];
    gateway.ask("OPTIONS", path, &headers, b"").await
}

fn said(answer: &Answer, name: &str) -> Option<String> {
    answer
        .header(&format!("access-control-{name}"))
        .map(str::to_owned)
}

/// The demo, whose users may be asked by pages of two origins.
async fn demo(demo: &Demo) -> Gateway {
    let cors = "cors = { origins = [\"https://app.example\", \"https://*.app.example\"], headers = [\"authorization\"], expose = [\"x-served-by\"], credentials = true }";
    Setup::demo(demo)
        .edit(
            "methods  = [\"GET\", \"PUT\"]\n",
            &format!("methods  = [\"GET\", \"PUT\"]\n{cors}\n"),
        )
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_before_anybody_is_asked_who_they_are() {
    let services = Demo::start().await;
    let gateway = demo(&services).await;
    for origin in [APP, "https://beta.app.example"] {
        let answer = preflight(&gateway, "/api/users/42", origin, "PUT").await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let want = [
            ("allow-origin", Some(origin)),
            ("allow-credentials", Some("true")),
            ("allow-methods", Some("GET, PUT")),
            ("allow-headers", Some("authorization")),
            ("max-age", Some("600")),
        ];
        for (name, value) in want {
            assert_eq!(said(&answer, name).as_deref(), value, "{name}: {answer:?}");
        }
        assert_eq!(answer.header("vary"), Some("origin"));
        assert!(answer.body.is_empty());
    }
    for origin in [
        "https://evil.example",
        "https://app.example.evil.test",
        "http://app.example",
        "null",
    ] {
        let answer = preflight(&gateway, "/api/users/42", origin, "PUT").await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.json()["type"], "origin_not_allowed");
        assert_eq!(said(&answer, "allow-origin"), None);
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // A method without a route is no preflight of one, and OPTIONS itself has no route either.
    assert_eq!(
        preflight(&gateway, "/api/users/42", APP, "DELETE")
            .await
            .status,
        405
    );
    // Without the word that makes it a preflight, it is an OPTIONS like any other.
    let plain = gateway
        .ask("OPTIONS", "/api/users/42", &[("origin", APP)], b"")
        .await;
    assert_eq!(plain.status, 405);
    // A route that says nothing of CORS leaves it alone.
    assert_eq!(
        preflight(&gateway, "/api/raids", APP, "GET").await.status,
        405
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_read_answers_and_refusals_alike() {
    let services = Demo::start().await;
    let gateway = demo(&services).await;
    let bearer = authorization(42);
    let table: [Asked<'_>; 4] = [
        (
            &[("origin", APP), ("authorization", &bearer)],
            200,
            Some(APP),
        ),
        (&[("origin", APP)], 401, Some(APP)),
        (
            &[
                ("origin", "https://evil.example"),
                ("authorization", &bearer),
            ],
            200,
            None,
        ),
        (&[("authorization", &bearer)], 200, None),
    ];
    for (headers, status, origin) in table {
        let answer = gateway.get("/api/users/42", headers).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(
            said(&answer, "allow-origin").as_deref(),
            origin,
            "{headers:?}"
        );
        let exposed = origin.map(|_| "x-served-by".to_owned());
        assert_eq!(said(&answer, "expose-headers"), exposed);
        assert_eq!(answer.header("vary"), Some("origin"), "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_word_takes_the_place_of_the_services() {
    let page = Page::start().await;
    let toml = [
        "[cors]\norigins = [\"*\"]\nheaders = [\"*\"]\n\n".to_owned(),
        upstream("page", page.address()),
        route("any", "/any", "upstream = \"page\""),
        route(
            "dev",
            "/dev",
            "upstream = \"page\"\ncors = { origins = [\"http://localhost:*\"] }",
        ),
        route(
            "none",
            "/none",
            "upstream = \"page\"\ncors = { origins = [] }",
        ),
    ]
    .concat();
    let gateway = Gateway::start(&toml).await;
    let theirs = "?bytes=9&h.access-control-allow-origin=https://other.example&h.access-control-allow-credentials=true";
    let table = [
        ("/any", APP, Some("*"), None),
        (
            "/dev",
            "http://localhost:5173",
            Some("http://localhost:5173"),
            Some("origin"),
        ),
        ("/dev", APP, None, Some("origin")),
        ("/none", APP, None, Some("origin")),
    ];
    for (path, origin, allowed, vary) in table {
        let answer = gateway
            .get(&format!("{path}{theirs}"), &[("origin", origin)])
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = (
            said(&answer, "allow-origin"),
            said(&answer, "allow-credentials"),
        );
        assert_eq!(seen, (allowed.map(str::to_owned), None), "{path} {origin}");
        assert_eq!(answer.header("vary"), vary, "{path} {origin}");
    }
    let answer = preflight(&gateway, "/any", APP, "PATCH").await;
    let seen = [
        said(&answer, "allow-methods"),
        said(&answer, "allow-headers"),
    ];
    assert_eq!(
        seen.map(Option::unwrap_or_default),
        ["PATCH", "*"],
        "{answer:?}"
    );
    assert!(page.seen().iter().all(|seen| seen.method == "GET"));
}
