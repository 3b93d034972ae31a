//! The gateway's own log, on stderr: stdout belongs to the access log. Its level can be changed while it runs.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use portcullis_admin::LogLevel;
use portcullis_proxy::audit;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Metadata;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// How much is logged.
pub(crate) struct Level {
    filter: reload::Handle<LevelFilter, Registry>,
    state: Mutex<State>,
}

struct State {
    now: tracing::Level,
    /// What it goes back to.
    lasting: tracing::Level,
    passing: Option<Passing>,
}

/// A level for a while.
struct Passing {
    until: Instant,
    end: JoinHandle<()>,
}

/// Begins the log, at the level that `PORTCULLIS_LOG` names.
///
/// Audit lines are JSON for log collectors, and look like every other line at a terminal. They are
/// written whatever the level is.
pub(crate) fn start() -> Arc<Level> {
    let level = level();
    let terminal = std::io::stderr().is_terminal();
    let is_audit = |metadata: &Metadata<'_>| metadata.target() == audit::TARGET;
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    // A filter that names no level lets tracing make every span and event of every crate, only to drop it: a tenth of
    // an HTTP/2 request and more.
    let others = filter_fn(move |metadata| !is_audit(metadata));
    let others = others.with_max_level_hint(LevelFilter::TRACE);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(terminal)
        .with_filter(filter.and(others));
    let audits = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let audits = if terminal {
        audits.with_ansi(true).boxed()
    } else {
        audits.json().flatten_event(true).boxed()
    };
    let audits = audits.with_filter(filter_fn(is_audit).with_max_level_hint(LevelFilter::INFO));
    // Fails only if there is a log already.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(audits)
        .try_init();
    Arc::new(Level {
        filter: handle,
        state: Mutex::new(State {
            now: level,
            lasting: level,
            passing: None,
        }),
    })
}

fn level() -> tracing::Level {
    match std::env::var("PORTCULLIS_LOG").as_deref() {
        Ok("error") => tracing::Level::ERROR,
        Ok("warn") => tracing::Level::WARN,
        Ok("debug") => tracing::Level::DEBUG,
        Ok("trace") => tracing::Level::TRACE,
        _ => tracing::Level::INFO,
    }
}

impl Level {
    pub(crate) fn shown(&self) -> LogLevel {
        let state = self.state();
        let left = |passing: &Passing| passing.until.saturating_duration_since(Instant::now());
        LogLevel {
            now: state.now,
            then: state.passing.as_ref().map(|p| (state.lasting, left(p))),
        }
    }

    /// For good, or for a while, after which it is what it was for good. Within a Tokio runtime.
    pub(crate) fn set(self: &Arc<Self>, level: tracing::Level, time: Option<Duration>) {
        let mut state = self.state();
        if let Some(passing) = state.passing.take() {
            passing.end.abort();
        }
        state.passing = time.map(|time| Passing {
            until: Instant::now() + time,
            end: tokio::spawn(self.clone().end(time)),
        });
        if time.is_none() {
            state.lasting = level;
        }
        state.now = level;
        self.apply(level);
    }

    async fn end(self: Arc<Self>, time: Duration) {
        tokio::time::sleep(time).await;
        let mut state = self.state();
        state.passing = None;
        state.now = state.lasting;
        self.apply(state.now);
    }

    fn apply(&self, level: tracing::Level) {
        // Fails only where the log is gone, and then there is no level.
        let _ = self.filter.reload(LevelFilter::from_level(level));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole.
        self.state.lock()
    }
}
