//! `/plugins/{name}/…`: the versions of a plugin, back to the one before, and forward to that of its file.

use std::sync::Arc;

use http::StatusCode;

use super::reload;
use crate::answer::{Answer, Problem, json};
use crate::call::Call;
use crate::control::Action;

pub(super) async fn history(call: Call) -> Result<Answer, Problem> {
    let name = plugin(&call)?;
    json(&call.gateway.status.history.entries(&name))
}

pub(super) async fn roll_back(call: Call) -> Result<Answer, Problem> {
    let name = plugin(&call)?;
    reload::perform(&call, Action::RollBack(name), StatusCode::CONFLICT).await
}

pub(super) async fn unpin(call: Call) -> Result<Answer, Problem> {
    let name = plugin(&call)?;
    reload::perform(&call, Action::Unpin(name), StatusCode::CONFLICT).await
}

/// The name of one that serves.
fn plugin(call: &Call) -> Result<Arc<str>, Problem> {
    let name = call.param("name");
    let generation = call.gate()?.lease();
    let known = generation.plugins.get_key_value(name);
    known
        .map(|(name, _)| name.clone())
        .ok_or_else(|| Problem::not_found(format!("no plugin is named `{name}`")))
}
