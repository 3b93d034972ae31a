//! Every answer is as `/openapi.json` says.

use std::process::Command;

use jsonschema::Validator;
use portcullis_tests::peer;
use serde_json::{Value, json};

use super::{ENDLESS, gateway};

/// The schema of an answer, with what it points to.
fn schema(document: &Value, path: &str, method: &str, status: u16) -> Option<Validator> {
    let responses = &document["paths"][path][method]["responses"];
    let mut answer = &responses[status.to_string()];
    if let Some(pointer) = answer["$ref"].as_str() {
        answer = document.pointer(pointer.trim_start_matches('#'))?;
    }
    let (_, content) = answer["content"].as_object()?.iter().next()?;
    let text = content["schema"].to_string();
    let mut schema: Value = serde_json::from_str(&text).expect("JSON");
    schema["components"] = document["components"].clone();
    Some(jsonschema::validator_for(&schema).expect("a schema"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_as_the_document_says() {
    let (gateway, _echo) = gateway().await;
    let document = gateway.admin("GET", "/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in ["get", "post"] {
            let Some(operation) = operations.get(method) else {
                continue;
            };
            if path == ENDLESS {
                continue;
            }
            let target = path.replace("{name}", "nobody");
            let target = target.replace("{file}", "main.js");
            // Not what ends the gateway; what it answers to nonsense.
            let bodies: &[&str] = match method {
                "get" => &[""],
                _ => &["[]", "{\"no\": 1}", "{", "null", "\"\"", "1e999"],
            };
            for body in bodies {
                let ends = path == "/drain";
                let json = [("content-type", "application/json")];
                let headers: &[(&str, &str)] = if body.is_empty() { &[] } else { &json };
                let answer = gateway
                    .ask_admin(&method.to_uppercase(), &target, headers, body.as_bytes())
                    .await;
                let what = format!("{method} {target} {body}: {answer:?}");
                assert!(
                    answer.status < 500 && !(ends && answer.status < 400),
                    "{what}"
                );
                let told = operation["responses"].get(answer.status.to_string());
                assert!(told.is_some(), "the document does not tell of it: {what}");
                if answer
                    .header("content-type")
                    .is_some_and(|kind| kind.contains("json"))
                {
                    let schema = schema(&document, path, method, answer.status).expect(&what);
                    let errors: Vec<_> = schema
                        .iter_errors(&answer.json())
                        .map(|e| e.to_string())
                        .collect();
                    assert!(errors.is_empty(), "{errors:?} {what}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 20, "{seen}");
    let problem = schema(&document, "/routes", "get", 503).expect("a problem");
    assert!(
        !problem.is_valid(&json!({"type": 1})),
        "the schemas refuse something"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute, and Python: cargo xtask test --full"]
async fn schemathesis_finds_nothing() {
    let (gateway, _echo) = gateway().await;
    let document = format!("http://{}/openapi.json", gateway.listen.admin);
    // It leaves what it found where it runs.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new(peer::schemathesis())
        .args(["run", &document, "--checks", "all", "--max-time", "45"])
        // What a duration or a URL is, is more than a schema says: some that fit it are refused.
        .args(["--exclude-checks", "positive_data_acceptance"])
        // It ends the gateway.
        .args(["--exclude-path", "/drain"])
        .args(["--exclude-path", ENDLESS])
        .current_dir(folder.path())
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(gateway.admin("GET", "/readyz").await.status, 200, "{said}");
}
