//! What boards and rules ask for is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use portcullis_tests::peer;
use serde::Deserialize;
use serde_json::Value;

use crate::book::Book;
use crate::{boards, list, rules, word};

/// A query of ours.
#[derive(Debug)]
pub struct Query {
    /// For the message of an assertion.
    pub place: String,
    pub text: String,
    /// The series that a recording rule makes.
    record: Option<String>,
}

/// What a query names, by Prometheus's own grammar.
#[derive(Debug, Deserialize)]
pub struct Named {
    error: Option<String>,
    pub selectors: Vec<Selector>,
    grouping: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Selector {
    pub metric: Option<String>,
    matchers: Vec<Matcher>,
}

#[derive(Debug, Deserialize)]
pub struct Matcher {
    label: String,
    value: String,
}

/// What Prometheus adds to every series of a target.
const OF_TARGETS: [&str; 2] = ["job", "instance"];

#[test]
fn every_metric_label_and_value_that_boards_and_rules_name_is_told_by_the_gateway() {
    let book = Book::read();
    let queries: Vec<Query> = of_boards().into_iter().chain(of_rules()).collect();
    let named = read(&queries);
    let mut known = of_prometheus();
    for (query, named) in queries.iter().zip(&named) {
        if let Some(record) = &query.record {
            known.insert(record.clone(), named.grouping.iter().cloned().collect());
        }
    }
    let mut wrong = Vec::new();
    for (query, named) in queries.iter().zip(&named) {
        wrong.extend(named.error.iter().cloned().map(|error| (query, error)));
        let faults = faults(named, &book, &known);
        wrong.extend(faults.into_iter().map(|fault| (query, fault)));
    }
    let wrong: Vec<String> = wrong
        .iter()
        .map(|(query, fault)| format!("{}: {fault}\n    {}", query.place, query.text))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(queries.len() > 100, "all boards and rules were read");
}

fn faults(named: &Named, book: &Book, known: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut labels: BTreeSet<String> = OF_TARGETS.map(str::to_owned).into();
    for selector in &named.selectors {
        let name = selector.metric.as_deref().unwrap_or_default();
        let (of_metric, metric) = match (known.get(name), book.metric(name)) {
            (Some(labels), _) => (labels.clone(), None),
            (None, Some(metric)) => (metric.labels.clone(), Some(metric)),
            (None, None) => {
                faults.push(format!("no metric is named {name:?}"));
                continue;
            }
        };
        for Matcher { label, value } in &selector.matchers {
            if OF_TARGETS.contains(&label.as_str()) {
                continue;
            }
            if !of_metric.contains(label) {
                faults.push(format!("{name} has no label {label:?}"));
            }
            let Some(metric) = &metric else { continue };
            // A variable of the board, or a pattern over names of gateway.toml.
            if value.contains(['$', '*']) {
                continue;
            }
            for value in value.split('|').filter(|v| !book.can_be(metric, label, v)) {
                faults.push(format!("{label} of {name} is never {value:?}"));
            }
        }
        labels.extend(of_metric);
    }
    for label in named
        .grouping
        .iter()
        .filter(|label| !labels.contains(*label))
    {
        faults.push(format!("nothing here has a label {label:?}"));
    }
    faults
}

/// Series that no exporter tells: Prometheus makes them.
fn of_prometheus() -> BTreeMap<String, BTreeSet<String>> {
    let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    BTreeMap::from([
        ("up".into(), labels(&[])),
        (
            "ALERTS".into(),
            labels(&["alertname", "alertstate", "severity"]),
        ),
    ])
}

pub fn of_boards() -> Vec<Query> {
    let mut queries = Vec::new();
    for (file, board) in boards() {
        let mut add = |place: &str, text: &Value| {
            queries.push(Query {
                place: format!("{file}: {place}"),
                text: plain(word(text)),
                record: None,
            });
        };
        for panel in list(&board["panels"]).iter().filter(|p| p["type"] != "row") {
            for target in list(&panel["targets"]) {
                add(word(&panel["title"]), &target["expr"]);
            }
        }
        for annotation in list(&board["annotations"]["list"]) {
            add(word(&annotation["name"]), &annotation["target"]["expr"]);
        }
        for variable in list(&board["templating"]["list"]) {
            if variable["type"] != "query" {
                continue;
            }
            let text = word(&variable["query"]["query"]);
            let inner = text
                .strip_prefix("label_values(")
                .and_then(|text| text.strip_suffix(')'))
                .unwrap_or_else(|| panic!("{file}: a variable asks {text:?}"));
            let (series, label) = inner.rsplit_once(", ").expect("series and label");
            add("a variable", &format!("sum by ({label}) ({series})").into());
        }
    }
    queries
}

fn of_rules() -> Vec<Query> {
    let query = |(file, rule): (String, Value)| Query {
        place: format!("{file}: {}", rule.get("alert").unwrap_or(&rule["record"])),
        text: word(&rule["expr"]).to_owned(),
        record: rule["record"].as_str().map(str::to_owned),
    };
    rules().into_iter().map(query).collect()
}

/// Without what Grafana fills in.
fn plain(query: &str) -> String {
    query
        .replace("$__rate_interval", "5m")
        .replace("$__interval", "1m")
}

pub fn read(queries: &[Query]) -> Vec<Named> {
    let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
    let mut node = Command::new("node")
        .arg(peer::script("queries.cjs"))
        .arg(peer::node_modules())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js is there");
    let input = serde_json::to_vec(&texts).expect("texts are JSON");
    let mut stdin = node.stdin.take().expect("stdin is piped");
    stdin.write_all(&input).expect("it reads");
    drop(stdin);
    let output = node.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("it answers with JSON")
}
