//! Progress while somebody waits: a line on a terminal that disappears when the work is done, and nothing anywhere else.
//! Logs of CI and of services are read later, when nobody waits any more.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line that waits shows that it lives.
const TICK: Duration = Duration::from_millis(120);

/// The line, or nothing.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// On stderr, if that is a terminal and a person is likely to read it.
    pub fn shown() -> Progress {
        if std::env::var_os("CI").is_some() {
            return Progress::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {msg} {pos}/{len} ({elapsed})");
        let bar = ProgressBar::new(0);
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// For work next to requests: their log lines are on that terminal.
    pub fn hidden() -> Progress {
        Progress(ProgressBar::hidden())
    }

    /// So many pieces of work begin.
    pub fn begin(&self, what: &'static str, pieces: usize) {
        self.0.set_length(pieces as u64);
        self.0.set_position(0);
        self.0.set_message(what);
        if pieces > 0 && !self.0.is_hidden() {
            self.0.enable_steady_tick(TICK);
        }
    }

    /// One of them is done.
    pub fn one_more(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
