//! What a page of another origin can have a browser do: nothing.

use super::{ENDLESS, gateway};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_changes_nothing() {
    let (gateway, _echo) = gateway().await;
    let at = gateway.listen.admin;
    let own = format!("http://{at}");
    let neighbour = format!("http://{}", gateway.listen.http);
    // What a browser adds to a form, to fetch() without CORS and to sendBeacon(), of old and of new ones.
    type Case<'c> = (&'c [(&'c str, &'c str)], &'c [u8], u16);
    let cases: &[Case<'_>] = &[
        (&[("origin", "http://evil.example")], b"", 403),
        (&[("origin", "null")], b"", 403),
        (&[("origin", &neighbour)], b"", 403),
        (&[("sec-fetch-site", "cross-site")], b"", 403),
        (&[("sec-fetch-site", "same-site")], b"", 403),
        (
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
            b"",
            403,
        ),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            b"a=b",
            415,
        ),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            b"",
            415,
        ),
        (
            &[("content-type", "multipart/form-data; boundary=x")],
            b"--x--",
            415,
        ),
        (
            &[("content-type", "text/plain;application/json")],
            b"{}",
            415,
        ),
        (&[], b"{}", 415),
        // The console's own.
        (
            &[
                ("origin", &own),
                ("sec-fetch-site", "same-origin"),
                ("content-type", "application/json"),
            ],
            b"{}",
            200,
        ),
    ];
    for (headers, body, wanted) in cases {
        let answer = gateway.ask_admin("POST", "/reload", headers, body).await;
        assert_eq!(answer.status, *wanted, "{headers:?} {answer:?}");
        if *wanted != 200 {
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
        }
    }
    assert_eq!(gateway.get("/", &[]).await.status, 200);
    // Reading: no permission for other origins, and no embedding.
    let read = gateway
        .ask_admin("GET", "/routes", &[("origin", "http://evil.example")], b"")
        .await;
    assert_eq!(read.status, 403);
    let image = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-dest", "image"),
    ];
    assert_eq!(
        gateway
            .ask_admin("GET", "/routes", &image, b"")
            .await
            .status,
        403
    );
    let link = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    assert_eq!(
        gateway.ask_admin("GET", "/routes", &link, b"").await.status,
        200
    );
    let preflight = [
        ("origin", "http://evil.example"),
        ("access-control-request-method", "POST"),
    ];
    let preflight = gateway
        .ask_admin("OPTIONS", "/reload", &preflight, b"")
        .await;
    assert_eq!(preflight.status, 405);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_made_to_point_here_is_not_heeded() {
    let (gateway, _echo) = gateway().await;
    let at = gateway.listen.admin;
    let port = at.port();
    for (host, heeded) in [
        (format!("127.0.0.1:{port}"), true),
        (format!("localhost:{port}"), true),
        (format!("[::1]:{port}"), true),
        (format!("evil.example:{port}"), false),
        (String::from("evil.example"), false),
        (format!("127.0.0.1.evil.example:{port}"), false),
        (format!("localhost.evil.example:{port}"), false),
        (String::new(), false),
    ] {
        for (method, page) in [("GET", "/routes"), ("POST", "/reload"), ("GET", "/livez")] {
            // With a same-origin look: to the browser it is.
            let origin = format!("http://{host}");
            let headers = [
                ("host", host.as_str()),
                ("origin", &origin),
                ("sec-fetch-site", "same-origin"),
            ];
            let answer = gateway.ask_admin(method, page, &headers, b"").await;
            let wanted = if heeded { 200 } else { 421 };
            assert_eq!(
                answer.status, wanted,
                "{host:?} {method} {page}: {answer:?}"
            );
        }
    }
    // An absolute form goes before Host (RFC 9112 section 3.2.2).
    let target = format!("http://evil.example:{port}/routes");
    assert_eq!(
        gateway.ask_admin("GET", &target, &[], b"").await.status,
        421
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_hardened_and_head_is_get_without_a_body() {
    let (gateway, _echo) = gateway().await;
    let document = gateway.admin("GET", "/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths");
    let mut seen = 0;
    for (path, operations) in paths
        .iter()
        .filter(|(path, _)| !path.contains('{') && *path != ENDLESS)
    {
        let (get, head) = (
            gateway.admin("GET", path).await,
            gateway.admin("HEAD", path).await,
        );
        assert_eq!(get.status, head.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        if operations.get("get").is_some() {
            assert_eq!(get.status, 200, "{path}");
            seen += 1;
        } else {
            assert_eq!(
                (get.status, get.header("allow")),
                (405, Some("POST")),
                "{path}"
            );
        }
        let delete = gateway.admin("DELETE", path).await;
        assert_eq!(delete.status, 405, "{path}");
        assert!(
            delete
                .header("allow")
                .is_some_and(|allow| !allow.is_empty()),
            "{path}"
        );
        for answer in [get, head, delete] {
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("cache-control", "no-store"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{path}");
            }
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(
                policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
                "{path}: {policy}"
            );
        }
    }
    assert!(seen >= 10, "{seen}");
    let missing = gateway.admin("GET", "/nothing-here").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["type"], "not_found");
}
