//! Where every module registers its metrics: what is registered with Prometheus is what docs/metrics.md lists.

use std::collections::HashMap;

use http::StatusCode;
use prometheus::core::{Collector, Desc};
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, Result,
};

/// The registry, and the names in it.
#[derive(Debug, Default)]
pub(crate) struct Book {
    registry: Registry,
    families: Vec<Family>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    pub name: String,
    pub kind: Kind,
    pub labels: Labels,
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

type Labels = &'static [&'static str];

/// Classes of status, as labels.
pub(crate) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Buckets of durations: from a tenth of a millisecond to ten seconds.
pub(crate) const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// The index of a status in `CLASSES`.
pub(crate) fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).clamp(1, 5) - 1
}

/// Gauges and attributes of spans hold an i64: the nearest.
pub(crate) fn clamped(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

// === impl Family ===

impl Family {
    pub(crate) fn new(kind: Kind, name: &str, help: &'static str, labels: Labels) -> Family {
        Family {
            name: format!("portcullis_{name}"),
            kind,
            labels,
            help,
        }
    }

    /// For a collector that reads when it is asked.
    pub(crate) fn description(&self) -> Result<Desc> {
        let labels = self.labels.iter().map(|label| (*label).to_owned());
        let (name, help) = (self.name.clone(), self.help.to_owned());
        Desc::new(name, help, labels.collect(), HashMap::new())
    }

    /// The unit in the name, by the base units of OpenMetrics; empty for what is counted by the piece.
    pub fn unit(&self) -> &'static str {
        let name = self.name.trim_end_matches("_total");
        let mut units = ["seconds", "bytes"].into_iter();
        units.find(|unit| name.ends_with(unit)).unwrap_or("")
    }
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

// === impl Book ===

impl Book {
    pub(crate) fn close(self) -> (Registry, Vec<Family>) {
        (self.registry, self.families)
    }

    pub(crate) fn counter(&mut self, name: &str, help: &'static str) -> Result<IntCounter> {
        let metric = IntCounter::with_opts(self.enter(Kind::Counter, name, help, &[]))?;
        self.register(metric)
    }

    pub(crate) fn counters(
        &mut self,
        name: &str,
        help: &'static str,
        labels: Labels,
    ) -> Result<IntCounterVec> {
        let opts = self.enter(Kind::Counter, name, help, labels);
        self.register(IntCounterVec::new(opts, labels)?)
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &'static str) -> Result<IntGauge> {
        let metric = IntGauge::with_opts(self.enter(Kind::Gauge, name, help, &[]))?;
        self.register(metric)
    }

    pub(crate) fn gauges(
        &mut self,
        name: &str,
        help: &'static str,
        labels: Labels,
    ) -> Result<IntGaugeVec> {
        let opts = self.enter(Kind::Gauge, name, help, labels);
        self.register(IntGaugeVec::new(opts, labels)?)
    }

    /// For what is not whole.
    pub(crate) fn measure(&mut self, name: &str, help: &'static str) -> Result<Gauge> {
        let metric = Gauge::with_opts(self.enter(Kind::Gauge, name, help, &[]))?;
        self.register(metric)
    }

    pub(crate) fn measures(
        &mut self,
        name: &str,
        help: &'static str,
        labels: Labels,
    ) -> Result<GaugeVec> {
        let opts = self.enter(Kind::Gauge, name, help, labels);
        self.register(GaugeVec::new(opts, labels)?)
    }

    pub(crate) fn histograms(
        &mut self,
        name: &str,
        help: &'static str,
        labels: Labels,
        buckets: &[f64],
    ) -> Result<HistogramVec> {
        let opts: HistogramOpts = self.enter(Kind::Histogram, name, help, labels).into();
        self.register(HistogramVec::new(opts.buckets(buckets.to_vec()), labels)?)
    }

    /// For families that are read where they are kept, when they are asked for.
    pub(crate) fn collector(
        &mut self,
        families: impl IntoIterator<Item = Family>,
        collector: impl Collector + 'static,
    ) -> Result<()> {
        self.families.extend(families);
        self.registry.register(Box::new(collector))
    }

    fn enter(&mut self, kind: Kind, name: &str, help: &'static str, labels: Labels) -> Opts {
        let family = Family::new(kind, name, help, labels);
        let opts = Opts::new(family.name.clone(), help);
        self.families.push(family);
        opts
    }

    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}
