//! What is counted of the gateway's own life: reloads, swaps, generations, certificates, audits, the build.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use portcullis_runtime::CodeSource;
use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::deeds::{Deed, Outcome};
use crate::ground::clock::since_1970;
use crate::ground::registry::{Book, clamped};

#[derive(Debug)]
pub(super) struct Life {
    reloads: IntCounterVec,
    last_good: IntGauge,
    last_reload: IntGauge,
    swaps: IntCounterVec,
    refused: IntGaugeVec,
    stale: IntGauge,
    audits: IntCounterVec,
    holdings: Holdings,
}

/// Gauges of what the gateway holds.
#[derive(Debug)]
struct Holdings {
    generation: IntGauge,
    draining: IntGauge,
    oldest: Gauge,
    certificates: IntGaugeVec,
    pool_in_use: IntGauge,
    pool_size: IntGauge,
    cache_entries: IntGauge,
    cache_limit: IntGauge,
    code: IntCounterVec,
}

/// What the gateway holds just now, for the gauges.
#[derive(Debug, Default)]
pub(crate) struct Now {
    pub(crate) generation: u64,
    /// Generations that old exchanges hold, and since when the oldest is.
    pub(crate) draining: usize,
    pub(crate) oldest: Duration,
    /// When certificates end, in seconds since 1970, by name and use.
    pub(crate) certificates: BTreeMap<(String, &'static str), i64>,
    pub(crate) pool_in_use: u64,
    pub(crate) pool_size: u64,
    pub(crate) cache_entries: u64,
    /// Bytes.
    pub(crate) cache_limit: u64,
    /// How often machine code came from each source, since the start.
    pub(crate) code: [u64; CodeSource::ALL.len()],
}

const RELOADED: [Outcome; 3] = [Outcome::Done, Outcome::Unchanged, Outcome::Refused];
/// Beside the outcomes of a new version: one that served before serves again.
const ROLLED_BACK: &str = "rolled_back";
const SWAPPED: [&str; 3] = ["done", "refused", ROLLED_BACK];

impl Life {
    pub(super) fn enter(book: &mut Book) -> Result<Life> {
        build_info(book)?;
        let life = Life {
            reloads: book.counters(
                "reloads_total",
                "Reloads of configuration and plugins, by outcome (done, unchanged, refused)",
                &["outcome"],
            )?,
            last_good: book.gauge(
                "config_last_reload_successful",
                "1 while the newest configuration serves, 0 while it was refused and the one before serves on",
            )?,
            last_reload: book.gauge(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration was last read without a mistake, since 1970",
            )?,
            swaps: book.counters(
                "plugin_swaps_total",
                "New versions of plugins, by plugin and outcome (done, refused, rolled_back)",
                &["plugin", "outcome"],
            )?,
            refused: book.gauges(
                "plugin_refused",
                "1 while the newest version of a plugin was refused and the one before serves on",
                &["plugin"],
            )?,
            stale: book.gauge(
                "tls_files_refused",
                "Files of TLS that are bad while what was in them before serves on",
            )?,
            audits: book.counters(
                "audits_total",
                "What was done to the gateway, by deed and outcome (done, unchanged, refused, failed): as many as there are audit lines",
                &["deed", "outcome"],
            )?,
            holdings: Holdings::enter(book)?,
        };
        life.begin();
        Ok(life)
    }

    /// What is counted is there with 0 before it happens for the first time.
    fn begin(&self) {
        for outcome in RELOADED {
            self.reloads.with_label_values(&[outcome.as_str()]);
        }
        for deed in Deed::ALL {
            for outcome in Outcome::ALL {
                let labels = [deed.as_str(), outcome.as_str()];
                self.audits.with_label_values(&labels);
            }
        }
        self.good();
    }

    fn good(&self) {
        self.last_good.set(1);
        self.last_reload.set(clamped(since_1970().as_secs()));
    }

    pub(super) fn reloaded(&self, outcome: Outcome) {
        self.reloads.with_label_values(&[outcome.as_str()]).inc();
        match outcome {
            Outcome::Done | Outcome::Unchanged => self.good(),
            Outcome::Refused | Outcome::Failed => self.last_good.set(0),
        }
    }

    pub(super) fn swapped(&self, plugin: &str, outcome: Outcome) {
        let labels = [plugin, outcome.as_str()];
        self.swaps.with_label_values(&labels).inc();
    }

    pub(super) fn rolled_back(&self, plugin: &str) {
        self.swaps.with_label_values(&[plugin, ROLLED_BACK]).inc();
    }

    pub(super) fn audited(&self, deed: Deed, outcome: Outcome) {
        let labels = [deed.as_str(), outcome.as_str()];
        self.audits.with_label_values(&labels).inc();
    }

    /// Every plugin of a generation, and which of them serve on because their newest version was refused.
    pub(super) fn plugins<'a>(
        &self,
        all: impl Iterator<Item = &'a Arc<str>>,
        refused: &BTreeSet<Arc<str>>,
    ) {
        self.refused.reset();
        for plugin in all {
            let serves_on = i64::from(refused.contains(plugin));
            self.refused.with_label_values(&[plugin]).set(serves_on);
            for outcome in SWAPPED {
                let labels = [&**plugin, outcome];
                self.swaps.with_label_values(&labels);
            }
        }
    }

    pub(super) fn stale(&self, files: usize) {
        self.stale.set(clamped(files));
    }

    /// Takes in what the gateway holds just now.
    pub(super) fn read(&self, now: &Now) {
        self.holdings.read(now);
    }
}

impl Holdings {
    fn enter(book: &mut Book) -> Result<Holdings> {
        Ok(Holdings {
            generation: book.gauge("generation", "Number of the serving generation")?,
            draining: book.gauge(
                "generations_draining",
                "Generations that serve no new request and are held by old ones",
            )?,
            oldest: book.measure(
                "generation_draining_oldest_seconds",
                "How long ago the oldest generation that is still held was replaced; 0 where there is none",
            )?,
            certificates: book.gauges(
                "certificate_not_after_timestamp_seconds",
                "When a certificate expires, since 1970; of several with one name the first to expire",
                &["certificate", "use"],
            )?,
            pool_in_use: book.gauge(
                "instance_pool_in_use",
                "Instances of plugins that the pool has given out, those kept for later calls included",
            )?,
            pool_size: book.gauge(
                "instance_pool_size",
                "Instances of plugins that there can be at once (plugins.instances)",
            )?,
            cache_entries: book.gauge("cache_entries", "Keys that responses are stored under")?,
            cache_limit: book.gauge(
                "cache_limit_bytes",
                "Memory that stored responses may take (cache.memory)",
            )?,
            code: book.counters(
                "plugin_code_total",
                "Components of plugins made ready to run, by outcome (kept: read from plugins.cache; compiled: none was kept; other_version: compiled, another version had made what was kept; rejected: compiled, what was kept was damaged or this installation did not write it)",
                &["outcome"],
            )?,
        })
    }

    fn read(&self, now: &Now) {
        self.generation.set(clamped(now.generation));
        self.draining.set(clamped(now.draining));
        self.oldest.set(now.oldest.as_secs_f64());
        self.pool_in_use.set(clamped(now.pool_in_use));
        self.pool_size.set(clamped(now.pool_size));
        self.cache_entries.set(clamped(now.cache_entries));
        self.cache_limit.set(clamped(now.cache_limit));
        for ((_, outcome), count) in CodeSource::ALL.iter().zip(now.code) {
            let counter = self.code.with_label_values(&[outcome]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        self.certificates.reset();
        for ((name, used), ends) in &now.certificates {
            self.certificates
                .with_label_values(&[&**name, used])
                .set(*ends);
        }
    }
}

fn build_info(book: &mut Book) -> Result<()> {
    let info = book.gauges(
        "build_info",
        "1; what this gateway was built of",
        &["version", "rustc", "wasmtime"],
    )?;
    let (version, rustc) = (env!("CARGO_PKG_VERSION"), env!("PORTCULLIS_RUSTC"));
    let labels = [version, rustc, portcullis_runtime::WASMTIME];
    info.with_label_values(&labels).set(1);
    Ok(())
}
