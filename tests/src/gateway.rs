//! The real gateway, run as its users run it: a process, a gateway.toml, a plugin folder, signals.

mod artefacts;
mod folder;
mod output;
mod ports;
mod setup;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::{Child, ExitStatus, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use self::output::Lines;
use crate::client::{Answer, plain};
use crate::wait;

pub use self::artefacts::{
    binary, digest, guest, guest_path, repository, target, with_custom_section,
};
pub use self::folder::replace_file;
pub use self::ports::free;
pub use self::setup::Setup;

/// Loading compiles every component, on a machine that may be busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(90);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// Where one gateway listens.
#[derive(Debug, Clone, Copy)]
pub struct Listeners {
    pub http: SocketAddr,
    pub h2c: SocketAddr,
    /// Where the text says `{https}`.
    pub https: SocketAddr,
    pub admin: SocketAddr,
}

/// A running gateway. Dropped: SIGTERM, then SIGKILL.
#[derive(Debug)]
pub struct Gateway {
    pub listen: Listeners,
    setup: Setup,
    directory: TempDir,
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Gateway {
    /// Runs the gateway on `toml` without plugins; `[listen]` is added.
    pub async fn start(toml: &str) -> Self {
        Setup::new(toml).start().await
    }

    /// Waits for /readyz.
    async fn ready(mut self) -> Result<Self, String> {
        let end = Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                self.stderr.settle();
                return Err(format!(
                    "the gateway ended with {status}:\n{}",
                    self.stderr.text()
                ));
            }
            if self.is_ready().await {
                return Ok(self);
            }
            if Instant::now() > end {
                return Err(format!(
                    "not ready within {READY_WITHIN:?}:\n{}",
                    self.stderr.text()
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn is_ready(&self) -> bool {
        if self.setup.has_admin_tls() {
            return self.stderr.text().contains("the gate is up");
        }
        self.readyz().await == Some(200)
    }

    async fn readyz(&self) -> Option<u16> {
        let mut client = crate::client::Client::connect(self.listen.admin)
            .await
            .ok()?;
        client
            .ask("GET", "/readyz", &[("host", "localhost")], b"")
            .await
            .ok()
            .map(|answer| answer.status)
    }

    // --- traffic ---

    pub async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", target, headers, b"").await
    }

    /// A request on a connection of its own.
    pub async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        plain::once(self.listen.http, method, target, headers, body).await
    }

    pub async fn admin(&self, method: &str, path: &str) -> Answer {
        self.ask_admin(method, path, &[], b"").await
    }

    /// A request to the admin listener, by its address unless `headers` have a Host.
    pub async fn ask_admin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let host = self.listen.admin.to_string();
        let named = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("host");
        let mut headers = headers.to_vec();
        if !headers.iter().any(named) {
            headers.push(("host", &host));
        }
        plain::once(self.listen.admin, method, path, &headers, body).await
    }

    /// The entry of a plugin on /plugins.
    pub async fn plugin(&self, name: &str) -> Value {
        let page = self.admin("GET", "/plugins").await.json();
        let list = page.as_array().or_else(|| page["plugins"].as_array());
        let list = list.unwrap_or_else(|| panic!("/plugins holds no list: {page}"));
        let entry = list.iter().find(|entry| entry["name"] == name);
        entry
            .unwrap_or_else(|| panic!("/plugins does not name {name}: {page}"))
            .clone()
    }

    /// Waits until the entry of a plugin is as wanted; returns it and how long that took.
    pub async fn plugin_until(
        &self,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> (Value, Duration) {
        let begin = Instant::now();
        let what = format!("another entry of {name} on /plugins");
        let entry = wait::found(&what, async || {
            let entry = self.plugin(name).await;
            if wanted(&entry) {
                Ok(entry)
            } else {
                Err(entry)
            }
        });
        (entry.await, begin.elapsed())
    }

    // --- what it says ---

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits for an access-log line that is as wanted.
    pub async fn log_line(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        wait::found("a line of the access log", async || {
            let lines = self.stdout.text();
            let values = lines
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            values.into_iter().find(&wanted).ok_or(lines)
        })
        .await
    }

    /// Waits for a text on stderr.
    pub async fn says(&self, text: &str) {
        wait::until(&format!("{text:?} on stderr"), async || {
            self.stderr.text().contains(text)
        })
        .await;
    }

    /// Everything it said on both streams.
    pub fn everything_said(&self) -> String {
        self.stdout.text() + &self.stderr.text()
    }

    /// The value of one sample of /metrics, named with its labels; None while there is none.
    pub async fn metric(&self, sample: &str) -> Option<u64> {
        let page = self.admin("GET", "/metrics").await.text();
        page.lines().find_map(|line| {
            let value = line.strip_prefix(sample)?.strip_prefix(' ')?;
            value.parse().ok()
        })
    }

    /// Waits until a sample has a value: what is counted at the end of something is counted after a client saw it.
    pub async fn metric_is(&self, sample: &str, wanted: u64) {
        wait::found(&format!("{sample} {wanted}"), async || {
            let seen = self.metric(sample).await;
            if seen == Some(wanted) {
                Ok(())
            } else {
                Err(format!("it is {seen:?}"))
            }
        })
        .await;
    }

    // --- what is done to it ---

    /// Replaces gateway.toml, keeping the listeners.
    pub fn rewrite(&self, toml: &str) {
        let text = self.setup.text(toml, &self.listen);
        let path = self.directory.path().join("gateway.toml");
        replace_file(&path, text.as_bytes()).expect("the temporary directory is writable");
    }

    /// Replaces a file beside gateway.toml.
    pub fn replace(&self, file: &str, text: &str) {
        let path = self.directory.path().join(file);
        replace_file(&path, text.as_bytes()).expect("the temporary directory is writable");
    }

    /// A file beside gateway.toml; None while there is none.
    pub fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.directory.path().join(file)).ok()
    }

    /// Renames a file beside gateway.toml.
    pub fn rename(&self, from: &str, to: &str) {
        let at = |file| self.directory.path().join(file);
        fs::rename(at(from), at(to)).expect("it is there");
    }

    /// Waits for a text in a file beside gateway.toml.
    pub async fn file_says(&self, file: &str, text: &str) {
        wait::found(&format!("{text:?} in {file}"), async || {
            let held = self.read(file);
            if held.as_ref().is_some_and(|held| held.contains(text)) {
                Ok(())
            } else {
                Err(held.unwrap_or_else(|| String::from("there is no such file")))
            }
        })
        .await;
    }

    /// Drops a file into the plugin folder: temporary name, fsync, rename.
    pub fn drop_plugin(&self, file: &str, bytes: &[u8]) {
        let path = self.directory.path().join("plugins.d").join(file);
        replace_file(&path, bytes).expect("the temporary directory is writable");
    }

    /// Takes a file out of the plugin folder.
    pub fn remove_plugin(&self, file: &str) {
        fs::remove_file(self.directory.path().join("plugins.d").join(file)).expect("it was there");
    }

    /// Writes a file into the plugin folder as a careless copy would: in place, in pieces, over `time`.
    pub fn write_plugin_slowly(&self, file: &str, bytes: &[u8], time: Duration) {
        let path = self.directory.path().join("plugins.d").join(file);
        folder::write_slowly(&path, bytes, time).expect("the temporary directory is writable");
    }

    /// Runs another `portcullis` command on the same gateway.toml.
    pub fn command(&self, name: &str) -> io::Result<Output> {
        let config = self.directory.path().join("gateway.toml");
        self.setup.command(name, &config).output()
    }

    /// Runs another `portcullis` command without a gateway.toml, in the directory of this one.
    pub fn command_here(&self, name: &str, environment: &[(&str, &str)]) -> io::Result<Output> {
        let mut command = std::process::Command::new(binary());
        command
            .args(name.split(' '))
            .current_dir(self.directory.path());
        command.envs(environment.iter().copied()).output()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("the child runs");
    }

    /// Resident memory in KiB.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that resident memory ever was, in KiB.
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// A line of /proc/PID/status (proc_pid_status(5)).
    fn memory(&self, name: &str) -> u64 {
        let file = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("every process has it");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number of kB")
    }

    /// SIGTERM; waits for the end.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        // It may be gone already; then there is a status to collect all the same.
        let _gone = kill_process(self.process(), Signal::TERM);
        self.wait(STOPPED_WITHIN)
    }

    /// Waits for the end, None if it does not come.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(POLL);
        }
        None
    }

    fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.stop().is_none() {
            eprintln!("the gateway ignored SIGTERM for {STOPPED_WITHIN:?}; killed");
            // Nothing is left to try after this.
            let _killed = self.child.kill();
            let _reaped = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the gateway's stderr ---\n{}", self.stderr());
        }
    }
}
