//! `POST /log-level`

use portcullis_tests::wait;

use super::gateway;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test(flavor = "multi_thread")]
async fn the_level_changes_while_it_runs_and_goes_back() {
    let (gateway, _echo) = gateway().await;
    let set = async |body: &str| {
        gateway
            .ask_admin("POST", "/log-level", &JSON, body.as_bytes())
            .await
    };
    assert_eq!(
        gateway.admin("GET", "/log-level").await.json()["level"],
        "info"
    );
    // A connection that ends early is told of at `debug` only.
    let cut = async || {
        let mut client = portcullis_tests::client::Client::connect(gateway.listen.http)
            .await
            .expect("it accepts");
        client
            .write(b"no http at all\r\n\r\n")
            .await
            .expect("it reads");
        let _refused = client.answer("GET").await;
    };
    const TOLD: &str = "DEBUG";
    cut().await;
    assert!(!gateway.stderr().contains(TOLD));
    let for_long = set(r#"{"level": "debug", "for": "1h"}"#).await.json();
    assert_eq!(
        (&for_long["level"], &for_long["then"]["level"]),
        (&"debug".into(), &"info".into())
    );
    cut().await;
    gateway.says(TOLD).await;
    let shortly = set(r#"{"level": "error", "for": "50ms"}"#).await;
    assert_eq!(shortly.status, 200, "{shortly:?}");
    // It goes back to what it was for good.
    wait::until("the level info", async || {
        gateway.admin("GET", "/log-level").await.json()["level"] == "info"
    })
    .await;
    let lasting = set(r#"{"level": "warn"}"#).await.json();
    assert_eq!(
        (&lasting["level"], lasting["then"].is_null()),
        (&"warn".into(), true)
    );
    for wrong in [
        "",
        "{}",
        r#"{"level": "loud"}"#,
        r#"{"level": "INFO"}"#,
        r#"{"level": "info", "for": "1w"}"#,
        r#"{"level": "info", "for": "25h"}"#,
        r#"{"level": "info", "or": 1}"#,
    ] {
        assert_eq!(set(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(
        gateway.admin("GET", "/log-level").await.json()["level"],
        "warn"
    );
}
