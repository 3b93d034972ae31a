//! The port to the process around the listener: what an operator may have it do. The binary implements it, and nothing
//! here knows how. What the process reports back is in `status.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

/// Something for the supervisor, which swaps generations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read gateway.toml, the plugins and the files of TLS again, and serve whatever changed.
    Reload,
    /// Serve the version of this plugin that served before.
    RollBack(Arc<str>),
    /// Serve the version of this plugin that is in its file.
    Unpin(Arc<str>),
}

/// Why an action was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionError {
    /// Nothing was changed. A report for people, which may quote gateway.toml.
    Refused(String),
    /// The supervisor has ended.
    ShuttingDown,
}

/// One line for people once the action is done.
pub type ActionResult = Result<String, ActionError>;

/// How much the gateway logs about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLevel {
    pub now: Level,
    /// The level that follows, and how long until then.
    pub then: Option<(Level, Duration)>,
}

/// The process whose admin listener this is.
pub trait Control: Send + Sync {
    /// Has the supervisor carry out an action, and waits until that is done.
    fn perform(&self, action: Action) -> Pin<Box<dyn Future<Output = ActionResult> + Send + '_>>;

    /// Begins to drain, or brings the end of a drain forward; never defers it. Returns how long connections are still
    /// accepted.
    fn drain(&self, grace: Duration) -> Duration;

    fn is_draining(&self) -> bool;

    fn log_level(&self) -> LogLevel;

    /// Permanently, or for a time, after which the last permanent level is back. Within a Tokio runtime.
    fn set_log_level(&self, level: Level, time: Option<Duration>);
}
