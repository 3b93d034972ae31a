//! All metrics of the process. Every module registers its own; here they are one value. They are counted through handles
//! resolved beforehand, and rendered for Prometheus on demand. Labels come from closed sets only: routes, upstreams,
//! plugins, reasons, status classes.

mod bills;
mod deeds;
mod life;
mod live;
mod process;
mod reference;
mod samples;

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_runtime::Bill;
use prometheus::{Encoder, Registry, TextEncoder};

use self::bills::Bills;
use self::life::Life;
use crate::ground::registry::Book;
use crate::observe::exchanges::{ExchangeMetrics, RouteMetrics};
use crate::stages::cache::{CacheMetrics, DiskMetrics};
use crate::stages::edge::EdgeMetrics;
use crate::stages::limits::{LimitMetrics, Limits};
use crate::stages::overload::OverloadMetrics;
use crate::stages::tunnel::SocketFamilies;
use crate::upstreams::servers::{UpstreamFamilies, UpstreamMetrics, Upstreams};
use crate::upstreams::shield::{Bulkhead, ShieldMetrics};
use crate::wire::metrics::Clients;

pub use self::deeds::{Deed, Outcome};
pub(crate) use self::life::Now;
pub use self::live::{Live, RouteFigures};
pub use crate::ground::registry::{Family, Kind};
pub use crate::observe::log::LogMetrics;
pub use crate::observe::trace::TraceMetrics;

/// All metrics of the process; they live on over reloads.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Vec<Family>,
    pub(crate) exchanges: Arc<ExchangeMetrics>,
    pub(crate) clients: Clients,
    pub(crate) sockets: SocketFamilies,
    upstreams: UpstreamFamilies,
    bills: Bills,
    pub(crate) cache: CacheMetrics,
    pub(crate) disk: DiskMetrics,
    pub(crate) shield: ShieldMetrics,
    pub(crate) overload: OverloadMetrics,
    pub(crate) limits: LimitMetrics,
    pub(crate) edge: EdgeMetrics,
    pub traces: TraceMetrics,
    life: Life,
    pub log: LogMetrics,
}

impl Metrics {
    pub fn new() -> Arc<Metrics> {
        Arc::new(Metrics::build().expect("names are constant and different"))
    }

    fn build() -> prometheus::Result<Metrics> {
        let mut book = Book::default();
        let b = &mut book;
        process::enter(b)?;
        let mut metrics = Metrics {
            exchanges: Arc::new(ExchangeMetrics::enter(b)?),
            clients: Clients::enter(b)?,
            sockets: SocketFamilies::enter(b)?,
            upstreams: UpstreamFamilies::enter(b)?,
            bills: Bills::enter(b)?,
            cache: CacheMetrics::enter(b)?,
            disk: DiskMetrics::enter(b)?,
            shield: ShieldMetrics::enter(b)?,
            overload: OverloadMetrics::enter(b)?,
            limits: LimitMetrics::enter(b)?,
            edge: EdgeMetrics::enter(b)?,
            traces: TraceMetrics::enter(b)?,
            life: Life::enter(b)?,
            log: LogMetrics::enter(b)?,
            registry: Registry::default(),
            families: Vec::new(),
        };
        (metrics.registry, metrics.families) = book.close();
        Ok(metrics)
    }

    /// Every metric that there is, and every label with where its values come from.
    pub fn families(&self) -> (&[Family], &'static [(&'static str, &'static str)]) {
        (&self.families, reference::LABELS)
    }

    /// docs/metrics.md.
    pub fn reference(&self) -> String {
        reference::page(&self.families)
    }

    pub fn route(&self, name: &str) -> RouteMetrics {
        self.exchanges.route(name)
    }

    /// The bill of a plugin on a route; the same one for as long as the gateway runs.
    pub fn bill(&self, plugin: &Arc<str>, route: &Arc<str>) -> Arc<Bill> {
        self.bills.of(plugin, route)
    }

    /// Every bill with the names of its plugin and route.
    pub fn bills(&self) -> Vec<(Arc<str>, Arc<str>, portcullis_runtime::Figures)> {
        self.bills.figures()
    }

    pub(crate) fn audited(&self, what: Deed, outcome: Outcome) {
        self.life.audited(what, outcome);
    }

    pub fn reloaded(&self, outcome: Outcome) {
        self.life.reloaded(outcome);
    }

    /// A new version of a plugin serves, or was refused.
    pub fn swapped(&self, plugin: &str, outcome: Outcome) {
        self.life.swapped(plugin, outcome);
    }

    /// Every plugin that serves, and which of them because their newest version was refused.
    pub fn plugins<'a>(
        &self,
        all: impl Iterator<Item = &'a Arc<str>>,
        refused: &BTreeSet<Arc<str>>,
    ) {
        self.life.plugins(all, refused);
    }

    /// How many files of TLS are bad.
    pub fn stale(&self, files: usize) {
        self.life.stale(files);
    }

    /// A version of a plugin that served before serves again.
    pub fn rolled_back(&self, plugin: &str) {
        self.life.rolled_back(plugin);
    }

    pub fn upstream(&self, name: &str) -> UpstreamMetrics {
        self.upstreams.of(name)
    }

    /// The text format of Prometheus, after the gauges were read from what the gateway holds just now.
    pub(crate) fn render<'a>(
        &self,
        now: &Now,
        upstreams: &'a Upstreams,
        bulkheads: impl Iterator<Item = (&'a Arc<str>, &'a Bulkhead)>,
        limits: &Limits,
    ) -> String {
        self.life.read(now);
        self.upstreams.read(upstreams);
        let shields = upstreams
            .iter()
            .map(|(name, upstream)| (name, &*upstream.shield));
        self.shield.read(shields, bulkheads);
        self.limits.read(limits);
        let mut text = Vec::new();
        // Writing to memory cannot fail; a family without samples is left out by the encoder itself.
        let families: Vec<_> = self
            .registry
            .gather()
            .into_iter()
            .filter(|f| !f.get_metric().is_empty())
            .collect();
        let _ = TextEncoder::new().encode(&families, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}
