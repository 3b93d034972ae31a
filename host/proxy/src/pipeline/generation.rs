//! A generation: everything that requests share, immutable, swapped whole. A request leases one for its whole
//! life; the old one is freed when its last lease is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;
use ipnet::IpNet;
use portcullis_config::diagnostic::Report;
use portcullis_config::plan::{Plan, PluginRef, RoutePlan};
use portcullis_runtime::{Plugin, Post};
use tokio::task::JoinSet;

use super::chains;
use super::metrics::Metrics;
use super::route::Route;
use crate::stages::answer::Answer;
use crate::stages::chain::Chain;
use crate::stages::edge::{Entry, Listener};
use crate::stages::forward::ForwardRules;
use crate::stages::given;
use crate::stages::limits::Limits;
use crate::stages::mirror::Mirror;
use crate::stages::peer::Peer;
use crate::stages::permit::Door;
use crate::stages::router::Router;
use crate::stages::tunnel::SocketRules;
use crate::upstreams::servers::{Means, Resolver, Upstream, Upstreams};
use crate::upstreams::shield::{Bulkhead, Shield};
use crate::wire::guard::Client;
use crate::wire::tls::{Dial, Termination};

#[derive(Debug)]
pub struct Generation {
    /// 1 for the first since the start.
    pub number: u64,
    pub plan: Arc<Plan>,
    pub router: Router,
    /// Same indexes as in the plan.
    pub routes: Vec<Arc<Route>>,
    pub upstreams: Arc<Upstreams>,
    pub plugins: BTreeMap<Arc<str>, Arc<Plugin>>,
    pub trusted_proxies: Vec<IpNet>,
    /// There with `[tls]`.
    pub tls: Option<Arc<Termination>>,
    /// There with `[admin.tls]`.
    pub admin_tls: Option<Arc<Termination>>,
    resolver: Arc<Resolver>,
    pub deadline_header: Option<HeaderName>,
    pub limits: Limits,
    /// What every request has to meet.
    pub(crate) listener: Listener,
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
        chains::check(&plan, &plugins)?;
        let Security {
            termination,
            admin,
            dials,
        } = security;
        let upstreams = upstreams(&plan, dials, metrics, before);
        let limits = Limits::build(&plan, before.map(|b| &b.limits));
        let parts = Parts {
            plan: &plan,
            plugins: &plugins,
            upstreams: &upstreams,
            limits: &limits,
            metrics,
            before,
        };
        let routes = plan.routes.iter().map(|route| Arc::new(parts.route(route)));
        Ok(Generation {
            number: before.map_or(1, |b| b.number + 1),
            router: Router::new(&plan.routes),
            routes: routes.collect(),
            trusted_proxies: plan.listen.trusted_proxies.clone(),
            tls: termination,
            admin_tls: admin,
            resolver: Arc::new(Resolver::new(&plan.discovery)),
            deadline_header: header(plan.deadline_header.as_deref()),
            listener: Listener::new(&plan),
            limits,
            upstreams: Arc::new(upstreams),
            plugins,
            plan,
        })
    }

    /// What is known of a client's connection.
    pub(crate) fn peer<'a>(&'a self, client: &'a Client) -> Peer<'a> {
        Peer {
            ip: client.peer.ip(),
            trusted_proxies: &self.trusted_proxies,
            scheme: client.scheme(),
            certificate: client.tls.as_ref().and_then(|tls| tls.certificate.as_ref()),
            admission: &self.plan.listen.admission,
        }
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
        for (name, upstream) in self.upstreams.iter() {
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

fn upstreams(
    plan: &Plan,
    dials: BTreeMap<Arc<str>, Arc<Dial>>,
    metrics: &Metrics,
    before: Option<&Generation>,
) -> Upstreams {
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
        let upstream = Upstream::new(wanted, plan, means, known);
        Some((name, Arc::new(upstream)))
    };
    dials.into_iter().filter_map(upstream).collect()
}

/// What routes are made of.
struct Parts<'a> {
    plan: &'a Plan,
    plugins: &'a BTreeMap<Arc<str>, Arc<Plugin>>,
    upstreams: &'a Upstreams,
    limits: &'a Limits,
    metrics: &'a Metrics,
    before: Option<&'a Generation>,
}

impl Parts<'_> {
    fn route(&self, route: &RoutePlan) -> Route {
        let old = self
            .before
            .and_then(|b| b.routes.iter().find(|old| old.name == route.name));
        let named = |name: &str| self.upstreams.get(name).cloned();
        let (guards, metrics) = (&route.guards, self.metrics);
        let chain = self.chain(route, old.map(|old| &**old));
        let answer = Answer::new(route, chain.handler(), named, &metrics.edge);
        Route {
            name: route.name.clone(),
            path: route.path.text.as_str().into(),
            answer: answer.expect("the chains were checked"),
            chain,
            door: if route.public {
                Door::Public
            } else {
                Door::Callers
            },
            entry: Entry::new(self.plan, route, &metrics.edge),
            priority: guards.priority,
            bulkhead: Bulkhead::next(guards.bulkhead, old.and_then(|o| o.bulkhead.as_ref())),
            deadline: guards.deadline,
            limits: self.limits.of(route, &metrics.limits),
            max_body: route.max_body,
            forward: Arc::new(ForwardRules {
                retry: guards.retry.clone(),
                mirror: Mirror::of(route, named, &metrics.edge),
                max_body: route.max_body,
            }),
            sockets: SocketRules {
                route: route.name.clone(),
                plan: route.websocket.clone(),
                sockets: old.map_or_else(Arc::default, |old| old.sockets.sockets.clone()),
                families: metrics.sockets.clone(),
            },
            cache: route
                .cache
                .map(|rules| Arc::new(metrics.cache.store(&route.name, rules))),
            metrics: metrics.exchanges.route(&route.name),
            log: route.log,
            server_timing: route.server_timing,
        }
    }

    /// Puts the plugins of a route at their posts. One whose plugin and grants are as before stays where it is, with
    /// the instances it has kept.
    fn chain(&self, route: &RoutePlan, old: Option<&Route>) -> Chain {
        let post = |used: &PluginRef| {
            let plugin = self.plugins.get(&used.name)?;
            let spec = match &used.narrowed {
                Some(given) => Arc::new(given::narrowed(plugin.spec(), given)),
                None => plugin.spec().clone(),
            };
            let same =
                |post: &&Arc<Post>| Arc::ptr_eq(post.plugin(), plugin) && *post.spec() == spec;
            let stays = old.and_then(|old| old.chain.posts().iter().find(same));
            let bill = || self.metrics.bill(&used.name, &route.name);
            Some(stays.cloned().unwrap_or_else(|| plugin.post(spec, bill())))
        };
        Chain::new(route.plugins.iter().filter_map(post).collect())
    }
}
