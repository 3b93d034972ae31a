//! Servers behind names: every address of a name (A and AAAA) or every target of its SRV records (RFC 2782). An
//! answer counts for its TTL within bounds; while there is none, the last good one does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;
use portcullis_config::plan::{DiscoveryPlan, ServerSource};
use tokio::task::JoinSet;

use super::Upstream;
use super::set::Found;

/// Looks names up, for all upstreams of a generation.
pub struct Resolver {
    dns: OnceLock<Result<TokioResolver, String>>,
    plan: DiscoveryPlan,
}

/// What a look-up came to.
struct Answer {
    found: Vec<Found>,
    ttl: Duration,
}

/// When a source is looked up next.
struct Due {
    at: Instant,
    failures: u32,
}

/// Servers of one name at the most; more are left out, and it is said.
const MOST: usize = 1000;
/// After the first failure; doubled each time, up to `max_ttl`.
const RETRY: Duration = Duration::from_millis(500);

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Resolver").field(&self.plan).finish()
    }
}

// === impl Resolver ===

impl Resolver {
    pub fn new(plan: &DiscoveryPlan) -> Resolver {
        Resolver {
            dns: OnceLock::new(),
            plan: plan.clone(),
        }
    }

    /// Set up when the first name is looked up: most gateways look up none.
    fn dns(&self) -> Result<&TokioResolver, String> {
        let dns = self.dns.get_or_init(|| {
            set_up(&self.plan).map_err(|error| format!("the resolver cannot be set up: {error}"))
        });
        dns.as_ref().map_err(Clone::clone)
    }

    async fn look_up(&self, source: &ServerSource) -> Result<Answer, String> {
        let dns = self.dns()?;
        let answer = async {
            match source {
                ServerSource::Dns { name, port } => {
                    let host: Arc<str> = format!("{}:{port}", bare(name)).into();
                    addresses(dns, name, *port, &host, (1, 0)).await
                }
                ServerSource::Srv(name) => targets(dns, name).await,
                ServerSource::Address(_) => Err("it is an address".to_owned()),
            }
        };
        let limited = tokio::time::timeout(self.plan.timeout, answer).await;
        let mut answer =
            limited.map_err(|_| format!("no answer within {:?}", self.plan.timeout))??;
        answer.found.sort();
        answer.found.dedup_by(|a, b| a.address == b.address);
        if answer.found.len() > MOST {
            tracing::warn!(%source, "has {} servers; the first {MOST} are used", answer.found.len());
            answer.found.truncate(MOST);
        }
        answer.ttl = answer.ttl.clamp(self.plan.min_ttl, self.plan.max_ttl);
        Ok(answer)
    }
}

fn set_up(plan: &DiscoveryPlan) -> Result<TokioResolver, NetError> {
    let mut builder = if plan.resolvers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = plan.resolvers.iter().map(|address| name_server(*address));
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    // What counts for how long is decided here.
    options.cache_size = 0;
    options.timeout = plan.timeout;
    builder.build()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    NameServerConfig::new(address.ip(), true, connections.map(on_port).into())
}

/// Without the dot at the end, which is for the resolver alone.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

async fn addresses(
    dns: &TokioResolver,
    name: &str,
    port: u16,
    host: &Arc<str>,
    (weight, priority): (u32, u8),
) -> Result<Answer, String> {
    let found = dns
        .lookup_ip(name)
        .await
        .map_err(|error| error.to_string())?;
    let ttl = found
        .valid_until()
        .saturating_duration_since(Instant::now());
    let server = |ip| Found {
        address: SocketAddr::new(ip, port).to_string().into(),
        host: host.clone(),
        weight,
        priority,
    };
    Ok(Answer {
        found: found.iter().map(server).collect(),
        ttl,
    })
}

/// The servers of SRV records: their priorities in order become 0, 1, 2…
async fn targets(dns: &TokioResolver, name: &str) -> Result<Answer, String> {
    let answer = dns
        .srv_lookup(name)
        .await
        .map_err(|error| error.to_string())?;
    let record = |record: &hickory_resolver::proto::rr::Record| match &record.data {
        RData::SRV(srv) if !srv.target.is_root() => Some(srv.clone()),
        _ => None,
    };
    let records: Vec<SRV> = answer
        .answers()
        .iter()
        .filter_map(record)
        .take(MOST)
        .collect();
    if records.is_empty() {
        return Err(
            "the service is decidedly not available: no SRV record has a target".to_owned(),
        );
    }
    let mut priorities: Vec<u16> = records.iter().map(|srv| srv.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    let mut ttl = answer
        .valid_until()
        .saturating_duration_since(Instant::now());
    let mut lookups = JoinSet::new();
    for srv in records {
        let step = priorities.iter().take_while(|p| **p < srv.priority).count();
        let standing = (
            u32::from(srv.weight).max(1),
            u8::try_from(step).unwrap_or(u8::MAX),
        );
        let dns = dns.clone();
        lookups.spawn(async move {
            let target = srv.target.to_utf8();
            let host = format!("{}:{}", bare(&target), srv.port).into();
            addresses(&dns, &target, srv.port, &host, standing).await
        });
    }
    let (mut found, mut error) = (Vec::new(), None);
    while let Some(done) = lookups.join_next().await {
        match done.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(answer) => {
                ttl = ttl.min(answer.ttl);
                found.extend(answer.found);
            }
            Err(text) => error = Some(text),
        }
    }
    match error {
        // Some targets without an address are left out; with none there is no answer.
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(Answer { found, ttl }),
    }
}

// === impl Upstream ===

impl Upstream {
    fn names(&self) -> impl Iterator<Item = &ServerSource> {
        let sources = self.plan.servers.iter().map(|s| &s.source);
        sources.filter(|source| !matches!(source, ServerSource::Address(_)))
    }

    pub(crate) fn has_names(&self) -> bool {
        self.names().next().is_some()
    }

    /// Looks up what has no answer yet, once: a generation serves only after that.
    pub(crate) async fn find(&self, resolver: &Arc<Resolver>) {
        let known = self.set.load_full();
        let unknown = self
            .names()
            .filter(|name| !known.answers.contains_key(*name));
        let mut lookups = look_up_all(resolver, unknown);
        while let Some(done) = lookups.join_next().await {
            if let Ok((source, answer)) = done {
                self.take_in(&source, answer);
            }
        }
    }

    /// Looks names up again and again. Ends only where there are none.
    pub(super) async fn follow(&self, resolver: &Arc<Resolver>) {
        let now = Instant::now();
        let due = |source: &ServerSource| {
            let due = Due {
                at: now,
                failures: 0,
            };
            (source.clone(), due)
        };
        let mut due: BTreeMap<ServerSource, Due> = self.names().map(due).collect();
        while let Some(next) = due.values().map(|due| due.at).min() {
            tokio::time::sleep_until(next.into()).await;
            let now = Instant::now();
            let pending = due.iter_mut().filter(|(_, due)| due.at <= now);
            let pending = pending.map(|(source, due)| {
                // Unless there is an outcome: a look-up that panics must not be asked in a loop.
                due.at = now + RETRY;
                source
            });
            let mut lookups = look_up_all(resolver, pending);
            while let Some(done) = lookups.join_next().await {
                let Ok((source, answer)) = done else { continue };
                let failures = due.get(&source).map_or(0, |due| due.failures);
                let (pause, failures) = match self.take_in(&source, answer) {
                    Some(ttl) => (ttl, 0),
                    None => {
                        let longer = RETRY * 2_u32.pow(failures.min(16));
                        (longer.min(resolver.plan.max_ttl.max(RETRY)), failures + 1)
                    }
                };
                let at = Instant::now() + jittered(pause);
                due.insert(source, Due { at, failures });
            }
        }
    }

    /// Returns for how long the answer counts.
    fn take_in(&self, source: &ServerSource, answer: Result<Answer, String>) -> Option<Duration> {
        self.metrics.looked_up(answer.is_ok());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let kept = self.set.load().answers.get(source).map(|found| found.len());
                match kept {
                    Some(kept) => {
                        tracing::warn!(upstream = %self.name, %source, "not found, the last {kept} servers are kept: {error}");
                    }
                    None => {
                        tracing::error!(upstream = %self.name, %source, "not found: {error}");
                    }
                }
                return None;
            }
        };
        let found: Arc<[Found]> = answer.found.into();
        let before = self.set.load().answers.get(source).cloned();
        if before.as_ref() != Some(&found) {
            let list: Vec<&str> = found.iter().map(|found| &*found.address).collect();
            tracing::info!(upstream = %self.name, %source, "servers are {}", list.join(", "));
            self.publish(source, found);
        }
        Some(answer.ttl)
    }
}

/// All at once; ended when dropped.
fn look_up_all<'a>(
    resolver: &Arc<Resolver>,
    sources: impl Iterator<Item = &'a ServerSource>,
) -> JoinSet<(ServerSource, Result<Answer, String>)> {
    let mut lookups = JoinSet::new();
    for source in sources {
        let (source, resolver) = (source.clone(), resolver.clone());
        lookups.spawn(async move {
            let answer = resolver.look_up(&source).await;
            (source, answer)
        });
    }
    lookups
}

/// Up to a tenth earlier, so that gateways that started together do not ask together.
fn jittered(time: Duration) -> Duration {
    time - time.mul_f64(fastrand::f64() / 10.0)
}
