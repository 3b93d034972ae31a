//! gateway.toml is read again when it changes, on SIGHUP and on `portcullis reload`; a bad one changes nothing.

use std::process::Output;
use std::time::Duration;

use portcullis_tests::client::load::{Ask, Load};
use portcullis_tests::client::{Answer, Client};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::authorization;
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::wait;
use rustix::process::Signal;

const SEEN_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_gateway_toml_serves_without_being_asked() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo, "/before")).await;
    gateway.rewrite(&toml(&echo, "/after"));
    until(&gateway, "/after", 200).await;
    assert_eq!(gateway.get("/before", &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo, "/before")).await;
    gateway.rewrite(&toml(&echo, "/after"));
    gateway.signal(Signal::HUP);
    until(&gateway, "/after", 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn portcullis_reload_has_reloaded_when_it_returns() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo, "/before")).await;
    gateway.rewrite(&toml(&echo, "/after"));
    let output = gateway.command("reload").expect("the binary runs");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(gateway.get("/after", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_gateway_toml_changes_nothing_and_says_where_it_is_wrong() {
    let echo = Echo::start("one").await;
    let good = toml(&echo, "/before");
    let gateway = Gateway::start(&good).await;
    let cases = [
        ("no TOML", String::from("[route"), "gateway.toml:"),
        (
            "unknown key",
            good.replace("public", "publick"),
            "did you mean",
        ),
        (
            "unknown upstream",
            good.replace("upstream = \"echo\"", "upstream = \"ecko\""),
            "did you mean",
        ),
        ("no routes", good.replace("[[route]]", "[[rout]]"), "rout"),
    ];
    for (what, text, expected) in cases {
        gateway.rewrite(&text);
        let output = gateway.command("reload").expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{what}: {}", said(&output));
        assert!(
            said(&output).contains(expected),
            "{what}: {}",
            said(&output)
        );
        let answer = gateway.admin("POST", "/reload").await;
        assert!(
            answer.status >= 400 && answer.text().contains(expected),
            "{what}: {answer:?}"
        );
        gateway.says(expected).await;
        assert_eq!(gateway.get("/before", &[]).await.status, 200, "{what}");
        assert_eq!(gateway.admin("GET", "/readyz").await.status, 200, "{what}");
    }
    gateway.rewrite(&toml(&echo, "/after"));
    until(&gateway, "/after", 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_reloads_under_load_fail_no_request() {
    let (one, two) = (Echo::start("one").await, Echo::start("two").await);
    let gateway = Gateway::start(&toml(&one, "/echo")).await;
    let ask = Ask {
        address: gateway.listen.http,
        target: String::from("/echo"),
        headers: Vec::new(),
        expect: 200,
    };
    let load = Load::start(4, &ask);
    for round in 0..50 {
        let (echo, name) = if round % 2 == 0 {
            (&two, "two")
        } else {
            (&one, "one")
        };
        gateway.rewrite(&toml(echo, "/echo"));
        let answer = gateway.admin("POST", "/reload").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            gateway.get("/echo", &[]).await.json()["server"],
            name,
            "round {round}"
        );
        load.goes_on(10).await;
    }
    let tally = load.stop().await;
    assert!(
        tally.failures.is_empty(),
        "{:?} of {}",
        tally.failures,
        tally.answered
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_finishes_with_the_configuration_it_began_with() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo, "/slow")).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let slow = tokio::spawn(async move { client.ask("GET", "/slow?delay=800", &[], b"").await });
    wait::until("the request upstream", async || echo.served() > 0).await;
    gateway.rewrite(&toml(&echo, "/other"));
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    assert_eq!(gateway.get("/slow", &[]).await.status, 404);
    let answer = slow.await.expect("no panic").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_of_a_plugin_serve_after_a_reload() {
    let demo = Demo::start().await;
    let setup = Setup::demo(&demo);
    let changed = setup.toml().replace(
        r#"x-served-by = "portcullis""#,
        r#"x-served-by = "another""#,
    );
    let broken = setup.toml().replace(
        r#"x-user-id = "${caller.id}""#,
        r#"x-user-id = "${caller.idd}""#,
    );
    let gateway = setup.start().await;
    gateway.rewrite(&changed);
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    assert_eq!(
        stamped(&gateway).await.header("x-served-by"),
        Some("another")
    );
    gateway.rewrite(&broken);
    let answer = gateway.admin("POST", "/reload").await;
    assert!(
        answer.status >= 400 && answer.text().contains("stamp"),
        "{answer:?}"
    );
    assert_eq!(
        stamped(&gateway).await.header("x-served-by"),
        Some("another")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_requests_finish_and_ends_with_success() {
    let echo = Echo::start("one").await;
    let mut gateway = Gateway::start(&toml(&echo, "/slow")).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let slow = tokio::spawn(async move { client.ask("GET", "/slow?delay=800", &[], b"").await });
    wait::until("the request upstream", async || echo.served() > 0).await;
    gateway.signal(Signal::TERM);
    let answer = slow.await.expect("no panic").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let status = tokio::task::block_in_place(|| gateway.wait(SEEN_WITHIN)).expect("it ends");
    assert!(status.success(), "{status}");
}

#[test]
fn check_finds_what_run_would_find() {
    let text = "[upstream.echo]\nservers = [\"127.0.0.1:1\"]\n\n[[route]]\nname = \"a\"\npath = \"/a\"\npublic = true\nupstream = \"echo\"\n";
    let output = Setup::new(text).check();
    assert!(output.status.success(), "{}", said(&output));
    let output = Setup::new(&text.replace("public", "publik")).check();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("did you mean"), "{}", said(&output));
    let plugin = "[plugin.gone]\ncomponent = \"gone.wasm\"\n\n";
    let output = Setup::new(&format!(
        "{plugin}{}",
        text.replace("public = true", "plugins = [\"gone\"]")
    ))
    .check();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("gone.wasm"), "{}", said(&output));
}

#[test]
fn a_misspelt_setting_is_found_in_the_file() {
    let text = "[plugin.stamp]\ncomponent = \"headers.wasm\"\n\n[plugin.stamp.settings.request]\nremov = [\"a\"]\n\n\
                [upstream.echo]\nservers = [\"127.0.0.1:1\"]\n\n\
                [[route]]\nname = \"a\"\npath = \"/a\"\npublic = true\nplugins = [\"stamp\"]\nupstream = \"echo\"\n";
    let setup = Setup::new(text).guests();
    let output = setup.check();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    for part in [
        "error: `request` has no key `remov`",
        "hint: did you mean `remove`?",
    ] {
        assert!(said(&output).contains(part), "{}", said(&output));
    }
    let output = setup.say("schema");
    assert!(output.status.success(), "{}", said(&output));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let settings = &schema["definitions"]["settings.stamp"]["properties"];
    assert_eq!(settings["request"]["type"], "object", "{schema}");
}

fn toml(echo: &Echo, path: &str) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"echo\"\npath = \"{path}\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    )
}

async fn stamped(gateway: &Gateway) -> Answer {
    gateway
        .get("/api/users/42", &[("authorization", &authorization(42))])
        .await
}

async fn until(gateway: &Gateway, path: &str, status: u16) {
    wait::until(&format!("{status} of {path}"), async || {
        gateway.get(path, &[]).await.status == status
    })
    .await;
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
