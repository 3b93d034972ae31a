//! What the system tells of this process (proc(5)), under the names that every Prometheus client uses.

use std::fs::{read_dir, read_to_string};

use prometheus::Result;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::samples;
use crate::ground::registry::{Book, Family, Kind};

/// One number, read anew for each scrape.
struct Figure {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    read: fn(&Told) -> Option<f64>,
}

/// The files that tell.
struct Told {
    stat: String,
    status: String,
}

#[derive(Debug)]
struct Figures(Vec<Desc>);

/// USER_HZ: what the kernel counts time in towards programs, whatever it counts in itself.
const TICKS: f64 = 100.0;

const FIGURES: [Figure; 7] = [
    Figure {
        name: "process_cpu_seconds_total",
        kind: Kind::Counter,
        help: "CPU time of the process, in user and system mode",
        read: |told| Some((told.stat(14)? + told.stat(15)?) / TICKS),
    },
    Figure {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        help: "Resident memory of the process",
        read: |told| Some(told.status("VmRSS:")? * 1024.0),
    },
    Figure {
        name: "process_virtual_memory_bytes",
        kind: Kind::Gauge,
        help: "Address space of the process; the pool of plugin instances reserves much and uses little",
        read: |told| Some(told.status("VmSize:")? * 1024.0),
    },
    Figure {
        name: "process_open_fds",
        kind: Kind::Gauge,
        help: "Open file descriptors",
        read: |_| {
            u32::try_from(read_dir("/proc/self/fd").ok()?.count())
                .ok()
                .map(f64::from)
        },
    },
    Figure {
        name: "process_max_fds",
        kind: Kind::Gauge,
        help: "File descriptors that may be open at once",
        read: |_| {
            let limits = read_to_string("/proc/self/limits").ok()?;
            let limit = after(&limits, "Max open files")?;
            Some(limit.parse().unwrap_or(f64::INFINITY))
        },
    },
    Figure {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        help: "When the process was started, since 1970",
        read: |told| {
            let system = read_to_string("/proc/stat").ok()?;
            let boot: f64 = after(&system, "btime")?.parse().ok()?;
            Some(boot + told.stat(22)? / TICKS)
        },
    },
    Figure {
        name: "process_threads",
        kind: Kind::Gauge,
        help: "Threads of the process",
        read: |told| told.status("Threads:"),
    },
];

pub(super) fn enter(book: &mut Book) -> Result<()> {
    let families = FIGURES.map(|figure| Family {
        name: figure.name.to_owned(),
        kind: figure.kind,
        labels: &[],
        help: figure.help,
    });
    let descriptions = families.iter().map(Family::description);
    let figures = Figures(descriptions.collect::<Result<_>>()?);
    book.collector(families, figures)
}

impl Collector for Figures {
    fn desc(&self) -> Vec<&Desc> {
        self.0.iter().collect()
    }

    /// What the system does not tell is left out.
    fn collect(&self) -> Vec<MetricFamily> {
        let read = |file| read_to_string(file).unwrap_or_default();
        let told = Told {
            stat: read("/proc/self/stat"),
            status: read("/proc/self/status"),
        };
        let family = |figure: &Figure| {
            let value = (figure.read)(&told)?;
            let sample = vec![samples::sample(&[], figure.kind, value)];
            Some(samples::family(
                figure.name,
                figure.help,
                figure.kind,
                sample,
            ))
        };
        FIGURES.iter().filter_map(family).collect()
    }
}

impl Told {
    /// A field by its number in proc_pid_stat(5). The second, the name, may hold anything; the third is the first
    /// after it.
    fn stat(&self, number: usize) -> Option<f64> {
        let (_, rest) = self.stat.rsplit_once(')')?;
        let field = rest.split_ascii_whitespace().nth(number - 3)?;
        field.parse().ok()
    }

    fn status(&self, name: &str) -> Option<f64> {
        after(&self.status, name)?.parse().ok()
    }
}

/// The word after a name at the beginning of a line.
fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()
}
