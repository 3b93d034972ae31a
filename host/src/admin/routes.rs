//! `/routes`

use portcullis_config::plan::RoutePlan;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{Answer, Problem, json};
use super::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct RoutePage {
    name: String,
    /// Empty: every method.
    methods: Vec<String>,
    /// Empty: every host.
    hosts: Vec<String>,
    path: String,
    public: bool,
    plugins: Vec<String>,
    upstream: Option<String>,
}

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    let generation = call.gate()?.lease();
    let page = |route: &RoutePlan| RoutePage {
        name: route.name.to_string(),
        methods: route.methods.clone(),
        hosts: route.hosts.clone(),
        path: route.path.text.clone(),
        public: route.public,
        plugins: route.plugins.iter().map(|p| p.name.to_string()).collect(),
        upstream: route.upstream(),
    };
    let routes: Vec<RoutePage> = generation.plan.routes.iter().map(page).collect();
    json(&routes)
}
