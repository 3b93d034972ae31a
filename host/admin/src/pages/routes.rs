//! `/routes`

use portcullis_config::plan::{RoutePlan, RulePlan};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, Problem, json};
use crate::call::Call;

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
    /// The key of gateway.toml by which it answers. None: a handler does.
    answered_by: Option<&'static str>,
    /// Some of its answers are stored.
    stores: bool,
    limits: Vec<LimitPage>,
}

#[derive(Serialize, JsonSchema)]
struct LimitPage {
    name: String,
    /// In words.
    rule: String,
    /// It is asked once the caller is known.
    needs_caller: bool,
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
        answered_by: route.answered_by(),
        stores: route.cache.is_some(),
        limits: limits(route),
    };
    let routes: Vec<RoutePage> = generation.plan.routes.iter().map(page).collect();
    json(&routes)
}

fn limits(route: &RoutePlan) -> Vec<LimitPage> {
    let rates = route.rate_limits.iter().map(|used| LimitPage {
        name: used.limit.name.to_string(),
        rule: match used.limit.rule {
            RulePlan::Gcra { limit, per, .. } | RulePlan::SlidingWindow { limit, per } => {
                format!("{limit} in {per:?}")
            }
            RulePlan::Quota { limit, period } => format!("{limit} a {period:?}").to_lowercase(),
        },
        needs_caller: used.limit.per.needs_caller(),
    });
    let places = route.max_concurrent.iter().map(|used| LimitPage {
        name: used.name.to_string(),
        rule: format!("{} at once", used.limit),
        needs_caller: used.per.needs_caller(),
    });
    rates.chain(places).collect()
}
