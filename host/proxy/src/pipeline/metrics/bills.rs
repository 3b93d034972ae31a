//! The bills of all plugins, by plugin and route, as Prometheus sees them. Read when asked for: the counters
//! themselves are the runtime's.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portcullis_runtime::{Bill, Figures};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::samples;
use crate::ground::registry::{Book, Family, Kind};

type Names = (Arc<str>, Arc<str>);

/// Shared by the registry and the gate.
#[derive(Debug, Clone, Default)]
pub(super) struct Bills {
    bills: Arc<Mutex<BTreeMap<Names, Arc<Bill>>>>,
    descriptions: Vec<Desc>,
}

/// One family with a sample per plugin and route.
struct Sum {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    value: fn(&Figures) -> f64,
}

const LABELS: &[&str] = &["plugin", "route"];
const CALLS: (&str, &str) = (
    "plugin_calls_total",
    "Calls of a plugin on a route, by how they ended (ok, refused, failed, trapped, timed_out, invalid, overloaded, cancelled)",
);
const DURATIONS: (&str, &str) = (
    "plugin_call_duration_seconds",
    "Wall time of calls that ended, waiting included",
);

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
const SUMS: &[Sum] = &[
    counter(
        "plugin_wall_seconds_total",
        "Wall time of calls, waiting included",
        |f| f.wall.as_secs_f64(),
    ),
    counter(
        "plugin_cpu_seconds_total",
        "Time that calls held a thread",
        |f| f.cpu.as_secs_f64(),
    ),
    counter("plugin_host_calls_total", "Host functions called", |f| {
        f.host_calls as f64
    }),
    counter(
        "plugin_outbound_calls_total",
        "Calls of upstreams made",
        |f| f.outbound_calls as f64,
    ),
    counter(
        "plugin_bytes_in_total",
        "Bytes copied into the plugin",
        |f| f.bytes_in as f64,
    ),
    counter(
        "plugin_bytes_out_total",
        "Bytes copied out of the plugin",
        |f| f.bytes_out as f64,
    ),
    counter(
        "plugin_log_bytes_dropped_total",
        "Log bytes beyond what is granted",
        |f| f.dropped_log_bytes as f64,
    ),
    counter(
        "plugin_bypassed_total",
        "Failed calls that requests passed by (on_failure = \"open\")",
        |f| f.bypassed as f64,
    ),
    gauge(
        "plugin_memory_peak_bytes",
        "The most linear memory that one instance has had",
        |f| f.peak_memory as f64,
    ),
    gauge("plugin_instances_live", "Instances alive now", |f| {
        f.live as f64
    }),
];

const fn counter(name: &'static str, help: &'static str, value: fn(&Figures) -> f64) -> Sum {
    Sum {
        name,
        help,
        kind: Kind::Counter,
        value,
    }
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Figures) -> f64) -> Sum {
    Sum {
        kind: Kind::Gauge,
        ..counter(name, help, value)
    }
}

impl Bills {
    pub(super) fn enter(book: &mut Book) -> prometheus::Result<Bills> {
        let families: Vec<Family> = families().collect();
        let descriptions = families.iter().map(Family::description);
        let bills = Bills {
            bills: Arc::default(),
            descriptions: descriptions.collect::<prometheus::Result<_>>()?,
        };
        book.collector(families, bills.clone())?;
        Ok(bills)
    }

    pub(super) fn of(&self, plugin: &Arc<str>, route: &Arc<str>) -> Arc<Bill> {
        let mut bills = self.bills.lock();
        let names = (plugin.clone(), route.clone());
        bills.entry(names).or_default().clone()
    }

    pub(super) fn figures(&self) -> Vec<(Arc<str>, Arc<str>, Figures)> {
        let bills = self.bills.lock();
        let figures = |((plugin, route), bill): (&Names, &Arc<Bill>)| {
            (plugin.clone(), route.clone(), bill.figures())
        };
        bills.iter().map(figures).collect()
    }
}

impl Collector for Bills {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let figures = self.figures();
        let mut collected = vec![calls(&figures), durations(&figures)];
        for sum in SUMS {
            let sample = |(plugin, route, figures): &(Arc<str>, Arc<str>, Figures)| {
                let labels = [("plugin", &**plugin), ("route", &**route)];
                samples::sample(&labels, sum.kind, (sum.value)(figures))
            };
            let samples = figures.iter().map(sample).collect();
            collected.push(of(sum.name, sum.help, sum.kind, samples));
        }
        collected
    }
}

/// In the order of the descriptions.
fn families() -> impl Iterator<Item = Family> {
    let calls = Family::new(
        Kind::Counter,
        CALLS.0,
        CALLS.1,
        &["plugin", "route", "outcome"],
    );
    let durations = Family::new(Kind::Histogram, DURATIONS.0, DURATIONS.1, LABELS);
    let sums = SUMS
        .iter()
        .map(|sum| Family::new(sum.kind, sum.name, sum.help, LABELS));
    [calls, durations].into_iter().chain(sums)
}

fn calls(figures: &[(Arc<str>, Arc<str>, Figures)]) -> MetricFamily {
    let mut all = Vec::new();
    for (plugin, route, figures) in figures {
        for (outcome, count) in figures.endings {
            let labels = [
                ("outcome", outcome),
                ("plugin", &**plugin),
                ("route", &**route),
            ];
            #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
            all.push(samples::sample(&labels, Kind::Counter, count as f64));
        }
    }
    of(CALLS.0, CALLS.1, Kind::Counter, all)
}

fn durations(figures: &[(Arc<str>, Arc<str>, Figures)]) -> MetricFamily {
    let one = |(plugin, route, figures): &(Arc<str>, Arc<str>, Figures)| {
        let labels = [("plugin", &**plugin), ("route", &**route)];
        let sum = figures.wall.as_secs_f64();
        samples::histogram(&labels, &Bill::SECONDS, &figures.durations, sum)
    };
    let all = figures.iter().map(one).collect();
    of(DURATIONS.0, DURATIONS.1, Kind::Histogram, all)
}

fn of(name: &str, help: &str, kind: Kind, samples: Vec<prometheus::proto::Metric>) -> MetricFamily {
    samples::family(&format!("portcullis_{name}"), help, kind, samples)
}
