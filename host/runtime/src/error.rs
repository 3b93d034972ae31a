//! What can go wrong in a plugin's life, and in one call of it.

use std::path::PathBuf;
use std::time::Duration;

use portcullis_exchange::Refusal;

use crate::kind::Kind;

/// Why a component is not serving. Each variant is one step of its life and says what to do next.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    #[error("discover: cannot read {}: {problem}. Build it, or put it there by renaming", path.display())]
    Read { path: PathBuf, problem: String },
    #[error("discover: {} is {size} bytes, more than the {limit} allowed for a component", path.display())]
    TooBig {
        path: PathBuf,
        size: u64,
        limit: u64,
    },
    #[error(
        "compile: not a valid component: {0}. Was it copied completely? Drop files by renaming them into the folder"
    )]
    Compile(String),
    #[error("compile: this is a core module, not a component. Build it for wasm32-wasip2")]
    CoreModule,
    #[error(
        "verify: it exports no plugin interface of portcullis:plugin@0.1 (authenticator, authorizer, filter, handler); it exports {0}"
    )]
    NotAPlugin(String),
    #[error(
        "verify: it exports several plugin interfaces ({0}); a component is one plugin of one kind"
    )]
    SeveralKinds(String),
    #[error("verify: it is a{} {is}, but its routes use it as a{} {was}", article(*is), article(*was))]
    KindChanged { was: Kind, is: Kind },
    #[error(
        "verify: it imports {0}, which no plugin is given. Plugins see no files, sockets, clocks or environment; use the SDK instead"
    )]
    Ungranted(String),
    /// WIT names, and the lines that would grant them.
    #[error(
        "verify: it imports {imports}, which it is not granted. If it should have it, write `grants = {{ {remedy} }}` in its table"
    )]
    NotGranted { imports: String, remedy: String },
    #[error("verify: {0}")]
    Link(String),
    #[error("configure: {problem}, which is {limit} bytes. Raise limits.memory")]
    Memory { problem: String, limit: usize },
    #[error("configure: it refused its settings: {0}")]
    Settings(String),
    #[error("configure: it failed: {0}")]
    Configure(String),
    #[error("configure: it took longer than {0:?}")]
    ConfigureTime(Duration),
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Authenticator | Kind::Authorizer => "n",
        Kind::Filter | Kind::Handler => "",
    }
}

/// How one call of a plugin ended without a decision to go on.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin's decision, not a failure.
    #[error("refused: {reason:?}", reason = .0.reason)]
    Refused(Box<Refusal>),
    #[error("the plugin reported a failure: {0}")]
    Failed(String),
    #[error("the plugin trapped: {0}")]
    Trapped(String),
    #[error("the plugin ran longer than its {0:?}")]
    TimedOut(Duration),
    #[error("the plugin answered with something invalid: {0}")]
    Invalid(String),
    #[error("all plugin instances are in use")]
    Overloaded,
}

impl CallError {
    /// Whether the plugin, and not the request, is at fault.
    pub fn is_failure(&self) -> bool {
        !matches!(self, CallError::Refused(_))
    }
}
