//! Lists of addresses, and maintenance.

use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;

use super::{from_anywhere, route, upstream};

async fn status(gateway: &Gateway, path: &str, from: &str) -> u16 {
    let answer = gateway.get(path, &[("x-forwarded-for", from)]).await;
    if answer.status == 403 {
        assert_eq!(answer.json()["type"], "address_denied", "{answer:?}");
    }
    answer.status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_passes_where_both_lists_let_it() {
    let echo = Echo::start("one").await;
    let toml = format!(
        "[access]\nallow = [\"10.0.0.0/8\", \"2001:db8::/32\", \"127.0.0.1\"]\ndeny = [\"10.66.0.0/16\"]\n\n{}{}{}",
        upstream("echo", echo.address()),
        route("open", "/open", "upstream = \"echo\""),
        route(
            "office",
            "/office",
            "upstream = \"echo\"\naccess = { allow = [\"10.1.0.0/16\", \"192.0.2.1\"], deny = [\"10.1.9.9\"] }"
        ),
    );
    let gateway = from_anywhere(&toml).start().await;
    let table = [
        ("/open", "10.1.2.3", 200),
        ("/open", "10.66.0.1", 403),
        ("/open", "192.0.2.1", 403),
        ("/open", "2001:db8::7", 200),
        ("/open", "2001:db9::7", 403),
        ("/open", "::ffff:10.1.2.3", 200),
        ("/office", "10.1.2.3", 200),
        ("/office", "10.2.0.1", 403),
        ("/office", "10.1.9.9", 403),
        ("/office", "192.0.2.1", 403),
        ("/nowhere", "10.1.2.3", 404),
        ("/nowhere", "192.0.2.1", 403),
    ];
    for (path, from, want) in table {
        assert_eq!(status(&gateway, path, from).await, want, "{path} {from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_choose_its_address() {
    let echo = Echo::start("one").await;
    let keys = "upstream = \"echo\"\naccess = { deny = [\"127.0.0.1\"] }";
    let toml = upstream("echo", echo.address()) + &route("r", "/", keys);
    let gateway = Setup::new(&toml).start().await;
    assert_eq!(status(&gateway, "/", "10.1.2.3").await, 403);
    assert_eq!(echo.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_closes_what_a_reload_says_for_all_but_those_who_mend() {
    let echo = Echo::start("one").await;
    let toml = |on: bool| {
        format!(
            "[maintenance]\non = {on}\nretry_after = \"10m\"\nmessage = \"back at noon\"\nallow = [\"10.0.0.9\"]\n\n{}{}{}{}",
            upstream("echo", echo.address()),
            route("open", "/open", "upstream = \"echo\""),
            route(
                "status",
                "/status",
                "upstream = \"echo\"\nmaintenance = { on = false }"
            ),
            route(
                "shut",
                "/shut",
                "upstream = \"echo\"\nmaintenance = { on = true }"
            ),
        )
    };
    let gateway = from_anywhere(&toml(false)).start().await;
    let expect = async |table: [(&str, &str, u16); 5]| {
        for (path, from, want) in table {
            let answer = gateway.get(path, &[("x-forwarded-for", from)]).await;
            assert_eq!(answer.status, want, "{path} {from}: {answer:?}");
        }
    };
    expect([
        ("/open", "10.0.0.1", 200),
        ("/open", "10.0.0.9", 200),
        ("/status", "10.0.0.1", 200),
        ("/shut", "10.0.0.1", 503),
        ("/shut", "10.0.0.9", 503),
    ])
    .await;
    gateway.rewrite(&toml(true));
    let reloaded = gateway.command("reload").expect("the binary runs");
    assert!(reloaded.status.success(), "{reloaded:?}");
    expect([
        ("/open", "10.0.0.1", 503),
        ("/open", "10.0.0.9", 200),
        ("/status", "10.0.0.1", 200),
        ("/shut", "10.0.0.1", 503),
        ("/nowhere", "10.0.0.1", 404),
    ])
    .await;
    let answer = gateway
        .get("/open", &[("x-forwarded-for", "10.0.0.1")])
        .await;
    assert_eq!(answer.header("retry-after"), Some("600"));
    let problem = answer.json();
    assert_eq!(problem["type"], "maintenance");
    assert_eq!(problem["detail"], "back at noon");
}
