//! Metrics: counted on the request's way through handles resolved beforehand, rendered for Prometheus on demand.
//! Labels come from closed sets only: routes, upstreams, plugins, reasons, status classes.

mod upstreams;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use portcullis_config::plan::RouteCache;
use portcullis_runtime::Bill;

use self::upstreams::Upstreams;
use crate::audit::{self, Deed};
use crate::bills::Bills;
use crate::cache::{Figures, RouteStore};
use crate::edge::Figures as EdgeFigures;
use crate::generation::Generation;
use crate::limits::LimitMetrics;
use crate::refusal::Reason;
use crate::shield::ShieldMetrics;
use crate::tunnel::SocketFamilies;

pub use self::upstreams::UpstreamMetrics;

/// The name of no route, for requests that found none.
const UNROUTED: &str = "-";
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Seconds: from a tenth of a millisecond to ten seconds.
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// All metrics of the process; they live on over reloads.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    refusals: IntCounterVec,
    pub unrouted: RouteMetrics,
    pub in_flight: IntGauge,
    pub aborted: IntCounter,
    pub bytes_in: IntCounter,
    pub bytes_out: IntCounter,
    pub connections: IntGauge,
    pub connections_total: IntCounter,
    pub(crate) sockets: SocketFamilies,
    handshakes: IntCounterVec,
    upstreams: Upstreams,
    reloads: IntCounterVec,
    plugin_swaps: IntCounterVec,
    bills: Bills,
    cache: Figures,
    pub(crate) shield: ShieldMetrics,
    pub(crate) limits: LimitMetrics,
    pub(crate) edge: EdgeFigures,
    audits: IntCounterVec,
    generation: IntGauge,
    access_log_dropped: IntGauge,
}

/// The counters of one route.
#[derive(Debug, Clone)]
pub struct RouteMetrics {
    classes: [IntCounter; 5],
    duration: Histogram,
}

impl RouteMetrics {
    pub fn observe(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.classes[class].inc();
        self.duration.observe(took.as_secs_f64());
    }
}

impl Metrics {
    pub fn new() -> Arc<Metrics> {
        Arc::new(Metrics::build().expect("names are constant and different"))
    }

    fn build() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let r = &registry;
        let requests = counters(
            r,
            "requests_total",
            "Exchanges, by route and class of status",
            &["route", "status"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "portcullis_request_duration_seconds",
                "From the request head to the last byte of the response",
            )
            .buckets(BUCKETS.to_vec()),
            &["route"],
        )?;
        r.register(Box::new(durations.clone()))?;
        let refusals = counters(
            r,
            "refusals_total",
            "Exchanges that the gateway refused, by reason",
            &["reason"],
        )?;
        for reason in Reason::ALL {
            refusals.with_label_values(&[reason.as_str()]);
        }
        let unrouted = route_metrics(&requests, &durations, UNROUTED);
        Ok(Metrics {
            unrouted,
            refusals,
            in_flight: gauge(
                r,
                "requests_in_flight",
                "Exchanges that have begun and not ended",
            )?,
            aborted: counter(
                r,
                "aborted_total",
                "Exchanges that ended before their last byte",
            )?,
            bytes_in: counter(
                r,
                "request_body_bytes_total",
                "Bytes of request bodies received",
            )?,
            bytes_out: counter(
                r,
                "response_body_bytes_total",
                "Bytes of response bodies sent",
            )?,
            connections: gauge(r, "client_connections", "Open client connections")?,
            connections_total: counter(
                r,
                "client_connections_total",
                "Client connections accepted",
            )?,
            sockets: SocketFamilies::register(r)?,
            handshakes: counters(
                r,
                "tls_handshakes_total",
                "TLS handshakes of clients, by outcome (done, failed, timeout)",
                &["outcome"],
            )?,
            upstreams: Upstreams::register(r)?,
            reloads: counters(
                r,
                "reloads_total",
                "Reloads of configuration and plugins, by outcome",
                &["outcome"],
            )?,
            plugin_swaps: counters(
                r,
                "plugin_swaps_total",
                "New versions of plugins, by plugin and outcome (done, refused)",
                &["plugin", "outcome"],
            )?,
            bills: Bills::register(r)?,
            cache: Figures::register(r)?,
            shield: ShieldMetrics::register(r)?,
            limits: LimitMetrics::register(r)?,
            edge: EdgeFigures::register(r)?,
            audits: audits(r)?,
            generation: gauge(r, "generation", "Number of the serving generation")?,
            access_log_dropped: gauge(
                r,
                "access_log_dropped",
                "Access-log lines dropped because the queue was full",
            )?,
            requests,
            durations,
            registry,
        })
    }

    pub fn route(&self, name: &str) -> RouteMetrics {
        route_metrics(&self.requests, &self.durations, name)
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

    pub fn refused(&self, reason: Reason) {
        self.refusals.with_label_values(&[reason.as_str()]).inc();
    }

    pub fn handshake(&self, outcome: &str) {
        self.handshakes.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn audited(&self, what: Deed, outcome: audit::Outcome) {
        let labels = [what.as_str(), outcome.as_str()];
        self.audits.with_label_values(&labels).inc();
    }

    pub fn reloaded(&self, outcome: audit::Outcome) {
        self.reloads.with_label_values(&[outcome.as_str()]).inc();
    }

    /// A new version of a plugin serves, or was refused.
    pub fn swapped(&self, plugin: &str, outcome: audit::Outcome) {
        let labels = [plugin, outcome.as_str()];
        self.plugin_swaps.with_label_values(&labels).inc();
    }

    pub fn upstream(&self, name: &str) -> UpstreamMetrics {
        self.upstreams.of(name)
    }

    /// The text format of Prometheus; gauges of the generation are read now.
    pub fn render(&self, generation: &Generation, dropped_lines: u64) -> String {
        self.generation
            .set(i64::try_from(generation.number).unwrap_or(i64::MAX));
        self.access_log_dropped
            .set(i64::try_from(dropped_lines).unwrap_or(i64::MAX));
        self.upstreams.read(generation);
        self.shield.read(generation);
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

fn route_metrics(requests: &IntCounterVec, durations: &HistogramVec, name: &str) -> RouteMetrics {
    RouteMetrics {
        classes: CLASSES.map(|class| requests.with_label_values(&[name, class])),
        duration: durations.with_label_values(&[name]),
    }
}

fn audits(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let audits = counters(
        registry,
        "audits_total",
        "What was done to the gateway, by deed and outcome: as many as there are audit lines",
        &["deed", "outcome"],
    )?;
    for deed in Deed::ALL {
        for outcome in audit::Outcome::ALL {
            audits.with_label_values(&[deed.as_str(), outcome.as_str()]);
        }
    }
    Ok(audits)
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("portcullis_{name}"), help)
}

fn counter(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntCounter> {
    let metric = IntCounter::with_opts(opts(name, help))?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(crate) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    let metric = IntCounterVec::new(opts(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(crate) fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let metric = IntGauge::with_opts(opts(name, help))?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntGaugeVec> {
    let metric = IntGaugeVec::new(opts(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
