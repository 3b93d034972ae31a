//! The real Prometheus and Alertmanager with the shipped files in a hurry: the same rules and routing, only every
//! duration is shorter.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portcullis_tests::client::plain;
use portcullis_tests::wait;
use serde_json::Value;
use tempfile::TempDir;

use crate::{files, text};

/// On a busy machine; the shipped intervals would take minutes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The shipped durations and those of this test. Windows keep their order, so what is long stays longer than what is
/// short.
const HURRY: [(&str, &str); 13] = [
    ("10s", "1s"),
    ("15s", "1s"),
    ("30s", "1s"),
    ("1m", "1s"),
    ("2m", "2s"),
    ("5m", "6s"),
    ("10m", "8s"),
    ("15m", "8s"),
    ("30m", "10s"),
    ("1h", "12s"),
    ("6h", "14s"),
    ("3d", "16s"),
    ("4h", "1h"),
];

/// A tool that ends with the test.
pub struct Tool(Child);

impl Tool {
    fn start(names: &[&str], arguments: &[String]) -> Tool {
        for name in names {
            let mut command = Command::new(name);
            command.args(arguments).stdin(Stdio::null());
            if let Ok(child) = command.spawn() {
                return Tool(child);
            }
        }
        panic!(
            "{names:?}: not installed (Debian: apt-get install prometheus prometheus-alertmanager)"
        );
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // It holds nothing that is worth an orderly end.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

pub fn start_prometheus(
    folder: &TempDir,
    at: SocketAddr,
    alertmanager: SocketAddr,
    gateway: SocketAddr,
) -> Tool {
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).expect("the temporary directory is writable");
    for file in files("prometheus/rules") {
        let name = Path::new(&file).file_name().expect("a file");
        write(&rules.join(name), &hurried(&text(&file)));
    }
    let config = hurried(&text("deploy/prometheus/prometheus.yml"))
        .replace("127.0.0.1:9093", &alertmanager.to_string())
        .replace("127.0.0.1:9901", &gateway.to_string());
    let file = folder.path().join("prometheus.yml");
    write(&file, &config);
    Tool::start(
        &["prometheus"],
        &[
            format!("--config.file={}", file.display()),
            format!(
                "--storage.tsdb.path={}",
                folder.path().join("tsdb").display()
            ),
            format!("--web.listen-address={at}"),
            "--log.level=error".into(),
        ],
    )
}

pub fn start_alertmanager(folder: &TempDir, at: SocketAddr, pager: SocketAddr) -> Tool {
    let shipped = text("deploy/alertmanager/alertmanager.yml");
    let config = hurried(&shipped).replace("127.0.0.1:9095", &pager.to_string());
    let file = folder.path().join("alertmanager.yml");
    write(&file, &config);
    Tool::start(
        &["prometheus-alertmanager", "alertmanager"],
        &[
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.path().join("alerts").display()),
            format!("--web.listen-address={at}"),
            "--cluster.listen-address=".into(),
            "--log.level=error".into(),
        ],
    )
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// The same text with durations of [`HURRY`]: of windows (`[5m]`; the space keeps a new one from being replaced again)
/// and of keys (`for: 5m`).
fn hurried(text: &str) -> String {
    let window = |line: &str| {
        HURRY.iter().fold(line.to_owned(), |line, (from, to)| {
            line.replace(&format!("[{from}]"), &format!("[ {to}]"))
        })
    };
    let key = |line: String| {
        let of_key = HURRY
            .iter()
            .find(|(from, _)| line.ends_with(&format!(": {from}")));
        match of_key {
            Some((from, to)) => line.replace(&format!(": {from}"), &format!(": {to}")),
            None => line,
        }
    };
    let lines: Vec<String> = text.lines().map(|line| key(window(line))).collect();
    lines.join("\n") + "\n"
}

/// What Prometheus answers to a query; None while it is not ready.
pub async fn ask(prometheus: SocketAddr, query: &str) -> Option<Value> {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let target = format!("/api/v1/query?query={encoded}");
    let mut client = plain::Client::connect(prometheus).await.ok()?;
    let answer = client.ask("GET", &target, &[], b"").await.ok()?;
    (answer.status != 503).then(|| answer.json())
}

/// Waits until a query has a value.
pub async fn until(prometheus: SocketAddr, query: &str, wanted: &str) {
    wait::found_within(PATIENCE, &format!("{query} is {wanted}"), async || {
        let answer = ask(prometheus, query).await.unwrap_or_default();
        if answer["data"]["result"][0]["value"][1] == wanted {
            Ok(())
        } else {
            Err(answer)
        }
    })
    .await;
}

#[test]
fn every_shipped_duration_has_a_shorter_one() {
    for file in files("prometheus/rules") {
        let shipped = text(&file);
        for line in shipped.lines() {
            let windows = line
                .split('[')
                .skip(1)
                .filter_map(|rest| rest.split_once(']'));
            let long = line
                .trim()
                .strip_prefix("for: ")
                .into_iter()
                .chain(windows.map(|(window, _)| window));
            for duration in long {
                assert!(
                    HURRY.iter().any(|(from, _)| *from == duration),
                    "{file}: {duration}"
                );
            }
        }
    }
}
