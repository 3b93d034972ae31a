//! Every query of a board, asked of a real Prometheus that watches the demo.

use std::time::Duration;

use portcullis_tests::client::plain;
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup, free};
use portcullis_tests::telegram;
use portcullis_tests::wait;
use serde_json::Value;

use crate::figures::{Query, of_boards, read};
use crate::watchers::{PATIENCE, ask, start_prometheus, until};

/// What clients of the demo ask for; all but the public things as player 42.
const TARGETS: [&str; 7] = [
    "/public/hello",
    "/public/news",
    "/public/limited",
    "/api/users/42",
    "/api/raids",
    "/api/dashboard",
    "/nowhere",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the package prometheus, and half a minute"]
async fn every_query_of_a_board_has_an_answer_where_the_demo_has_the_metrics() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (prometheus, nobody) = (free(), free());
    let _prometheus = start_prometheus(&folder, prometheus, nobody, gateway.listen.admin);
    until(prometheus, "up{job=\"portcullis\"}", "1").await;
    // A rate needs two scrapes with something between them.
    let scrapes = "count_over_time(portcullis_generation[1m]) > bool 6";
    wait::found_within(PATIENCE, "scrapes by Prometheus", async || {
        ask_all(&gateway).await;
        let answer = ask(prometheus, scrapes).await.unwrap_or_default();
        if value(&answer) == "1" {
            Ok(())
        } else {
            Err(answer)
        }
    })
    .await;
    let queries = of_boards();
    let mut answered = 0;
    for (query, named) in queries.iter().zip(read(&queries)) {
        let text = filled(&query.text);
        let answer = ask(prometheus, &text).await.expect("it listens");
        assert_eq!(answer["status"], "success", "{}: {answer}", query.place);
        if is_there(&answer) {
            answered += 1;
            continue;
        }
        let mut missing = text.contains("> 0") || text.contains("ALERTS");
        for selector in &named.selectors {
            let name = selector.metric.as_deref().unwrap_or_default();
            let all = ask(prometheus, name).await.expect("it listens");
            missing |= !is_there(&all);
        }
        let Query { place, text, .. } = query;
        assert!(
            missing,
            "{place}: the demo has these metrics, and yet no answer:\n  {text}"
        );
    }
    assert!(
        answered * 2 > queries.len(),
        "{answered} of {}",
        queries.len()
    );
}

async fn ask_all(gateway: &Gateway) {
    let player = telegram::authorization(42);
    for target in TARGETS {
        let headers = [("Authorization", player.as_str())];
        let headers = if target.starts_with("/public") {
            &[][..]
        } else {
            &headers[..]
        };
        // Some of them are refused, and that is counted too.
        let _answer = plain::once(gateway.listen.http, "GET", target, headers, b"").await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// With everything chosen that a reader can choose.
fn filled(query: &str) -> String {
    ["instance", "route", "upstream", "plugin"]
        .iter()
        .fold(query.replace("[5m]", "[1m]"), |query, name| {
            query.replace(&format!("${name}"), ".*")
        })
}

fn is_there(answer: &Value) -> bool {
    answer["data"]["result"]
        .as_array()
        .is_some_and(|result| !result.is_empty())
}

fn value(answer: &Value) -> &str {
    answer["data"]["result"][0]["value"][1]
        .as_str()
        .unwrap_or_default()
}
