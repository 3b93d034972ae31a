//! One path, whoever reads it.

use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;

/// A strict route beside one that takes everything.
fn toml(echo: &Echo) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n\
        [[route]]\nname = \"admin\"\npath = \"/admin/**\"\npublic = true\nupstream = \"echo\"\naccess = {{ allow = [\"10.0.0.0/8\"] }}\n\n\
        [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    )
}

async fn statuses(gateway: &Gateway, rows: &[(&str, u16)]) {
    for (path, want) in rows {
        let answer = gateway.get(path, &[]).await;
        assert_eq!(answer.status, *want, "{path}: {answer:?}");
        if *want == 400 {
            assert_eq!(answer.json()["type"], "malformed_request", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_reading_of_a_path_goes_round_a_stricter_route() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let rows = [
        ("/admin/x", 403),
        ("//admin//x", 403),
        ("/x/../admin/x", 403),
        ("/x/%2e%2e/admin/x", 403),
        ("/%61dmin/x", 403),
        ("/x/..;/admin/x", 400),
        ("/x/..;a=b/admin/x", 400),
        ("/x/%2e%2e;/admin/x", 400),
        ("/x/..%3b/admin/x", 400),
        ("/x/..%3B/admin/x", 400),
        ("/x/;/../admin/x", 400),
        ("/admin;a/x", 400),
        ("/admin;/x", 400),
        ("/admin%3ba/x", 400),
        ("/;/admin/x", 400),
        ("/.;/admin/x", 400),
        ("/x%2f..%2fadmin/x", 400),
        ("/x%5c..%5cadmin/x", 400),
        ("/x/%c0%ae%c0%ae/admin/x", 400),
        ("/x%c0%afadmin/x", 400),
        ("/admin./x", 400),
        ("/admin%20/x", 400),
        ("/admin%2e/x", 400),
        ("/x/.%20/../admin/x", 400),
        ("/(S(abc))/admin/x", 400),
        ("/admin::$INDEX_ALLOCATION/x", 400),
        ("/index.php/admin/x", 400),
        ("/%28S(abc)%29/admin/x", 400),
        ("/admin:$i30:$INDEX_ALLOCATION/x", 400),
        ("/admin%3A%24i30%3A%24INDEX_ALLOCATION/x", 400),
        ("/ADMIN~1/x", 400),
        ("/x/%F8%80%80%80%AE%F8%80%80%80%AE/admin/x", 400),
        ("/x%FF/admin", 400),
        ("/admin.aspx/x", 400),
        ("/admin.ashx/", 400),
        ("/admin.cgi/x", 400),
        ("/admin.pl/x", 400),
        ("/admin.php%3Fx.php", 400),
        ("/index.aspx", 200),
        ("/a.b/c~d/%C3%A9?x=;..%2f", 200),
        ("/index.php", 200),
    ];
    statuses(&gateway, &rows).await;
}

/// What a path may hold as it is, a client may also encode.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_spelling_of_a_path_goes_round_a_stricter_route() {
    let echo = Echo::start("one").await;
    let mut text = toml(&echo);
    for (name, path) in [
        ("me", "/users/@me/**"),
        ("purge", "/v1/users:purge"),
        ("list", "/a%40b/%2C%2B/**"),
    ] {
        text.push_str(&format!(
            "\n[[route]]\nname = \"{name}\"\npath = \"{path}\"\npublic = true\nupstream = \"echo\"\naccess = {{ allow = [\"10.0.0.0/8\"] }}\n"
        ));
    }
    let gateway = Gateway::start(&text).await;
    let rows = [
        ("/users/@me/x", 403),
        ("/users/%40me/x", 403),
        ("/users/%40%6de/x", 403),
        ("/v1/users:purge", 403),
        ("/v1/users%3Apurge", 403),
        ("/v1/users%3apurge", 403),
        ("/a@b/,+/x", 403),
        ("/a%40b/%2c%2B/x", 403),
        ("/users/%2540me/x", 200),
        ("/users/%24me/x", 200),
    ];
    statuses(&gateway, &rows).await;
    // What is forwarded keeps the client's spelling.
    let answer = gateway.get("/b/%40%2c?q=%40", &[]).await;
    assert_eq!(answer.json()["target"], "/b/%40%2C?q=%40", "{answer:?}");
}

/// PHP folds names of parameters, and others end them elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_name_of_a_parameter_goes_round_a_stricter_route() {
    let echo = Echo::start("one").await;
    let text = toml(&echo)
        + "\n[[route]]\nname = \"raw\"\npath = \"/q\"\nquery = { raw_mode = \"1\" }\npublic = true\nupstream = \"echo\"\naccess = { allow = [\"10.0.0.0/8\"] }\n";
    let gateway = Gateway::start(&text).await;
    for (query, want) in [
        ("raw_mode=1", 403),
        ("raw%5Fmode=%31", 403),
        ("raw_mode=0", 200),
        ("rawmode=1&raw-mode=1", 200),
        ("raw_mode=0&raw_mode=0", 200),
        ("raw.mode=1", 400),
        ("raw+mode=1", 400),
        ("%20raw_mode=1", 400),
        ("raw[mode=1", 400),
        ("raw_mode%00=1", 400),
        ("raw_mode[]=1", 400),
        ("x;raw_mode=1", 400),
        ("raw_mode=0&raw_mode=1", 400),
        ("raw_mode=1&raw_mode=0", 400),
    ] {
        let answer = gateway.get(&format!("/q?{query}"), &[]).await;
        assert_eq!(answer.status, want, "{query}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readings_that_are_refused_are_the_operator_s_to_choose() {
    let echo = Echo::start("one").await;
    let start = async |keys: &str| Setup::new(&toml(&echo)).listen(keys).start().await;
    let gateway = start("path_parameters = \"remove\"").await;
    let rows = [
        ("/x/..;/admin/x", 403),
        ("/admin;a/x", 403),
        ("/x/;/../admin/x", 403),
        ("/a;b=c/d", 200),
        ("/x/..%3b/admin/x", 400),
    ];
    statuses(&gateway, &rows).await;
    let answer = gateway.get("/a;b=c/d;e?f=;g", &[]).await;
    assert_eq!(answer.json()["target"], "/a/d?f=;g", "{answer:?}");
    let gateway = start("path_parameters = \"forward\"\nstrict_paths = []").await;
    let rows = [
        ("/a;b=c/d", 200),
        ("/a%3bb", 200),
        ("/index.php/a", 200),
        ("/index.aspx/a", 200),
        ("/index.cgi/a", 200),
        ("/a~1/b", 200),
        ("/a./b", 200),
        ("/x/..;/admin/x", 400),
        ("/x/..%3b/admin/x", 400),
        ("/x/%c0%ae%c0%ae/admin/x", 400),
    ];
    statuses(&gateway, &rows).await;
    let gateway = start("strict_paths = [\"php\"]").await;
    statuses(
        &gateway,
        &[
            ("/a./b", 200),
            ("/index.aspx/a", 200),
            ("/index.cgi/a", 200),
            ("/index.php/a", 400),
            ("/a;b", 400),
        ],
    )
    .await;
}

/// What a route can never match is a mistake of the file.
#[test]
fn a_path_that_no_request_can_have_is_told() {
    for (path, listen, told) in [
        ("/a;b", "", "path_parameters"),
        ("/index.php/**", "", "strict_paths"),
        ("/a%2Fb", "", "whatever routes there are"),
        ("/a./b", "strict_paths = [\"php\"]", ""),
        ("/a;b", "path_parameters = \"forward\"", ""),
    ] {
        let toml = format!(
            "[[route]]\nname = \"r\"\npath = \"{path}\"\npublic = true\nrespond = {{ body = \"x\" }}\n"
        );
        let output = Setup::new(&toml).listen(listen).check();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), told.is_empty(), "{path}: {text}");
        assert!(text.contains(told), "{path}: {text}");
    }
}
