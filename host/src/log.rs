//! The gateway's own log, on stderr: stdout belongs to the access log.

use std::io::IsTerminal;

use portcullis_proxy::audit;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Audit lines are JSON for whoever collects them, and like every other line for a person at a terminal. They are
/// written whatever the level is.
pub(crate) fn start() {
    let terminal = std::io::stderr().is_terminal();
    let is_audit = |metadata: &Metadata<'_>| metadata.target() == audit::TARGET;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(terminal)
        .with_filter(LevelFilter::from_level(level()))
        .with_filter(filter_fn(move |metadata| !is_audit(metadata)));
    let audits = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let audits = if terminal {
        audits.with_ansi(true).boxed()
    } else {
        audits.json().flatten_event(true).boxed()
    };
    let audits = audits.with_filter(filter_fn(is_audit));
    // Fails only if there is a log already.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(audits)
        .try_init();
}

fn level() -> Level {
    match std::env::var("PORTCULLIS_LOG").as_deref() {
        Ok("error") => Level::ERROR,
        Ok("warn") => Level::WARN,
        Ok("debug") => Level::DEBUG,
        Ok("trace") => Level::TRACE,
        _ => Level::INFO,
    }
}
