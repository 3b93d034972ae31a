//! Who is woken finds out what to do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{boards, files, list, rules, text, word, yaml};

fn alerts() -> Vec<Value> {
    let alerts = rules().into_iter().map(|(_, rule)| rule);
    alerts.filter(|rule| rule.get("alert").is_some()).collect()
}

/// The headings of a level in docs/operations.md.
fn headings(level: &str) -> Vec<String> {
    let page = text("docs/operations.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix(level));
    headings
        .filter_map(|line| line.strip_prefix(' '))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on() {
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = word(&alert["alert"]);
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        let severity = word(&alert["labels"]["severity"]);
        assert!(
            ["critical", "warning"].contains(&severity),
            "{name}: {severity}"
        );
        let annotations = &alert["annotations"];
        assert!(!word(&annotations["summary"]).is_empty(), "{name}");
        assert!(word(&annotations["description"]).len() > 30, "{name}");
        let page = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(annotations["runbook_url"], page.as_str(), "{name}");
    }
}

#[test]
fn every_alert_has_its_section_in_operations_and_every_section_its_alert() {
    let sections: BTreeSet<String> = headings("###")
        .into_iter()
        .filter(|heading| heading.starts_with("Portcullis"))
        .collect();
    let alerts: BTreeSet<String> = alerts()
        .iter()
        .map(|a| word(&a["alert"]).to_owned())
        .collect();
    assert_eq!(alerts, sections);
}

#[test]
fn every_board_has_its_section_in_operations() {
    let sections = headings("###");
    for (file, board) in boards() {
        let title = word(&board["title"]).replace("Portcullis / ", "");
        let section = format!("{title} board");
        assert!(
            sections.contains(&section),
            "{file}: docs/operations.md has no `### {section}`"
        );
    }
}

#[test]
fn every_alert_has_a_unit_test_in_which_it_fires() {
    let mut fired = BTreeSet::new();
    for file in files("prometheus/tests") {
        for test in list(&yaml(&file)["tests"]) {
            for case in list(&test["alert_rule_test"]) {
                if !list(&case["exp_alerts"]).is_empty() {
                    fired.insert(word(&case["alertname"]).to_owned());
                }
            }
        }
    }
    let alerts: BTreeSet<String> = alerts()
        .iter()
        .map(|a| word(&a["alert"]).to_owned())
        .collect();
    assert_eq!(alerts, fired);
}
