//! curl, as people use it. It decodes what it asked for to be encoded.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use super::Answer;
use super::answer::head;

/// No answer takes longer in any test, in seconds.
const PATIENCE: &str = "30";

/// A curl that is running. Dropped: ended.
#[derive(Debug)]
pub struct Curl(Child);

/// Runs curl to its end; gives the last answer with its body as curl would show it.
///
/// Blocks: with a test's servers in the same process, the test needs a runtime of several threads.
pub fn curl(arguments: &[&str]) -> Answer {
    tokio::task::block_in_place(|| {
        let output = command(arguments)
            .arg("--include")
            .output()
            .unwrap_or_else(|error| panic!("curl: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "curl {arguments:?}: {said}");
        let mut bytes = output.stdout.as_slice();
        loop {
            let found = last(bytes);
            let rest = &bytes[found.1..];
            if !rest.starts_with(b"HTTP/") {
                let mut answer = found.0;
                answer.body = rest.to_vec();
                return answer;
            }
            bytes = rest;
        }
    })
}

/// An answer's head and its length. HTTP/2 has no version with a point, which the test client insists on.
fn last(bytes: &[u8]) -> (Answer, usize) {
    let (shown, more) = match bytes.strip_prefix(b"HTTP/2 ") {
        Some(rest) => ([b"HTTP/1.1 ", rest].concat(), 2),
        None => (bytes.to_vec(), 0),
    };
    let head = head(&shown, "GET").expect("curl shows a whole head");
    (head.answer, head.used - more)
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", PATIENCE])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

// === impl Curl ===

impl Curl {
    /// Runs it while the answer comes.
    pub fn start(arguments: &[&str]) -> Curl {
        let child = command(arguments).arg("--no-buffer").spawn();
        Curl(child.unwrap_or_else(|error| panic!("curl: {error}")))
    }

    /// The next bytes of the body, exactly so many.
    pub fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        let out = self.0.stdout.as_mut().expect("stdout is piped");
        tokio::task::block_in_place(|| out.read_exact(&mut read))
            .unwrap_or_else(|error| panic!("curl's output: {error}"));
        read
    }

    /// What is left of the body.
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let out = self.0.stdout.as_mut().expect("stdout is piped");
        tokio::task::block_in_place(|| out.read_to_end(&mut rest))
            .unwrap_or_else(|error| panic!("curl's output: {error}"));
        rest
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}
