//! The files as Prometheus's and Alertmanager's own tools judge them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::{deploy, files};

/// Which package has a tool.
const PACKAGES: [(&str, &str); 2] = [
    ("promtool", "prometheus"),
    ("amtool", "prometheus-alertmanager"),
];

fn run(tool: &str, arguments: &[&str]) -> Output {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(portcullis_tests::gateway::repository())
        .output();
    output.unwrap_or_else(|error| {
        let package = PACKAGES.iter().find(|(name, _)| *name == tool);
        panic!("{tool}: {error} (Debian: apt-get install {package:?})")
    })
}

fn passes(tool: &str, arguments: &[&str]) {
    let output = run(tool, arguments);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{tool} {arguments:?}:\n{said}");
}

#[test]
#[ignore = "needs the package prometheus"]
fn promtool_takes_the_configuration_and_the_rules() {
    passes(
        "promtool",
        &["check", "config", "deploy/prometheus/prometheus.yml"],
    );
    let rules = files("prometheus/rules");
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    passes("promtool", &[&["check", "rules"], &rules[..]].concat());
}

/// Debian builds Prometheus without Kubernetes; there the pods are replaced by an address for the check, and all the
/// rest of the file is judged.
#[test]
#[ignore = "needs the package prometheus"]
fn promtool_takes_the_configuration_for_kubernetes() {
    let rules = deploy("prometheus/rules/*.yml");
    // It wants to see a token; any file will do.
    let token = deploy("prometheus/prometheus.yml");
    let text = crate::text("deploy/prometheus/prometheus-kubernetes.yml")
        .replace("rules/*.yml", &rules.to_string_lossy())
        .replace("/etc/prometheus/portcullis-token", &token.to_string_lossy());
    let judge = |path: &str| run("promtool", &["check", "config", path]);
    let mut said = String::new();
    as_file(&text, |path| {
        let output = judge(path);
        if !output.status.success() {
            said = String::from_utf8_lossy(&output.stderr).into_owned();
        }
    });
    if said.is_empty() {
        return;
    }
    assert!(
        said.contains("field kubernetes_sd_configs not found"),
        "{said}"
    );
    let (before, rest) = text
        .split_once("    kubernetes_sd_configs:\n")
        .expect("pods");
    let (_, after) = rest
        .split_once("    relabel_configs:\n")
        .expect("relabelling");
    let address = "    static_configs:\n      - targets: [\"127.0.0.1:9901\"]\n";
    let text = format!("{before}{address}    relabel_configs:\n{after}");
    as_file(&text, |path| passes("promtool", &["check", "config", path]));
}

#[test]
#[ignore = "needs the package prometheus"]
fn every_alert_fires_for_the_sick_and_is_silent_for_the_healthy() {
    let tests = files("prometheus/tests");
    let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
    passes("promtool", &[&["test", "rules"], &tests[..]].concat());
}

#[test]
#[ignore = "needs the package prometheus-alertmanager"]
fn amtool_takes_both_routings() {
    passes(
        "amtool",
        &["check-config", "deploy/alertmanager/alertmanager.yml"],
    );
    let text = telegram();
    as_file(&text, |path| passes("amtool", &["check-config", path]));
}

#[test]
#[ignore = "needs the package prometheus-alertmanager"]
fn critical_alerts_go_to_telegram_and_to_the_webhook_and_others_to_the_webhook() {
    let routes = [("critical", "telegram,webhook"), ("warning", "webhook")];
    as_file(&telegram(), |path| {
        for (severity, receivers) in routes {
            let config = format!("--config.file={path}");
            let label = format!("severity={severity}");
            let output = run("amtool", &["config", "routes", "test", &config, &label]);
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said.trim(), receivers, "{severity}: {output:?}");
        }
    });
}

/// As this machine's amtool can read it: before 0.26 a token could not be in a file.
fn telegram() -> String {
    let file = "deploy/alertmanager/alertmanager-telegram.yml";
    let text = crate::text(file);
    let old = "bot_token_file: /etc/alertmanager/telegram-token";
    assert!(text.contains(old), "{file} has its token in a file");
    let whole = run("amtool", &["check-config", file]);
    if whole.status.success() {
        return text;
    }
    let said =
        String::from_utf8_lossy(&[&whole.stdout[..], &whole.stderr[..]].concat()).into_owned();
    assert!(said.contains("field bot_token_file not found"), "{said}");
    text.replace(old, "bot_token: \"1:one-for-the-check\"")
}

fn as_file(text: &str, judge: impl FnOnce(&str)) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file: &Path = &folder.path().join("checked.yml");
    fs::write(file, text).expect("it is writable");
    judge(&file.to_string_lossy());
}
