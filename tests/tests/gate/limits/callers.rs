//! Limits of callers stand after authorization, those of addresses before authentication.

use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::upstream::echo::Echo;

use super::refused;

const ANNA: &str = "test_anna_0123456789abcdef0123456789abcdef";
const BERT: &str = "test_bert_0123456789abcdef0123456789abcdef";
/// The SHA-256 of each.
const PLUGIN: &str = r#"
[plugin.keys]
component = "api_key.wasm"
snapshot = "never"
grants = { clock = true, crypto = true }

[plugin.keys.settings]
keys = [
    { id = "anna", sha256 = "0d1c0425c27bc285cbf7cb65cb20b0d8da438c076bf85a00a495282ade2250c2" },
    { id = "bert", sha256 = "f03b15fafc7e86599a5b3974f983a648fb77f2fb0d19e777db29c55f6c4fab40" },
]
"#;

async fn start(echo: &Echo, limits: &str) -> Gateway {
    let mut text = format!(
        "{PLUGIN}\n[upstream.echo]\nservers = [\"{}\"]\n\n{limits}\n",
        echo.address()
    );
    for name in ["one", "two"] {
        text.push_str(&format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nplugins = [\"keys\"]\nupstream = \"echo\"\n\
             rate_limit = [\"guesses\", \"calls\"]\n\n"
        ));
    }
    let setup = Setup::new(&text).plugin("api_key.wasm", guest("api_key.wasm"));
    setup.start().await
}

fn limits(guesses: u32, per: &str) -> String {
    format!(
        "[limit.guesses]\nper = \"client_ip\"\nlimit = \"{guesses}/1h\"\n\n\
         [limit.calls]\nper = {per}\nlimit = \"2/1h\"\n"
    )
}

async fn ask(gateway: &Gateway, path: &str, key: &str) -> u16 {
    gateway.get(path, &[("x-api-key", key)]).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_has_a_count_that_others_cannot_spend() {
    let echo = Echo::start("one").await;
    let gateway = start(&echo, &limits(1_000, "\"caller\"")).await;
    // Wrong keys count for no caller.
    for _ in 0..5 {
        assert_eq!(ask(&gateway, "/one", &format!("{ANNA}x")).await, 401);
    }
    assert_eq!(ask(&gateway, "/one", ANNA).await, 200);
    assert_eq!(ask(&gateway, "/two", ANNA).await, 200);
    let answer = gateway.get("/one", &[("x-api-key", ANNA)]).await;
    refused(&answer, "rate_limited", "calls");
    assert_eq!(answer.all("ratelimit").len(), 2, "both limits are told");
    let line = gateway.log_line(|line| line["status"] == 429).await;
    assert_eq!(
        (&line["caller"], &line["limit"]),
        (&"anna".into(), &"calls".into())
    );
    assert_eq!(ask(&gateway, "/one", BERT).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_a_count_on_each_route_where_both_are_named() {
    let echo = Echo::start("one").await;
    let gateway = start(&echo, &limits(1_000, "[\"caller\", \"route\"]")).await;
    for path in ["/one", "/two"] {
        for key in [ANNA, BERT] {
            let mut seen = Vec::new();
            for _ in 0..3 {
                seen.push(ask(&gateway, path, key).await);
            }
            assert_eq!(seen, [200, 200, 429], "{path} {key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_credentials_is_limited_before_they_are_looked_at() {
    let echo = Echo::start("one").await;
    let gateway = start(&echo, &limits(3, "\"caller\"")).await;
    let mut seen = Vec::new();
    for guess in 0..5 {
        seen.push(ask(&gateway, "/one", &format!("{guess}{ANNA}")).await);
    }
    assert_eq!(seen, [401, 401, 401, 429, 429]);
    assert_eq!(
        ask(&gateway, "/one", ANNA).await,
        429,
        "from the same address"
    );
    assert_eq!(echo.served(), 0);
    let line = gateway.log_line(|line| line["status"] == 429).await;
    assert_eq!(
        (&line["caller"], &line["limit"]),
        (&serde_json::Value::Null, &"guesses".into())
    );
}
