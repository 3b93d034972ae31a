//! `/log-level`: what the gateway logs about itself, changed while it runs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, AuditDetail, Problem, json};
use crate::call::Call;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SetLogLevel")]
pub(super) struct LevelRequest {
    level: LevelName,
    /// After this it is again what it was: `"5m"`. Without it the level stays.
    r#for: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "LogLevel")]
enum LevelName {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LevelPage {
    level: LevelName,
    /// What it goes back to, and when.
    then: Option<ThenPage>,
}

#[derive(Serialize, JsonSchema)]
struct ThenPage {
    level: LevelName,
    in_seconds: f64,
}

/// The longest that a request may ask for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    shown(&call)
}

pub(super) async fn set(call: Call) -> Result<Answer, Problem> {
    let wanted: LevelRequest = call.read()?;
    let time = wanted.r#for.as_deref();
    let time = time.map(|text| duration("for", text)).transpose()?;
    let level = tracing::Level::from(wanted.level);
    call.gateway.control.set_log_level(level, time);
    let mut answer = shown(&call)?;
    let detail = match time {
        Some(time) => format!("{level} for {time:?}"),
        None => level.to_string(),
    };
    answer.extensions_mut().insert(AuditDetail(detail));
    Ok(answer)
}

fn shown(call: &Call) -> Result<Answer, Problem> {
    let level = call.gateway.control.log_level();
    json(&LevelPage {
        level: level.now.into(),
        then: level.then.map(|(level, left)| ThenPage {
            level: level.into(),
            in_seconds: left.as_secs_f64(),
        }),
    })
}

/// A duration as gateway.toml writes it.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, Problem> {
    let duration = portcullis_config::duration(text);
    duration.filter(|d| *d <= LONGEST).ok_or_else(|| {
        Problem::unreadable(format!(
            "`{name}` must be a duration of a day at the most: write \"30s\" or \"5m\""
        ))
    })
}

impl From<LevelName> for tracing::Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Error => tracing::Level::ERROR,
            LevelName::Warn => tracing::Level::WARN,
            LevelName::Info => tracing::Level::INFO,
            LevelName::Debug => tracing::Level::DEBUG,
            LevelName::Trace => tracing::Level::TRACE,
        }
    }
}

impl From<tracing::Level> for LevelName {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => LevelName::Error,
            tracing::Level::WARN => LevelName::Warn,
            tracing::Level::INFO => LevelName::Info,
            tracing::Level::DEBUG => LevelName::Debug,
            tracing::Level::TRACE => LevelName::Trace,
        }
    }
}
