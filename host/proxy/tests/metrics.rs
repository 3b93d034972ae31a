//! What can be said of metrics without a gateway: their names, and the page about them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_proxy::{Kind, Metrics};

#[test]
fn the_committed_page_is_the_one_made_from_what_is_registered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let want = Metrics::new().reference();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == want,
        "docs/metrics.md is stale; UPDATE=1 cargo test -p portcullis-proxy --test metrics writes it again"
    );
}

/// OpenMetrics 1.0, sections "Metric types" and "Units"; Prometheus' "Metric and label naming".
#[test]
fn names_are_those_that_prometheus_and_openmetrics_want() {
    const FOREIGN: [&str; 6] = ["milli", "micro", "nano", "minutes", "kilobytes", "percent"];
    let metrics = Metrics::new();
    let (families, labels) = metrics.families();
    let mut stems = BTreeSet::new();
    for family in families {
        let name = family.name.as_str();
        let ours = name.starts_with("portcullis_") || name.starts_with("process_");
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(ours && plain && !name.contains("__"), "{name}");
        let is_total = name.ends_with("_total");
        assert_eq!(
            is_total,
            family.kind == Kind::Counter,
            "{name}: counters end with _total"
        );
        for suffix in ["_bucket", "_sum", "_count", "_created"] {
            assert!(!name.ends_with(suffix), "{name}: {suffix} is of histograms");
        }
        for unit in FOREIGN {
            assert!(!name.contains(unit), "{name}: units are seconds and bytes");
        }
        // In OpenMetrics the suffix is not part of a family's name: two that differ by it are one.
        let stem = name.trim_end_matches("_total").trim_end_matches("_info");
        assert!(stems.insert(stem.to_owned()), "{name} is there twice");
        assert!(
            !family.help.is_empty() && !family.help.ends_with('.'),
            "{name}: {}",
            family.help
        );
        assert!(
            !family.help.contains(['|', '\n']),
            "{name}: the page is a table"
        );
        for label in family.labels {
            let known = labels.iter().any(|(known, _)| known == label);
            assert!(
                known && !["le", "quantile"].contains(label),
                "{name}: label {label}"
            );
        }
    }
    let used: BTreeSet<&str> = families.iter().flat_map(|f| f.labels).copied().collect();
    let told: BTreeSet<&str> = labels.iter().map(|(label, _)| *label).collect();
    assert_eq!(
        used, told,
        "the page tells of each label that there is, and of no other"
    );
}
