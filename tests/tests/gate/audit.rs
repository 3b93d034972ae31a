//! What is done to the gateway leaves one line of one shape each.

use portcullis_tests::gateway::Gateway;
use portcullis_tests::wait;
use rustix::process::Signal;
use serde_json::Value;

const HELLO: &str = r#"
[[route]]
name = "hello"
path = "/hello"
public = true
respond = { body = "hello" }
"#;

/// Waits for the audit line of a deed with an outcome.
async fn line(gateway: &Gateway, deed: &str, outcome: &str) -> Value {
    wait::found(&format!("{deed} that was {outcome}"), async || {
        let lines = audits(gateway);
        let mut all = lines.iter();
        let found = all.find(|line| line["audit"] == deed && line["outcome"] == outcome);
        found.cloned().ok_or_else(|| format!("{lines:?}"))
    })
    .await
}

fn audits(gateway: &Gateway) -> Vec<Value> {
    let said = gateway.stderr();
    let values = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.filter(|line| line["target"] == "audit").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_purges_say_who_did_what_and_how_it_went() {
    let gateway = Gateway::start(HELLO).await;
    gateway.admin("POST", "/reload").await;
    gateway.rewrite("[[rout]]");
    gateway.admin("POST", "/reload").await;
    gateway.rewrite(&HELLO.replace("/hello", "/hallo"));
    gateway.signal(Signal::HUP);
    let done = line(&gateway, "reload", "done").await;
    let body = br#"{"url":"http://gate.test/a?token=secret-of-a-query"}"#;
    let json = [("content-type", "application/json")];
    gateway.ask_admin("POST", "/cache/purge", &json, body).await;
    let purged = line(&gateway, "purge", "done").await;
    let refused = line(&gateway, "reload", "refused").await;
    let unchanged = line(&gateway, "reload", "unchanged").await;

    for line in [&done, &purged, &refused, &unchanged] {
        let mut keys: Vec<_> = line.as_object().expect("an object").keys().collect();
        keys.sort();
        let shape = [
            "audit",
            "by",
            "detail",
            "level",
            "outcome",
            "target",
            "timestamp",
        ];
        assert_eq!(keys, shape, "{line}");
        assert!(
            !line["by"].as_str().unwrap_or_default().is_empty(),
            "{line}"
        );
    }
    assert_eq!(done["detail"], "generation 2 serves");
    assert_eq!(purged["detail"], "url gate.test/a: 0 responses");
    assert!(!gateway.stderr().contains("secret-of-a-query"));

    let lines = audits(&gateway);
    for (deed, outcome) in [
        ("reload", "done"),
        ("reload", "refused"),
        ("reload", "unchanged"),
        ("purge", "done"),
        ("swap", "done"),
    ] {
        let lines = lines
            .iter()
            .filter(|line| line["audit"] == deed && line["outcome"] == outcome);
        let sample = format!(r#"portcullis_audits_total{{deed="{deed}",outcome="{outcome}"}}"#);
        let counted = gateway.metric(&sample).await;
        assert_eq!(counted, Some(lines.count() as u64), "{deed} {outcome}");
    }
}
