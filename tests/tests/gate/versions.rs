//! The versions of a plugin: what served and what was refused is told, and the one before serves again when asked.

use portcullis_tests::client::load::{Ask, Load};
use portcullis_tests::gateway::{Gateway, Setup, digest, guest, with_custom_section};
use portcullis_tests::upstream::echo::Echo;
use serde_json::Value;

const STAMP: &str = "[plugin.stamp.settings.response]\nset = { x-served-by = \"one\" }\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_serves_again_until_its_file_changes() {
    let echo = Echo::start("one").await;
    let [a, b, c] = editions();
    let gateway = gateway(&echo, &a).await;
    drop_in(&gateway, &b).await;
    let entry = gateway.plugin("stamp").await;
    assert_eq!(entry["before"], digest(&a), "{entry}");
    assert_eq!(entry["pinned"], false, "{entry}");
    assert_eq!(entry["size"], b.len(), "{entry}");

    let answer = gateway.admin("POST", "/plugins/stamp/rollback").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serves(&gateway, &a, true).await;
    let rolled_back = r#"portcullis_plugin_swaps_total{outcome="rolled_back",plugin="stamp"}"#;
    gateway.metric_is(rolled_back, 1).await;
    gateway.says("rollback").await;

    // Neither a reload, nor other settings, nor the same file once more make it go.
    reload(&gateway).await;
    serves(&gateway, &a, true).await;
    gateway.rewrite(&toml(&echo).replace("\"one\"", "\"two\""));
    reload(&gateway).await;
    serves(&gateway, &a, true).await;
    let answer = gateway.get("/echo", &[]).await;
    assert_eq!(answer.header("x-served-by"), Some("two"), "{answer:?}");
    gateway.rewrite(&toml(&echo).replace("\"one\"", "\"${caller.idd}\""));
    let answer = gateway.admin("POST", "/reload").await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(answer.text().contains("/plugins/stamp/unpin"), "{answer:?}");
    gateway.rewrite(&toml(&echo));
    gateway.drop_plugin("headers.wasm", &b);
    reload(&gateway).await;
    serves(&gateway, &a, true).await;

    drop_in(&gateway, &c).await;
    serves(&gateway, &c, false).await;
    assert_eq!(gateway.plugin("stamp").await["before"], digest(&a));
    let told = history(&gateway).await;
    let told: Vec<_> = told.iter().map(|e| (&e["outcome"], &e["digest"])).collect();
    let expected = [
        ("served", &c),
        ("served", &a),
        ("served", &a),
        ("rolled_back", &a),
        ("served", &b),
        ("served", &a),
    ];
    let expected = expected.map(|(outcome, bytes)| (Value::from(outcome), digest(bytes).into()));
    let expected: Vec<_> = expected
        .iter()
        .map(|(o, d): &(Value, Value)| (o, d))
        .collect();
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn unpinning_lets_the_file_serve_again_unless_it_cannot() {
    let echo = Echo::start("one").await;
    let [a, b, _] = editions();
    let gateway = gateway(&echo, &a).await;
    drop_in(&gateway, &b).await;
    assert_eq!(post(&gateway, "rollback").await, 200);
    gateway.remove_plugin("headers.wasm");
    assert_eq!(post(&gateway, "unpin").await, 409);
    serves(&gateway, &a, true).await;
    gateway.drop_plugin("headers.wasm", &b);
    reload(&gateway).await;
    serves(&gateway, &a, true).await;
    assert_eq!(post(&gateway, "unpin").await, 200);
    serves(&gateway, &b, false).await;
    assert_eq!(post(&gateway, "unpin").await, 409, "nothing is pinned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_does_not_wait_for_a_broken_gateway_toml() {
    let echo = Echo::start("one").await;
    let [a, b, _] = editions();
    let gateway = gateway(&echo, &a).await;
    drop_in(&gateway, &b).await;
    gateway.rewrite("[[rout]]\n");
    assert_eq!(gateway.admin("POST", "/reload").await.status, 422);
    assert_eq!(post(&gateway, "rollback").await, 200);
    serves(&gateway, &a, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_served_before_there_is_no_way_back() {
    let echo = Echo::start("one").await;
    let [a, ..] = editions();
    let gateway = gateway(&echo, &a).await;
    assert_eq!(gateway.plugin("stamp").await["before"], Value::Null);
    for (path, status) in [
        ("/plugins/stamp/rollback", 409),
        ("/plugins/stamp/unpin", 409),
        ("/plugins/stmp/rollback", 404),
    ] {
        let answer = gateway.admin("POST", path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    assert_eq!(
        gateway.admin("GET", "/plugins/stmp/history").await.status,
        404
    );
    assert_eq!(
        gateway.admin("GET", "/plugins/stamp/rollback").await.status,
        405
    );
    assert_eq!(history(&gateway).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_take_todays_settings_is_not_rolled_back_to() {
    let echo = Echo::start("one").await;
    let headers = guest("headers.wasm");
    let gateway = gateway(&echo, &headers).await;
    gateway.drop_plugin("headers.wasm", &guest("convert.wasm"));
    let other = "[plugin.stamp.settings.request]\nfrom = \"json\"\nto = \"python\"\n";
    gateway.rewrite(&toml(&echo).replace(STAMP, other));
    reload(&gateway).await;
    serves(&gateway, &guest("convert.wasm"), false).await;

    let answer = gateway.admin("POST", "/plugins/stamp/rollback").await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.text().contains("settings"), "{answer:?}");
    serves(&gateway, &guest("convert.wasm"), false).await;
    let entry = gateway.plugin("stamp").await;
    assert_eq!(
        entry["before"],
        digest(&headers),
        "it is still kept: {entry}"
    );
    assert_eq!(history(&gateway).await[0]["outcome"], "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_version_is_told_with_its_reason_and_what_it_wanted() {
    let echo = Echo::start("one").await;
    let [a, ..] = editions();
    let gateway = gateway(&echo, &a).await;
    let curious = wat::parse_str(
        r#"(component (import "wasi:sockets/tcp@0.2.3" (instance)) (instance $i)
            (export "portcullis:plugin/filter@0.1.0" (instance $i)))"#,
    );
    let curious = curious.expect("it is valid text");
    gateway.drop_plugin("headers.wasm", &curious);
    gateway
        .plugin_until("stamp", |entry| entry["last_error"].is_string())
        .await;
    let newest = history(&gateway).await.remove(0);
    assert_eq!(newest["outcome"], "refused", "{newest}");
    assert_eq!(newest["digest"], digest(&curious), "{newest}");
    assert_eq!(newest["size"], curious.len(), "{newest}");
    let reason = newest["reason"].as_str().expect("a reason");
    assert!(reason.contains("wasi:sockets/tcp@0.2.3"), "{newest}");
    let differs = newest["differs"].as_array().expect("a list");
    let wanted =
        serde_json::json!({"part": "import", "how": "added", "what": "wasi:sockets/tcp@0.2.3"});
    assert!(differs.contains(&wanted), "{newest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_tells_changed_settings_and_limits_and_no_value_of_a_setting() {
    let echo = Echo::start("one").await;
    let [a, ..] = editions();
    let gateway = gateway(&echo, &a).await;
    let text = toml(&echo).replace("\"one\"", "\"hush\"");
    gateway.rewrite(&text.replace(
        "[plugin.stamp]",
        "[plugin.stamp]\nlimits = { memory = \"8MiB\" }",
    ));
    reload(&gateway).await;
    let newest = history(&gateway).await.remove(0);
    assert_eq!(newest["digest"], digest(&a), "{newest}");
    let differs = newest["differs"].to_string();
    assert!(
        differs.contains("memory: 8 MiB, 16 MiB before"),
        "{differs}"
    );
    assert!(differs.contains("values of its settings"), "{differs}");
    assert!(!differs.contains("hush"), "{differs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_back_and_forth_under_load_fails_no_request() {
    let echo = Echo::start("one").await;
    let [a, b, _] = editions();
    let gateway = gateway(&echo, &a).await;
    drop_in(&gateway, &b).await;
    let load = Load::start(
        2,
        &Ask {
            address: gateway.listen.http,
            target: String::from("/echo"),
            headers: Vec::new(),
            expect: 200,
        },
    );
    for _ in 0..10 {
        for what in ["rollback", "unpin"] {
            assert_eq!(post(&gateway, what).await, 200);
            load.goes_on(5).await;
        }
    }
    let tally = load.stop().await;
    assert!(
        tally.failures.is_empty(),
        "{:?} of {}",
        tally.failures,
        tally.answered
    );
    // Twenty more, and the list is no longer than before.
    assert_eq!(history(&gateway).await.len(), 20);
}

/// The same plugin in three digests.
fn editions() -> [Vec<u8>; 3] {
    let original = guest("headers.wasm");
    ["a", "b", "c"].map(|name| with_custom_section(&original, name))
}

async fn gateway(echo: &Echo, component: &[u8]) -> Gateway {
    let setup = Setup::new(&toml(echo)).plugin("headers.wasm", component.to_vec());
    setup.start().await
}

fn toml(echo: &Echo) -> String {
    format!(
        "[plugin.stamp]\ncomponent = \"headers.wasm\"\nsnapshot = \"never\"\n{STAMP}\n\
         [upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"echo\"\npath = \"/echo\"\npublic = true\nplugins = [\"stamp\"]\nupstream = \"echo\"\n",
        echo.address()
    )
}

async fn drop_in(gateway: &Gateway, component: &[u8]) {
    gateway.drop_plugin("headers.wasm", component);
    reload(gateway).await;
    serves(gateway, component, false).await;
}

async fn reload(gateway: &Gateway) {
    let answer = gateway.admin("POST", "/reload").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn post(gateway: &Gateway, what: &str) -> u16 {
    gateway
        .admin("POST", &format!("/plugins/stamp/{what}"))
        .await
        .status
}

async fn serves(gateway: &Gateway, component: &[u8], pinned: bool) {
    let entry = gateway.plugin("stamp").await;
    assert_eq!(entry["digest"], digest(component), "{entry}");
    assert_eq!(entry["pinned"], pinned, "{entry}");
    assert_eq!(gateway.get("/echo", &[]).await.status, 200);
}

async fn history(gateway: &Gateway) -> Vec<Value> {
    let answer = gateway.admin("GET", "/plugins/stamp/history").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().expect("a list").clone()
}
