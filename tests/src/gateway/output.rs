//! What a process says, collected while it runs so that it never blocks on a full pipe.

use std::io::{BufRead, BufReader, Read};
use std::process::ChildStdout;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

#[derive(Debug)]
pub(super) struct Lines {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Open, and not read.
    _unread: Option<ChildStdout>,
}

impl Lines {
    pub(super) fn read(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let shared = text.clone();
        let reader = thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut text = shared.lock().expect("nothing panics under this lock");
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self {
            text,
            reader: Some(reader),
            _unread: None,
        }
    }

    /// Keeps a pipe open without reading it.
    pub(super) fn unread(stream: ChildStdout) -> Self {
        Self {
            text: Arc::default(),
            reader: None,
            _unread: Some(stream),
        }
    }

    pub(super) fn text(&self) -> String {
        self.text
            .lock()
            .expect("nothing panics under this lock")
            .clone()
    }

    /// After the process ended: waits for its last line.
    pub(super) fn settle(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
    }
}
