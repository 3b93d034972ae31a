//! `/cache`: what is stored, and what is to go.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use portcullis_proxy::{Purge, PurgeError, Route, RouteStatistics, Statistics};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, AuditDetail, Problem, json};
use crate::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct CachePage {
    #[serde(flatten)]
    store: Statistics,
    routes: BTreeMap<String, RouteStatistics>,
}

/// One of `{"url": …}`, `{"prefix": …}`, `{"tag": …}` and `{"everything": true}`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schemars(rename = "Purge")]
pub(super) enum PurgeRequest {
    /// As clients ask for it, `http://host/path?query`; or a path, of every host.
    Url(String),
    /// The beginning of a path, or of a URL.
    Prefix(String),
    /// Of `Surrogate-Key` or `Cache-Tag`.
    Tag(String),
    Everything(bool),
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PurgedPage {
    purged: usize,
}

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    let gate = call.gate()?;
    let generation = gate.lease();
    let figures = |route: &Arc<Route>| {
        let statistics = route.cache.as_ref()?.statistics();
        Some((route.name.to_string(), statistics))
    };
    json(&CachePage {
        store: gate.cache.statistics(),
        routes: generation.routes.iter().filter_map(figures).collect(),
    })
}

pub(super) async fn purge(call: Call) -> Result<Answer, Problem> {
    let cache = call.gate()?.cache.clone();
    let wanted = wanted(&call)?;
    let what = wanted.to_string();
    // It looks through the whole store.
    let purged = tokio::task::spawn_blocking(move || cache.purge(&wanted)).await;
    let purged = purged.map_err(|error| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "failed", error.to_string())
    })?;
    // The disk tier fails, or does not answer.
    let purged = purged.map_err(|error: PurgeError| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Problem::new(status, "incomplete", error.to_string())
    })?;
    let mut answer = json(&PurgedPage { purged })?;
    let detail = AuditDetail(format!("{what}: {purged} responses"));
    answer.extensions_mut().insert(detail);
    Ok(answer)
}

fn wanted(call: &Call) -> Result<Purge, Problem> {
    let wanted: PurgeRequest = call.read().map_err(|problem| {
        let known = r#"send one of {"url": "http://host/path"}, {"prefix": "/path"}, {"tag": "name"} and {"everything": true}"#;
        Problem::unreadable(format!("{}; {known}", problem.detail))
    })?;
    let purge = match wanted {
        PurgeRequest::Url(url) => Purge::url(&url),
        PurgeRequest::Prefix(prefix) => Purge::prefix(&prefix),
        PurgeRequest::Tag(tag) => Ok(Purge::Tag(tag)),
        PurgeRequest::Everything(true) => Ok(Purge::Everything),
        PurgeRequest::Everything(false) => {
            return Err(Problem::unreadable("`everything` is true or not there"));
        }
    };
    purge.map_err(|error: PurgeError| Problem::unreadable(error.to_string()))
}
