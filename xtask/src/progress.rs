//! Progress where one waits: a line on a terminal that goes when the work is done, and nothing anywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(120);

#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// So many pieces of work.
    pub(crate) fn of(pieces: usize) -> Progress {
        let bar = ProgressBar::new(pieces as u64);
        let style = "{spinner} {pos}/{len} {msg} ({elapsed}, {eta} to go)";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Progress::ticking(bar)
    }

    /// Work that does not say how far it is.
    pub(crate) fn wait(what: String) -> Progress {
        let bar = ProgressBar::no_length().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        Progress::ticking(bar)
    }

    /// The next piece begins.
    pub(crate) fn next(&self, what: &'static str) {
        self.0.set_message(what);
    }

    pub(crate) fn one_more(&self) {
        self.0.inc(1);
    }

    /// Prints above the line.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    fn ticking(bar: ProgressBar) -> Progress {
        // Terminals of CI have nobody before them.
        if std::env::var_os("CI").is_some() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Progress(bar)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
