//! An OTLP collector that is none of ours: `tests/peers/collector.py`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::peer;
use crate::wait;

/// It ends with its stdin.
#[derive(Debug)]
pub struct Collector {
    pub http: u16,
    pub grpc: u16,
    lines: Arc<Mutex<Vec<Value>>>,
    child: Child,
}

impl Collector {
    pub fn start() -> Self {
        Self::run(None)
    }

    /// One that answers everything with an HTTP status, or the gRPC status of that name.
    pub fn refusing(status: &str) -> Self {
        Self::run(Some(status))
    }

    fn run(status: Option<&str>) -> Self {
        let mut child = Command::new(peer::python())
            .arg(peer::script("collector.py"))
            .args(status)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it prints its ports");
        let ports: Vec<u16> = line
            .split_whitespace()
            .filter_map(|p| p.parse().ok())
            .collect();
        let [http, grpc] = ports[..] else {
            panic!("{line:?} are no ports");
        };
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let all = lines.clone();
        std::thread::spawn(move || {
            let read = stdout.lines().map_while(Result::ok);
            for value in read.filter_map(|line| serde_json::from_str(&line).ok()) {
                all.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(value);
            }
        });
        Self {
            http,
            grpc,
            lines,
            child,
        }
    }

    /// What came so far: a span each, or `{"refused": …}`.
    pub fn seen(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }

    /// Waits until what came is as wanted.
    pub async fn until(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait::found("spans", async || {
            let seen = self.seen();
            if wanted(&seen) {
                Ok(seen)
            } else {
                Err(format!("this is all that came: {seen:#?}"))
            }
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}
