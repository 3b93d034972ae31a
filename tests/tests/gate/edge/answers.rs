//! What the gateway answers itself: redirects and responses that are always the same.

use portcullis_tests::client::curl::curl;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;

use super::{route, upstream};

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_goes_where_the_file_says_and_nowhere_else() {
    let toml = [
        route(
            "users",
            "/u/{id}",
            "redirect = { to = \"https://new.example/users/{id}\" }",
        ),
        route(
            "docs",
            "/docs/**",
            "redirect = { to = \"https://docs.example/{rest}\", status = 301 }",
        ),
        route(
            "here",
            "/a/{x}/b/{y}",
            "redirect = { to = \"/c/{y}/{x}?from=old\", status = 302 }",
        ),
        route(
            "bare",
            "/bare",
            "redirect = { to = \"https://new.example\", keep_query = false, status = 307 }",
        ),
        route(
            "host",
            "/h/{id}",
            "redirect = { to = \"/{id}\", status = 303 }",
        ),
    ]
    .concat();
    let gateway = Gateway::start(&toml).await;
    let table = [
        ("/u/7", 308, "https://new.example/users/7"),
        (
            "/u/7?tab=raids",
            308,
            "https://new.example/users/7?tab=raids",
        ),
        ("/u/a%20b", 308, "https://new.example/users/a%20b"),
        (
            "/u/%40evil.test",
            308,
            "https://new.example/users/%40evil.test",
        ),
        ("/u/%3F", 308, "https://new.example/users/%3F"),
        ("/docs", 301, "https://docs.example/"),
        ("/docs/a/b?x=%2F", 301, "https://docs.example/a/b?x=%2F"),
        (
            "/docs//evil.test/x",
            301,
            "https://docs.example/evil.test/x",
        ),
        ("/a/1/b/2?z=3", 302, "/c/2/1?from=old&z=3"),
        ("/bare?secret=1", 307, "https://new.example"),
        ("/h/evil.test", 303, "/evil.test"),
    ];
    for (target, status, location) in table {
        let answer = gateway.get(target, &[]).await;
        let seen = (answer.status, answer.header("location"));
        assert_eq!(seen, (status, Some(location)), "{target}: {answer:?}");
        assert!(answer.body.is_empty(), "{answer:?}");
    }
    // What could break out of its segment is not admitted in the first place.
    for target in ["/h/%2Fevil.test", "/h/%5Cevil.test", "/u/%0D%0Ax:y"] {
        let answer = gateway.get(target, &[]).await;
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_follows_a_redirect_to_the_service() {
    let echo = Echo::start("one").await;
    let toml = [
        upstream("echo", echo.address()),
        route("old", "/old/{id}", "redirect = { to = \"/new/{id}\" }"),
        route("new", "/new/{id}", "upstream = \"echo\""),
    ]
    .concat();
    let gateway = Gateway::start(&toml).await;
    let url = format!("http://{}/old/7?x=1", gateway.listen.http);
    // 308 keeps the method and the body.
    let answer = curl(&["--location", "--data", "hello", &url]);
    let seen = answer.json();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(seen["target"], "/new/7?x=1");
    assert_eq!(
        (&seen["method"], &seen["body"]),
        (&"POST".into(), &"hello".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_of_the_file_is_given_as_it_stands() {
    let toml = [
        route("ok", "/ok", "respond = { body = \"all is well\" }"),
        route("gone", "/gone", "respond = { status = 410, headers = { Cache-Control = \"max-age=60\", X-Why = \"moved\" } }"),
        route("page", "/page", "respond = { file = \"page.html\" }"),
        route("json", "/json", "respond = { body = '{\"a\":1}', headers = { content-type = \"application/json\" } }"),
        route("empty", "/empty", "respond = { status = 204 }"),
    ]
    .concat();
    let gateway = Setup::new(&toml)
        .file("page.html", "<h1>Grüße</h1>")
        .start()
        .await;
    let table: [(&str, u16, Option<&str>, &str); 5] = [
        ("/ok", 200, Some("text/plain; charset=utf-8"), "all is well"),
        ("/gone", 410, None, ""),
        (
            "/page",
            200,
            Some("text/html; charset=utf-8"),
            "<h1>Grüße</h1>",
        ),
        ("/json", 200, Some("application/json"), "{\"a\":1}"),
        ("/empty", 204, None, ""),
    ];
    for (target, status, content_type, body) in table {
        let answer = gateway.get(target, &[]).await;
        let seen = (answer.status, answer.header("content-type"), answer.text());
        assert_eq!(seen, (status, content_type, body.to_owned()), "{target}");
    }
    let gone = gateway.get("/gone", &[]).await;
    assert_eq!(gone.header("cache-control"), Some("max-age=60"));
    assert_eq!(gone.header("x-why"), Some("moved"));
    let head = gateway.ask("HEAD", "/ok", &[], b"").await;
    assert_eq!(
        (head.header("content-length"), head.body.len()),
        (Some("11"), 0)
    );
    let line = gateway.log_line(|line| line["path"] == "/ok").await;
    assert_eq!(
        (&line["route"], &line["status"]),
        (&"ok".into(), &200.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_knows_its_callers_redirects_only_them() {
    let demo = portcullis_tests::demo::Demo::start().await;
    let gateway = Setup::demo(&demo)
        .edit(
            "upstream = \"users\"\n\n[[route]]\nname     = \"players\"",
            "redirect = { to = \"https://new.example/{id}\" }\n\n[[route]]\nname     = \"players\"",
        )
        .start()
        .await;
    assert_eq!(gateway.get("/api/users/42", &[]).await.status, 401);
    let bearer = portcullis_tests::telegram::authorization(42);
    let answer = gateway
        .get("/api/users/42", &[("authorization", &bearer)])
        .await;
    let seen = (answer.status, answer.header("location"));
    assert_eq!(seen, (308, Some("https://new.example/42")));
}
