//! Metrics: counted on the request's way through handles resolved beforehand, rendered for Prometheus on demand.
//! Labels come from closed sets only: routes, upstreams, plugins, reasons, status classes.

mod bills;
mod book;
mod clients;
mod exchanges;
mod life;
mod lines;
mod live;
mod process;
mod reference;
mod samples;
mod upstreams;

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;
use prometheus::{Encoder, IntCounter, IntGauge, Registry, TextEncoder};

use portcullis_config::plan::RouteCache;
use portcullis_runtime::Bill;

use self::bills::Bills;
use self::clients::Clients;
use self::exchanges::Exchanges;
use self::life::Life;
use self::upstreams::Upstreams;
use crate::observe::trace::Figures as TraceFigures;
use crate::pipeline::gate::Gate;
use crate::serve::audit::{Deed, Outcome};
use crate::stages::cache::{DiskFigures, Figures, RouteStore};
use crate::stages::edge::Figures as EdgeFigures;
use crate::stages::limits::LimitMetrics;
use crate::stages::tunnel::SocketFamilies;
use crate::upstreams::shield::ShieldMetrics;

pub(crate) use self::book::Book;
pub use self::book::{Family, Kind};
pub use self::exchanges::RouteMetrics;
pub use self::lines::LogMetrics;
pub use self::live::{Live, RouteFigures};
pub(crate) use self::upstreams::Connected;
pub use self::upstreams::UpstreamMetrics;

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// From a tenth of a millisecond to ten seconds.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// All metrics of the process; they live on over reloads.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Vec<Family>,
    exchanges: Exchanges,
    pub unrouted: RouteMetrics,
    pub in_flight: IntGauge,
    pub aborted: IntCounter,
    pub bytes_in: IntCounter,
    pub bytes_out: IntCounter,
    pub(crate) clients: Clients,
    pub(crate) sockets: SocketFamilies,
    upstreams: Upstreams,
    bills: Bills,
    cache: Figures,
    pub(crate) disk: DiskFigures,
    pub(crate) shield: ShieldMetrics,
    pub(crate) limits: LimitMetrics,
    pub(crate) edge: EdgeFigures,
    pub(crate) traces: TraceFigures,
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
        let exchanges = Exchanges::enter(b)?;
        let mut metrics = Metrics {
            unrouted: exchanges.unrouted(),
            in_flight: b.gauge(
                "requests_in_flight",
                "Exchanges that have begun and not ended",
            )?,
            aborted: b.counter(
                "aborted_total",
                "Exchanges that ended before their last byte",
            )?,
            bytes_in: b.counter(
                "request_body_bytes_total",
                "Bytes of request bodies received",
            )?,
            bytes_out: b.counter("response_body_bytes_total", "Bytes of response bodies sent")?,
            clients: Clients::enter(b)?,
            sockets: SocketFamilies::enter(b)?,
            upstreams: Upstreams::enter(b)?,
            bills: Bills::enter(b)?,
            cache: Figures::enter(b)?,
            disk: DiskFigures::enter(b)?,
            shield: ShieldMetrics::enter(b)?,
            limits: LimitMetrics::enter(b)?,
            edge: EdgeFigures::enter(b)?,
            traces: TraceFigures::enter(b)?,
            life: Life::enter(b)?,
            log: LogMetrics::enter(b)?,
            exchanges,
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

    /// A route's part of the cache, with its figures.
    pub fn store(&self, route: &str, rules: RouteCache) -> RouteStore {
        RouteStore {
            rules,
            figures: self.cache.route(route),
        }
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

    /// The text format of Prometheus; what the gate holds is read now.
    pub(crate) fn render(&self, gate: &Gate) -> String {
        let generation = gate.lease();
        self.life.read(gate, &generation);
        self.upstreams.read(&generation);
        self.shield.read(&generation);
        self.limits.read(&generation.limits);
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

/// The index of a status in `CLASSES`.
fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).clamp(1, 5) - 1
}

/// Gauges and attributes of spans hold an i64: the nearest.
pub(crate) fn clamped(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
