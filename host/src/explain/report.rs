//! What is explained, in one piece: both outputs are views of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use portcullis_config::plan::{
    Balance, HashBy, KeyPart, LimitPlan, Period, Plan, RoutePlan, RulePlan, ServerSource,
};
use portcullis_exchange::Target;
use portcullis_proxy::explain::{Answer, Step, Trail};
use portcullis_proxy::{Fit, ServerView, Upstream, Wanted};
use serde::Serialize;

use super::request::Asked;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) routes: Vec<RouteReport>,
    /// What the route demands of requests and does to answers, for every client.
    pub(super) edge: Vec<String>,
    /// The limits of the route and what they count.
    pub(super) limits: Vec<LimitReport>,
    pub(super) trail: Trail,
    /// Where a rehearsal ends: who may be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) balance: Option<BalanceReport>,
    pub(super) answer: AnswerReport,
}

#[derive(Serialize)]
pub(super) struct RouteReport {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) chosen: bool,
    pub(super) why: String,
}

#[derive(Serialize)]
pub(super) struct LimitReport {
    pub(super) name: String,
    pub(super) rule: String,
    /// None: it was not asked.
    pub(super) says: Option<String>,
}

#[derive(Serialize)]
pub(super) struct BalanceReport {
    pub(super) upstream: String,
    pub(super) policy: String,
    pub(super) servers: Vec<ServerView>,
    /// Names that are looked up when the gateway runs.
    pub(super) names: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct AnswerReport {
    /// None: that is for a server to say.
    pub(super) status: Option<u16>,
    pub(super) says: String,
    /// The answer's RateLimit fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rate_limits: Vec<String>,
    pub(super) bytes: usize,
}

impl Report {
    pub(super) fn new(plan: &Plan, asked: &Asked, answer: &Answer, trail: Trail) -> Report {
        let route = trail.route.as_deref();
        let route = route.and_then(|name| plan.routes.iter().find(|r| &*r.name == name));
        Report {
            method: asked.method.to_string(),
            url: asked.url(),
            routes: routes(plan, asked, trail.route.as_deref()),
            edge: route.map_or_else(Vec::new, |route| edge(plan, route)),
            limits: route.map_or_else(Vec::new, |route| limits(route, &trail)),
            answer: AnswerReport::of(answer, &trail, route),
            balance: None,
            trail,
        }
    }

    pub(super) fn with_servers(
        mut self,
        plan: &Plan,
        upstreams: &BTreeMap<Arc<str>, Arc<Upstream>>,
    ) -> Report {
        let named = self.trail.upstream.as_deref();
        let known = named.and_then(|name| Some((upstreams.get(name)?, plan.upstream.get(name)?)));
        self.balance = known.map(|(upstream, plan)| BalanceReport {
            upstream: upstream.name.to_string(),
            policy: policy(&plan.balance),
            servers: upstream.view(),
            names: plan
                .servers
                .iter()
                .filter(|server| !matches!(server.source, ServerSource::Address(_)))
                .map(|server| server.source.to_string())
                .collect(),
        });
        self
    }
}

/// Every route, in the order of the file, with what spoke for or against it.
fn routes(plan: &Plan, asked: &Asked, chosen: Option<&str>) -> Vec<RouteReport> {
    let rules = plan.listen.admission.paths;
    let Ok(target) = Target::parse_by(asked.target.as_str(), rules) else {
        return Vec::new();
    };
    let host = asked.host();
    let wanted = Wanted {
        host: &host,
        target: &target,
        method: &asked.method,
        headers: &asked.headers,
    };
    let preflight = asked.method == Method::OPTIONS;
    let report = |route: &RoutePlan| {
        let is_chosen = chosen == Some(&*route.name);
        let why = match Fit::of(route, wanted) {
            _ if is_chosen => "takes it".to_owned(),
            Fit::Whole if chosen.is_some() && !preflight => {
                "would take it too, but is less specific".to_owned()
            }
            fit => fit.to_string(),
        };
        RouteReport {
            name: route.name.to_string(),
            path: route.path.text.clone(),
            chosen: is_chosen,
            why,
        }
    };
    plan.routes.iter().map(report).collect()
}

fn edge(plan: &Plan, route: &RoutePlan) -> Vec<String> {
    let mut lines = Vec::new();
    for (whose, access) in [("the gateway", &plan.access), ("the route", &route.access)] {
        let list = |nets: &[_]| {
            let nets: Vec<String> = nets
                .iter()
                .map(|net: &ipnet::IpNet| net.to_string())
                .collect();
            nets.join(", ")
        };
        if !access.allow.is_empty() {
            lines.push(format!("{whose} lets in {}", list(&access.allow)));
        }
        if !access.deny.is_empty() {
            lines.push(format!("{whose} keeps out {}", list(&access.deny)));
        }
    }
    if route.maintenance.on {
        lines.push("closed for maintenance".to_owned());
    }
    if route.redirect_https {
        lines.push("clients in clear text are sent to https".to_owned());
    }
    if route.cors.is_some() {
        lines.push("CORS is answered here".to_owned());
    }
    if let Some(compress) = &route.compress {
        let names: Vec<String> = compress
            .encodings
            .iter()
            .map(|e| format!("{e:?}"))
            .collect();
        lines.push(format!(
            "answers are compressed: {}",
            names.join(", ").to_lowercase()
        ));
    }
    if let Some(mirror) = &route.mirror {
        let (share, to) = (mirror.share, &mirror.upstream);
        lines.push(format!("{share} % of requests are copied to {to}"));
    }
    if let Some(deadline) = route.guards.deadline {
        lines.push(format!("everything has to be over after {deadline:?}"));
    }
    lines.push(format!("bodies have at most {} bytes", route.max_body));
    lines
}

fn limits(route: &RoutePlan, trail: &Trail) -> Vec<LimitReport> {
    let says = |name: &str| {
        let of = |step: &&Step| step.step.starts_with("limit_") && step.of == name;
        trail.steps.iter().find(of).map(|step| step.outcome.clone())
    };
    let rates = route.rate_limits.iter().map(|used| LimitReport {
        name: used.limit.name.to_string(),
        rule: rule(&used.limit),
        says: says(&used.limit.name),
    });
    let rooms = route.max_concurrent.iter().map(|room| LimitReport {
        name: room.name.to_string(),
        rule: format!("{} at once per {}", room.limit, per(&room.per.parts)),
        says: says(&room.name),
    });
    rates.chain(rooms).collect()
}

fn rule(limit: &LimitPlan) -> String {
    let per = per(&limit.per.parts);
    let dry = if limit.dry_run { ", only watched" } else { "" };
    match limit.rule {
        RulePlan::Gcra {
            limit,
            per: time,
            burst,
        } if limit == burst => {
            format!("{limit} in {time:?} per {per}{dry}")
        }
        RulePlan::Gcra {
            limit,
            per: time,
            burst,
        } => {
            format!("{limit} in {time:?} (bursts of {burst}) per {per}{dry}")
        }
        RulePlan::SlidingWindow { limit, per: time } => {
            format!("{limit} in any {time:?} per {per}{dry}")
        }
        RulePlan::Quota { limit, period } => {
            let period = match period {
                Period::Day => "day",
                Period::Month => "month",
            };
            format!("{limit} each {period} per {per}{dry}")
        }
    }
}

fn per(parts: &[KeyPart]) -> String {
    let word = |part: &KeyPart| match part {
        KeyPart::ClientIp => "client_ip".to_owned(),
        KeyPart::Caller => "caller".to_owned(),
        KeyPart::Route => "route".to_owned(),
        KeyPart::TlsSubject => "tls_subject".to_owned(),
        KeyPart::ApiKey => "api_key".to_owned(),
        KeyPart::Header(name) => format!("header:{name}"),
    };
    match parts {
        [] => "everyone".to_owned(),
        parts => parts.iter().map(word).collect::<Vec<_>>().join("+"),
    }
}

fn policy(balance: &Balance) -> String {
    match balance {
        Balance::RoundRobin => "round_robin".to_owned(),
        Balance::LeastConnections => "least_connections".to_owned(),
        Balance::PowerOfTwo => "power_of_two".to_owned(),
        Balance::Ewma => "ewma".to_owned(),
        Balance::PeakEwma => "peak_ewma".to_owned(),
        Balance::Hash(HashBy::Header(name)) => format!("hash of the header {name}"),
        Balance::Hash(HashBy::Caller) => "hash of the caller".to_owned(),
        Balance::Hash(HashBy::ClientIp) => "hash of the client's address".to_owned(),
    }
}

impl AnswerReport {
    fn of(answer: &Answer, trail: &Trail, route: Option<&RoutePlan>) -> AnswerReport {
        let rate_limits = answer.headers.get_all("ratelimit").iter();
        let rate_limits = rate_limits
            .filter_map(|v| v.to_str().ok())
            .map(str::to_owned);
        let says = if trail.stops_short() {
            let upstream = trail.upstream.as_deref().unwrap_or("an upstream");
            let server = trail.would_ask().unwrap_or("no server");
            format!("goes to {upstream}, to {server} by its balancing now; it was not sent")
        } else {
            match (&trail.refusal, &trail.server) {
                (Some(refusal), _) => format!("refused: {refusal}"),
                (None, Some(server)) if answered_by_server(trail) => format!("from {server}"),
                _ if trail.steps.iter().any(|step| step.step == "handle") => {
                    "from the handler".to_owned()
                }
                _ if trail.cache.is_some() => "from the cache".to_owned(),
                _ => match route.and_then(RoutePlan::answered_by) {
                    Some(key @ ("redirect" | "respond")) => format!("from the route's `{key}`"),
                    _ => "from a filter or the edge".to_owned(),
                },
            }
        };
        AnswerReport {
            status: (!trail.stops_short()).then_some(answer.status.as_u16()),
            says,
            rate_limits: rate_limits.collect(),
            bytes: if trail.stops_short() {
                0
            } else {
                answer.body.len()
            },
        }
    }
}

fn answered_by_server(trail: &Trail) -> bool {
    let mut steps = trail.steps.iter();
    steps.any(|step| step.step == "try" && step.outcome == "answered")
}
