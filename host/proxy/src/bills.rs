//! The bills of all plugins, by plugin and route, as Prometheus sees them. Read when asked for: the counters
//! themselves are the runtime's.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_runtime::{Bill, Figures};
use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

type Names = (Arc<str>, Arc<str>);

/// Shared by the registry and the gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bills {
    bills: Arc<Mutex<BTreeMap<Names, Arc<Bill>>>>,
    descriptions: Vec<Desc>,
}

/// One family with a sample per plugin and route.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    value: fn(&Figures) -> f64,
}

const CALLS: (&str, &str) = (
    "portcullis_plugin_calls_total",
    "Calls of a plugin on a route, by how they ended",
);

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
const FAMILIES: &[Family] = &[
    counter(
        "wall_seconds_total",
        "Wall time of calls, waiting included",
        |f| f.wall.as_secs_f64(),
    ),
    counter("cpu_seconds_total", "Time that calls held a thread", |f| {
        f.cpu.as_secs_f64()
    }),
    counter("host_calls_total", "Host functions called", |f| {
        f.host_calls as f64
    }),
    counter("outbound_calls_total", "Calls of upstreams made", |f| {
        f.outbound_calls as f64
    }),
    counter("bytes_in_total", "Bytes copied into the plugin", |f| {
        f.bytes_in as f64
    }),
    counter("bytes_out_total", "Bytes copied out of the plugin", |f| {
        f.bytes_out as f64
    }),
    counter(
        "log_bytes_dropped_total",
        "Log bytes beyond what is granted",
        |f| f.dropped_log_bytes as f64,
    ),
    counter(
        "bypassed_total",
        "Failed calls that requests passed by (on_failure = \"open\")",
        |f| f.bypassed as f64,
    ),
    gauge(
        "memory_peak_bytes",
        "The most linear memory that one instance has had",
        |f| f.peak_memory as f64,
    ),
    gauge("instances_live", "Instances alive now", |f| f.live as f64),
];

const fn counter(name: &'static str, help: &'static str, value: fn(&Figures) -> f64) -> Family {
    Family {
        name,
        help,
        kind: MetricType::COUNTER,
        value,
    }
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Figures) -> f64) -> Family {
    Family {
        name,
        help,
        kind: MetricType::GAUGE,
        value,
    }
}

impl Bills {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Bills> {
        let labels = ["plugin", "route"].map(str::to_owned);
        let describe = |family: &Family| {
            let name = format!("portcullis_plugin_{}", family.name);
            Desc::new(name, family.help.into(), labels.to_vec(), HashMap::new())
        };
        let mut labels_of_calls = labels.to_vec();
        labels_of_calls.push("outcome".into());
        let calls = Desc::new(
            CALLS.0.into(),
            CALLS.1.into(),
            labels_of_calls,
            HashMap::new(),
        );
        let others = FAMILIES.iter().map(describe);
        let bills = Bills {
            bills: Arc::default(),
            descriptions: std::iter::once(calls)
                .chain(others)
                .collect::<prometheus::Result<_>>()?,
        };
        registry.register(Box::new(bills.clone()))?;
        Ok(bills)
    }

    pub(crate) fn of(&self, plugin: &Arc<str>, route: &Arc<str>) -> Arc<Bill> {
        let mut bills = self.bills.lock().unwrap_or_else(PoisonError::into_inner);
        let names = (plugin.clone(), route.clone());
        bills.entry(names).or_default().clone()
    }

    pub(crate) fn figures(&self) -> Vec<(Arc<str>, Arc<str>, Figures)> {
        let bills = self.bills.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut families = vec![calls(&figures)];
        for family in FAMILIES {
            let sample = |(plugin, route, figures): &(Arc<str>, Arc<str>, Figures)| {
                let labels = [("plugin", &**plugin), ("route", &**route)];
                sample(&labels, family.kind, (family.value)(figures))
            };
            let name = format!("portcullis_plugin_{}", family.name);
            let samples = figures.iter().map(sample).collect();
            families.push(of(name, family.help, family.kind, samples));
        }
        families
    }
}

fn calls(figures: &[(Arc<str>, Arc<str>, Figures)]) -> MetricFamily {
    let mut samples = Vec::new();
    for (plugin, route, figures) in figures {
        for (outcome, count) in figures.endings {
            let labels = [
                ("outcome", outcome),
                ("plugin", &**plugin),
                ("route", &**route),
            ];
            #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
            samples.push(sample(&labels, MetricType::COUNTER, count as f64));
        }
    }
    of(CALLS.0.to_owned(), CALLS.1, MetricType::COUNTER, samples)
}

fn of(name: String, help: &str, kind: MetricType, samples: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name);
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}

fn sample(labels: &[(&str, &str)], kind: MetricType, value: f64) -> Metric {
    let label = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    let mut metric = Metric::from_label(labels.iter().map(label).collect());
    if kind == MetricType::COUNTER {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}
