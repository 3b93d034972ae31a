//! `/upstreams`

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_proxy::{ServerView, Upstream};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, Problem, json};
use crate::call::Call;

/// The servers of each upstream, by its name.
#[derive(Serialize, JsonSchema)]
pub(super) struct UpstreamsPage(BTreeMap<String, Vec<ServerView>>);

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    let generation = call.gate()?.lease();
    let page = |(name, upstream): (&Arc<str>, &Arc<Upstream>)| (name.to_string(), upstream.view());
    json(&UpstreamsPage(
        generation.upstreams.iter().map(page).collect(),
    ))
}
