//! A generation: everything that requests share, immutable, swapped whole. A request leases one for its whole
//! life; the old one is freed when its last lease is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use portcullis_config::diagnostic::{Diagnostic, Report};
use portcullis_config::plan::{
    Plan, PluginRef, Priority, Retry, RouteLog, RoutePlan, WebSocketPlan,
};
use portcullis_runtime::{Kind, Plugin, Post};
use tokio::task::JoinSet;

use crate::pipeline::metrics::{Metrics, RouteMetrics};
use crate::stages::cache::RouteStore;
use crate::stages::edge::{self, Access, Answer, Mirror};
use crate::stages::given;
use crate::stages::limits::{Limits, RouteLimits};
use crate::stages::router::Router;
use crate::stages::tunnel::Sockets;
use crate::upstreams::servers::{Means, Resolver, Upstream};
use crate::upstreams::shield::{Bulkhead, Shield};
use crate::wire::tls::{Dial, Termination};

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
    /// There with `[tls]`.
    pub tls: Option<Arc<Termination>>,
    /// There with `[admin.tls]`.
    pub admin_tls: Option<Arc<Termination>>,
    resolver: Arc<Resolver>,
    pub deadline_header: Option<HeaderName>,
    pub limits: Limits,
    /// Who may come in at all.
    pub(crate) access: Access,
}

/// What is made of the files of TLS.
#[derive(Debug, Default)]
pub struct Security {
    pub termination: Option<Arc<Termination>>,
    /// Of the admin listener.
    pub admin: Option<Arc<Termination>>,
    /// How to reach the servers of each upstream of the plan.
    pub dials: BTreeMap<Arc<str>, Arc<Dial>>,
}

/// A route with everything it names resolved.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// As it is written: `/api/users/{id}`.
    pub path: Arc<str>,
    pub public: bool,
    pub chain: Chain,
    pub(crate) answer: Answer,
    pub(crate) mirror: Option<Arc<Mirror>>,
    pub(crate) rules: edge::Rules,
    pub retry: Retry,
    pub(crate) bulkhead: Option<Arc<Bulkhead>>,
    pub deadline: Option<Duration>,
    pub priority: Priority,
    pub max_body: u64,
    pub limits: RouteLimits,
    /// Clients that came in clear text are sent to https.
    pub redirect_https: bool,
    /// Answers carry `Server-Timing`.
    pub server_timing: bool,
    pub websocket: WebSocketPlan,
    pub log: RouteLog,
    pub sockets: Arc<Sockets>,
    pub metrics: RouteMetrics,
    /// None: nothing of this route is stored.
    pub cache: Option<RouteStore>,
}

/// The plugins of a route by what they do, each kind in the order of the file.
#[derive(Debug)]
pub struct Chain(Vec<Arc<Post>>);

impl Chain {
    pub fn of(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Arc<Post>> {
        self.0.iter().filter(move |post| post.kind() == kind)
    }

    pub fn handler(&self) -> Option<&Arc<Post>> {
        self.of(Kind::Handler).next()
    }

    /// Every plugin of the route at its post.
    pub fn posts(&self) -> &[Arc<Post>] {
        &self.0
    }
}

impl Generation {
    /// Builds the next generation beside `before`. Every plugin that the plan's routes name must be in `plugins`, and
    /// every upstream of the plan must have its dial in `security`.
    pub fn build(
        plan: Arc<Plan>,
        plugins: BTreeMap<Arc<str>, Arc<Plugin>>,
        security: Security,
        metrics: &Metrics,
        before: Option<&Generation>,
    ) -> Result<Generation, Report> {
        check_chains(&plan, &plugins)?;
        let upstream = |(name, dial): (Arc<str>, Arc<Dial>)| {
            let known = before.and_then(|b| b.upstreams.get(&name));
            let known = known.map(|known| &**known);
            let wanted = plan.upstream.get(&name)?;
            let shield = Shield::new(wanted, &metrics.shield, known.map(|known| &*known.shield));
            let means = Means {
                dial,
                shield: Arc::new(shield),
                metrics: metrics.upstream(&name),
            };
            let upstream = Upstream::new(wanted, &plan, means, known);
            Some((name, Arc::new(upstream)))
        };
        let upstreams: BTreeMap<Arc<str>, Arc<Upstream>> =
            security.dials.into_iter().filter_map(upstream).collect();
        let limits = Limits::build(&plan, before.map(|b| &b.limits));
        let named = |name: &str| upstreams.get(name).cloned();
        let route = |route: &RoutePlan| {
            let old = before.and_then(|b| b.routes.iter().find(|old| old.name == route.name));
            let guards = &route.guards;
            let chain = chain(route, &plugins, metrics, before);
            let answer = Answer::new(route, chain.handler(), named, metrics);
            Arc::new(Route {
                name: route.name.clone(),
                path: route.path.text.as_str().into(),
                public: route.public,
                answer: answer.expect("check_chains saw to it"),
                mirror: Mirror::of(route, named, metrics),
                rules: edge::Rules::new(&plan, route, metrics),
                chain,
                retry: guards.retry.clone(),
                bulkhead: Bulkhead::next(guards.bulkhead, old.and_then(|o| o.bulkhead.as_ref())),
                deadline: guards.deadline,
                priority: guards.priority,
                max_body: route.max_body,
                limits: limits.of(route, metrics),
                redirect_https: route.redirect_https,
                server_timing: route.server_timing,
                websocket: route.websocket.clone(),
                log: route.log,
                sockets: old.map_or_else(Arc::default, |old| old.sockets.clone()),
                metrics: metrics.route(&route.name),
                cache: route.cache.map(|rules| metrics.store(&route.name, rules)),
            })
        };
        Ok(Generation {
            number: before.map_or(1, |b| b.number + 1),
            router: Router::new(&plan.routes),
            routes: plan.routes.iter().map(route).collect(),
            trusted_proxies: plan.listen.trusted_proxies.clone(),
            tls: security.termination,
            admin_tls: security.admin,
            resolver: Arc::new(Resolver::new(&plan.discovery)),
            deadline_header: header(plan.deadline_header.as_deref()),
            limits,
            access: Access::new(&plan.access),
            upstreams,
            plugins,
            plan,
        })
    }

    /// Waits for the first answer to every name that stands for servers, or for its failure: before this is
    /// served, not while.
    pub async fn discover(&self) {
        let mut lookups = JoinSet::new();
        for upstream in self.upstreams.values().filter(|u| u.has_names()) {
            let (upstream, resolver) = (upstream.clone(), self.resolver.clone());
            lookups.spawn(async move { upstream.find(&resolver).await });
        }
        lookups.join_all().await;
    }

    /// One task per upstream that checks its servers and looks their names up, for as long as the set is kept.
    pub(crate) fn tend(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for upstream in self.upstreams.values() {
            tasks.spawn(upstream.clone().tend(self.resolver.clone()));
        }
        tasks
    }

    /// Closes what is idle at servers that `next` does not have.
    pub(crate) fn retire(&self, next: &Generation) {
        for (name, upstream) in &self.upstreams {
            upstream.retire(next.upstreams.get(name).map(|u| &**u));
        }
    }

    /// Whether both show and ask the same of clients and servers.
    pub fn has_keys_of(&self, other: &Generation) -> bool {
        fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
            a.map(Arc::as_ptr) == b.map(Arc::as_ptr)
        }
        let dial = |(name, upstream): (&Arc<str>, &Arc<Upstream>)| {
            let known = other.upstreams.get(name);
            same(Some(upstream.dial()), known.map(|known| known.dial()))
        };
        let shown = same(self.tls.as_ref(), other.tls.as_ref())
            && same(self.admin_tls.as_ref(), other.admin_tls.as_ref());
        shown && self.upstreams.iter().all(dial)
    }
}

/// The plan has names of headers only.
fn header(name: Option<&str>) -> Option<HeaderName> {
    HeaderName::from_bytes(name?.as_bytes()).ok()
}

/// Puts the plugins of a route at their posts. One whose plugin and grants are as before stays where it is, with
/// the instances it has kept.
fn chain(
    route: &RoutePlan,
    plugins: &BTreeMap<Arc<str>, Arc<Plugin>>,
    metrics: &Metrics,
    before: Option<&Generation>,
) -> Chain {
    let old = before.and_then(|b| b.routes.iter().find(|old| old.name == route.name));
    let post = |used: &PluginRef| {
        let plugin = plugins.get(&used.name)?;
        let spec = match &used.narrowed {
            Some(given) => Arc::new(given::narrowed(plugin.spec(), given)),
            None => plugin.spec().clone(),
        };
        let same = |post: &&Arc<Post>| Arc::ptr_eq(post.plugin(), plugin) && *post.spec() == spec;
        let stays = old.and_then(|old| old.chain.0.iter().find(same));
        let bill = || metrics.bill(&used.name, &route.name);
        Some(stays.cloned().unwrap_or_else(|| plugin.post(spec, bill())))
    };
    Chain(route.plugins.iter().filter_map(post).collect())
}

/// What can only be said once the components are known: every route has who it needs, and only who it can use.
fn check_chains(plan: &Arc<Plan>, plugins: &BTreeMap<Arc<str>, Arc<Plugin>>) -> Result<(), Report> {
    let mut found = Vec::new();
    for route in &plan.routes {
        check_chain(route, plugins, &mut found);
    }
    check_failure_modes(plan, plugins, &mut found);
    if found.is_empty() {
        Ok(())
    } else {
        Err(Report::new(plan.source.clone(), found))
    }
}

fn check_chain(
    route: &RoutePlan,
    plugins: &BTreeMap<Arc<str>, Arc<Plugin>>,
    found: &mut Vec<Diagnostic>,
) {
    let kinds = || {
        let known = |used: &PluginRef| plugins.get(&used.name).map(|plugin| plugin.kind());
        route.plugins.iter().filter_map(known)
    };
    let has = |kind| kinds().any(|k| k == kind);
    let mut say = |message: String, hint: &str| {
        found.push(Diagnostic {
            span: route.span,
            message,
            hint: Some(hint.to_owned()),
        });
    };
    let (name, identified) = (&route.name, has(Kind::Authenticator));
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
    if route.public && has(Kind::Authorizer) {
        say(
            format!(
                "route `{name}` is public and lists an authorizer, which has no caller to judge"
            ),
            "list an authenticator instead of `public = true`",
        );
    }
    let handlers = kinds().filter(|kind| *kind == Kind::Handler).count();
    if handlers > 1 {
        say(
            format!("route `{name}` lists {handlers} handlers"),
            "one handler answers; list one",
        );
    }
    match (handlers, route.answered_by()) {
        (0, None) => say(
            format!("route `{name}` has nothing that answers"),
            "add `upstream = \"…\"`, `split`, `redirect` or `respond`, or list a handler",
        ),
        (1.., Some(key)) => say(
            format!("route `{name}` has both a handler and `{key}`"),
            "one of them answers; take the other away",
        ),
        _ => {}
    }
}

/// Only a filter may be passed by: without an authenticator or authorizer nobody may, without a handler there is
/// no answer.
fn check_failure_modes(
    plan: &Plan,
    plugins: &BTreeMap<Arc<str>, Arc<Plugin>>,
    found: &mut Vec<Diagnostic>,
) {
    let own = plan
        .plugin
        .values()
        .map(|plugin| (&plugin.name, &plugin.given));
    let used = plan.routes.iter().flat_map(|route| &route.plugins);
    let narrowed = used.filter_map(|used| Some((&used.name, used.narrowed.as_ref()?)));
    for (name, given) in own.chain(narrowed).filter(|(_, given)| given.fail_open) {
        let kind = plugins.get(name).map(|plugin| plugin.kind());
        if let Some(kind) = kind.filter(|kind| *kind != Kind::Filter) {
            found.push(Diagnostic {
                span: given.on_failure_span,
                message: format!(
                    "plugin `{name}` is a{} {kind}: it cannot fail open",
                    article(kind)
                ),
                hint: Some("`on_failure = \"open\"` is for filters; leave it out".to_owned()),
            });
        }
    }
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Authenticator | Kind::Authorizer => "n",
        Kind::Filter | Kind::Handler => "",
    }
}
