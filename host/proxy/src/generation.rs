//! A generation: everything that requests share, immutable, swapped whole. A request leases one for its whole
//! life; the old one is freed when its last lease is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use portcullis_config::diagnostic::{Diagnostic, Report};
use portcullis_config::plan::{Plan, RoutePlan};
use portcullis_runtime::{Kind, Plugin};

use crate::metrics::{Metrics, RouteMetrics};
use crate::router::Router;
use crate::upstream::Upstream;

#[derive(Debug)]
pub struct Generation {
    /// 1 for the first since the start.
    pub number: u64,
    pub plan: Arc<Plan>,
    pub router: Router,
    /// Same indexes as in the plan.
    pub routes: Vec<Arc<Route>>,
    pub upstreams: BTreeMap<Arc<str>, Arc<Upstream>>,
    pub plugins: BTreeMap<Arc<str>, Arc<Plugin>>,
    pub trusted_proxies: Vec<IpNet>,
}

/// A route with everything it names resolved.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    pub public: bool,
    pub chain: Chain,
    pub upstream: Option<Arc<Upstream>>,
    pub max_body: u64,
    pub metrics: RouteMetrics,
}

/// The plugins of a route by what they do, each kind in the order of the file.
#[derive(Debug)]
pub struct Chain(Vec<Arc<Plugin>>);

impl Chain {
    pub fn of(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Arc<Plugin>> {
        self.0.iter().filter(move |plugin| plugin.kind() == kind)
    }

    pub fn handler(&self) -> Option<&Arc<Plugin>> {
        self.of(Kind::Handler).next()
    }

    fn has(&self, kind: Kind) -> bool {
        self.of(kind).next().is_some()
    }
}

impl Generation {
    /// Builds the next generation beside `before`. Every plugin that the plan's routes name must be in `plugins`.
    pub fn build(
        plan: Arc<Plan>,
        plugins: BTreeMap<Arc<str>, Arc<Plugin>>,
        metrics: &Metrics,
        before: Option<&Generation>,
    ) -> Result<Generation, Report> {
        check_chains(&plan, &plugins)?;
        let upstream = |(name, u): (&Arc<str>, _)| {
            let known = before.and_then(|b| b.upstreams.get(name));
            (
                name.clone(),
                Arc::new(Upstream::new(u, plan.listen.workers, known.map(|u| &**u))),
            )
        };
        let upstreams: BTreeMap<Arc<str>, Arc<Upstream>> =
            plan.upstream.iter().map(upstream).collect();
        let route = |route: &RoutePlan| {
            Arc::new(Route {
                name: route.name.clone(),
                public: route.public,
                chain: Chain(
                    route
                        .plugins
                        .iter()
                        .filter_map(|p| plugins.get(&p.name).cloned())
                        .collect(),
                ),
                upstream: route
                    .upstream
                    .as_ref()
                    .and_then(|name| upstreams.get(name).cloned()),
                max_body: route.max_body,
                metrics: metrics.route(&route.name),
            })
        };
        Ok(Generation {
            number: before.map_or(1, |b| b.number + 1),
            router: Router::new(&plan.routes),
            routes: plan.routes.iter().map(route).collect(),
            trusted_proxies: plan.listen.trusted_proxies.clone(),
            upstreams,
            plugins,
            plan,
        })
    }
}

/// What can only be said once the components are known: every route has who it needs, and only who it can use.
fn check_chains(plan: &Arc<Plan>, plugins: &BTreeMap<Arc<str>, Arc<Plugin>>) -> Result<(), Report> {
    let mut found = Vec::new();
    for route in &plan.routes {
        let chain = Chain(
            route
                .plugins
                .iter()
                .filter_map(|p| plugins.get(&p.name).cloned())
                .collect(),
        );
        let mut say = |message: String, hint: &str| {
            found.push(Diagnostic {
                span: route.span,
                message,
                hint: Some(hint.to_owned()),
            });
        };
        let (name, identified) = (&route.name, chain.has(Kind::Authenticator));
        if !route.public && !identified {
            say(
                format!("route `{name}` lists no authenticator, so nobody could use it"),
                "list one in `plugins`, or write `public = true` if everybody may",
            );
        }
        if route.public && identified {
            say(
                format!("route `{name}` is public and lists an authenticator"),
                "take one of the two away",
            );
        }
        if route.public && chain.has(Kind::Authorizer) {
            say(
                format!(
                    "route `{name}` is public and lists an authorizer, which has no caller to judge"
                ),
                "list an authenticator instead of `public = true`",
            );
        }
        let handlers = chain.of(Kind::Handler).count();
        if handlers > 1 {
            say(
                format!("route `{name}` lists {handlers} handlers"),
                "one handler answers; list one",
            );
        }
        if handlers == 1 && route.upstream.is_some() {
            say(
                format!("route `{name}` has both a handler and an upstream"),
                "the handler answers in the upstream's place; take one of the two away",
            );
        }
        if handlers == 0 && route.upstream.is_none() {
            say(
                format!("route `{name}` has nothing that answers"),
                "add `upstream = \"…\"` or list a handler",
            );
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Report::new(plan.source.clone(), found))
    }
}
