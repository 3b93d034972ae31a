//! Shedding: when the process itself is overloaded, requests are refused before any plugin runs, the least important
//! first. What is refused early costs microseconds; what is let in late costs everyone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portcullis_config::plan::{Overload, Priority};
use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec};

use crate::ground::clock::nanos;
use crate::ground::refusal::{Reason, Refusal};
use crate::ground::registry::Book;

/// How one worker is doing. Times are nanoseconds after `born`.
#[derive(Debug)]
pub(crate) struct Pressure {
    worker: usize,
    born: Instant,
    /// When the watch is to look again: later than this by so much is the lag.
    due: AtomicU64,
    /// The lag as last seen by the watch.
    lag: AtomicU64,
    level: AtomicU8,
    /// When the level was last called for.
    since: AtomicU64,
    /// Exchanges of the whole process.
    in_flight: IntGauge,
    /// Resident bytes of the whole process as last read, where that is of interest.
    memory: Arc<AtomicU64>,
    level_gauge: IntGauge,
    lag_gauge: Gauge,
    shed: IntCounterVec,
}

/// Evidence that the worker takes a request on.
#[derive(Debug)]
pub(crate) struct TakenOn(());

/// The families; one each per process.
#[derive(Debug)]
pub(crate) struct OverloadMetrics {
    shed: IntCounterVec,
    levels: IntGaugeVec,
    lags: GaugeVec,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Calm,
    /// Low priority is refused.
    Strained,
    /// All but critical is refused.
    Overloaded,
}

/// Per cent of a limit at which a level begins and below which it ends. Apart, so that it does not flap.
const STRAINED: (u64, u64) = (80, 70);
const OVERLOADED: (u64, u64) = (100, 90);
/// A level lasts this long after the last time it was called for.
const HOLD: Duration = Duration::from_secs(1);
/// How often the watch looks where there is a limit, and where there is none yet.
const LOOK: Duration = Duration::from_millis(50);
const LOOK_SELDOM: Duration = Duration::from_secs(1);
/// The watch reads the memory every so many looks.
const MEMORY_LOOKS: u32 = 5;

// === impl Pressure ===

impl Pressure {
    /// `in_flight` counts the exchanges of the process, `memory` has its resident bytes; workers share both.
    pub(crate) fn new(
        worker: usize,
        metrics: &OverloadMetrics,
        in_flight: IntGauge,
        memory: Arc<AtomicU64>,
    ) -> Pressure {
        let label = worker.to_string();
        Pressure {
            worker,
            born: Instant::now(),
            due: AtomicU64::new(u64::MAX),
            lag: AtomicU64::new(0),
            level: AtomicU8::new(0),
            since: AtomicU64::new(0),
            in_flight,
            memory,
            level_gauge: metrics.levels.with_label_values(&[label.as_str()]),
            lag_gauge: metrics.lags.with_label_values(&[label.as_str()]),
            shed: metrics.shed.clone(),
        }
    }

    /// Refuses what this worker should not take on just now.
    pub(crate) fn take_on(
        &self,
        limits: &Overload,
        priority: Priority,
    ) -> Result<TakenOn, Refusal> {
        if *limits == Overload::default() {
            return Ok(TakenOn(()));
        }
        let now = self.born.elapsed();
        // This exchange is among those in flight.
        let others = self.in_flight().saturating_sub(1);
        let level = self.look(limits, others, now);
        let goes_on = match level {
            Level::Calm => true,
            Level::Strained => priority > Priority::Low,
            Level::Overloaded => priority == Priority::Critical,
        };
        if goes_on {
            return Ok(TakenOn(()));
        }
        self.shed.with_label_values(&[name_of(priority)]).inc();
        Err(Refusal::new(Reason::Overloaded).because(format!(
            "{}: {others} others in flight, {:?} behind",
            level.as_str(),
            self.lag(now)
        )))
    }

    /// Looks at the worker from within its event loop, for as long as it runs: how late is it? `limits` reads those of
    /// the serving generation.
    pub(crate) async fn watch(self: Arc<Self>, limits: impl Fn() -> Overload) {
        for look in 0_u32.. {
            let limits = limits();
            let anything = limits != Overload::default();
            let pause = if anything { LOOK } else { LOOK_SELDOM };
            let due = self.born.elapsed() + pause;
            let promised = if anything { nanos(due) } else { u64::MAX };
            self.due.store(promised, Ordering::Relaxed);
            tokio::time::sleep_until((self.born + due).into()).await;
            let lag = self.born.elapsed().saturating_sub(due);
            self.lag.store(nanos(lag), Ordering::Relaxed);
            self.lag_gauge.set(lag.as_secs_f64());
            if limits.memory.is_some() && self.worker == 0 && look % MEMORY_LOOKS == 0 {
                self.memory.store(resident(), Ordering::Relaxed);
            }
            // Also where no request comes any more.
            self.look(&limits, self.in_flight(), self.born.elapsed());
        }
    }

    fn look(&self, limits: &Overload, in_flight: u64, now: Duration) -> Level {
        let share = |have: u64, limit: u64| have.saturating_mul(100) / limit.max(1);
        let lag = nanos(self.lag(now));
        let memory = self.memory.load(Ordering::Relaxed);
        let measures = [
            limits.in_flight.map(|limit| share(in_flight, limit)),
            limits.lag.map(|limit| share(lag, nanos(limit))),
            limits.memory.map(|limit| share(memory, limit)),
        ];
        let fullest = measures.into_iter().flatten().max().unwrap_or(0);
        self.judge(fullest, now)
    }

    fn in_flight(&self) -> u64 {
        u64::try_from(self.in_flight.get()).unwrap_or(0)
    }

    /// The lag: as last seen, or as it is because the watch itself is late.
    fn lag(&self, now: Duration) -> Duration {
        let overdue = nanos(now).saturating_sub(self.due.load(Ordering::Relaxed));
        Duration::from_nanos(overdue.max(self.lag.load(Ordering::Relaxed)))
    }

    /// The level after a look at how full the fullest measure is.
    fn judge(&self, percent: u64, now: Duration) -> Level {
        let level = Level::of(self.level.load(Ordering::Relaxed));
        let held = nanos(now) < self.since.load(Ordering::Relaxed) + nanos(HOLD);
        let next = level.next(percent, held);
        if next != Level::Calm && percent >= next.bounds().0 {
            self.since.store(nanos(now), Ordering::Relaxed);
        }
        if next != level {
            self.level.store(next as u8, Ordering::Relaxed);
            self.level_gauge.set(i64::from(next as u8));
            match next {
                Level::Calm => tracing::info!(worker = self.worker, "no longer overloaded"),
                _ => tracing::warn!(
                    worker = self.worker,
                    "{}: {percent} % of a limit of [overload]",
                    next.as_str()
                ),
            }
        }
        next
    }
}

// === impl OverloadMetrics ===

impl OverloadMetrics {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<OverloadMetrics> {
        let metrics = OverloadMetrics {
            shed: book.counters(
                "shed_total",
                "Exchanges refused because the process was overloaded, by priority",
                &["priority"],
            )?,
            levels: book.gauges(
                "overload_level",
                "0 while a worker is calm, 1 strained (low is refused), 2 overloaded (normal too)",
                &["worker"],
            )?,
            lags: book.measures(
                "worker_lag_seconds",
                "How late the event loop of a worker was when last looked",
                &["worker"],
            )?,
        };
        for priority in [Priority::Low, Priority::Normal, Priority::Critical] {
            metrics.shed.with_label_values(&[name_of(priority)]);
        }
        Ok(metrics)
    }
}

fn name_of(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::Critical => "critical",
    }
}

/// Resident memory in bytes (proc_pid_status(5)); 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

// === impl Level ===

impl Level {
    fn of(number: u8) -> Level {
        match number {
            0 => Level::Calm,
            1 => Level::Strained,
            _ => Level::Overloaded,
        }
    }

    /// From where it begins, and below what it ends.
    fn bounds(self) -> (u64, u64) {
        match self {
            Level::Calm => (0, 0),
            Level::Strained => STRAINED,
            Level::Overloaded => OVERLOADED,
        }
    }

    /// Rises at once; falls only when it is not held any more.
    fn next(self, percent: u64, held: bool) -> Level {
        let levels = [Level::Overloaded, Level::Strained];
        let begun = levels.into_iter().find(|l| percent >= l.bounds().0);
        let begun = begun.unwrap_or(Level::Calm);
        if begun > self || held {
            return begun.max(self);
        }
        let kept = levels
            .into_iter()
            .find(|l| *l <= self && percent >= l.bounds().1);
        kept.unwrap_or(Level::Calm).max(begun)
    }

    fn as_str(self) -> &'static str {
        match self {
            Level::Calm => "calm",
            Level::Strained => "strained",
            Level::Overloaded => "overloaded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Calm, Overloaded, Strained};

    fn calm() -> Pressure {
        let metrics = OverloadMetrics::enter(&mut Book::default()).expect("a new book");
        let in_flight = IntGauge::new("in_flight", "for the test").expect("a name");
        Pressure::new(0, &metrics, in_flight, Arc::default())
    }

    #[test]
    fn a_level_begins_at_its_limit_and_ends_ten_per_cent_below() {
        // (level, per cent, held, next)
        let table = [
            (Calm, 79, false, Calm),
            (Calm, 80, false, Strained),
            (Calm, 100, false, Overloaded),
            (Strained, 79, false, Strained),
            (Strained, 70, false, Strained),
            (Strained, 69, false, Calm),
            (Strained, 0, true, Strained),
            (Strained, 250, true, Overloaded),
            (Overloaded, 90, false, Overloaded),
            (Overloaded, 89, false, Strained),
            (Overloaded, 75, false, Strained),
            (Overloaded, 0, false, Calm),
            (Overloaded, 0, true, Overloaded),
        ];
        for (level, percent, held, next) in table {
            assert_eq!(
                level.next(percent, held),
                next,
                "{level:?} at {percent} %, {held}"
            );
        }
    }

    #[test]
    fn a_level_lasts_a_second_after_it_was_last_called_for() {
        let pressure = calm();
        let at = Duration::from_millis;
        let table = [
            (5_000, 100, Overloaded),
            (5_500, 10, Overloaded),
            (5_600, 120, Overloaded),
            (6_599, 10, Overloaded),
            (6_600, 10, Calm),
            (6_700, 85, Strained),
            (7_699, 0, Strained),
            (7_700, 0, Calm),
        ];
        for (now, percent, level) in table {
            assert_eq!(pressure.judge(percent, at(now)), level, "at {now} ms");
        }
    }

    #[test]
    fn a_watch_that_is_late_itself_is_lag() {
        let pressure = calm();
        let at = Duration::from_millis;
        assert_eq!(pressure.lag(at(10_000)), Duration::ZERO, "it was never due");
        pressure.due.store(nanos(at(100)), Ordering::Relaxed);
        assert_eq!(pressure.lag(at(50)), Duration::ZERO);
        assert_eq!(pressure.lag(at(400)), at(300));
        pressure.lag.store(nanos(at(7)), Ordering::Relaxed);
        assert_eq!(pressure.lag(at(50)), at(7));
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident() > 100_000, "{}", resident());
    }
}
