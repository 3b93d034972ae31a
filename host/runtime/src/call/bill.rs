//! What a plugin cost on one route: counters that only grow, and a few that say how things are now.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::CallError;
use crate::guest::meter::Meter;

/// The bill of one plugin on one route. It outlives reloads and versions.
#[derive(Debug, Default)]
pub struct Bill {
    endings: [AtomicU64; Ending::ALL.len()],
    bypassed: AtomicU64,
    /// Nanoseconds.
    wall: AtomicU64,
    cpu: AtomicU64,
    /// By the first of `SECONDS` that the wall time is not above; the last is for all above.
    durations: [AtomicU64; Bill::SECONDS.len() + 1],
    host_calls: AtomicU64,
    outbound_calls: AtomicU64,
    /// Bytes copied into and out of guests.
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    dropped_log_bytes: AtomicU64,
    peak_memory: AtomicU64,
    live: AtomicI64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Ok,
    Refused,
    Failed,
    Trapped,
    TimedOut,
    Invalid,
    Overloaded,
    /// The exchange went away while the call ran.
    Cancelled,
}

/// A bill as numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    pub endings: [(&'static str, u64); Ending::ALL.len()],
    /// Failed calls that the request passed by, where a human wrote `on_failure = "open"`.
    pub bypassed: u64,
    pub wall: Duration,
    /// Time that the guest, and the host for it, held a thread.
    pub cpu: Duration,
    /// Calls whose wall time is not above each of [`Bill::SECONDS`] and above the one before; then the rest.
    pub durations: [u64; Bill::SECONDS.len() + 1],
    pub host_calls: u64,
    pub outbound_calls: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Log bytes beyond what was granted.
    pub dropped_log_bytes: u64,
    /// The most linear memory that one instance has had, in bytes.
    pub peak_memory: u64,
    pub live: i64,
}

impl Ending {
    pub const ALL: [(Ending, &'static str); 8] = [
        (Ending::Ok, "ok"),
        (Ending::Refused, "refused"),
        (Ending::Failed, "failed"),
        (Ending::Trapped, "trapped"),
        (Ending::TimedOut, "timed_out"),
        (Ending::Invalid, "invalid"),
        (Ending::Overloaded, "overloaded"),
        (Ending::Cancelled, "cancelled"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) fn of<T>(answer: &Result<T, CallError>) -> Ending {
        match answer {
            Ok(_) => Ending::Ok,
            Err(CallError::Refused(_)) => Ending::Refused,
            Err(CallError::Failed(_)) => Ending::Failed,
            Err(CallError::Trapped(_)) => Ending::Trapped,
            Err(CallError::TimedOut(_)) => Ending::TimedOut,
            Err(CallError::Invalid(_)) => Ending::Invalid,
            Err(CallError::Overloaded) => Ending::Overloaded,
        }
    }
}

impl Bill {
    /// Bounds of wall times: from 10 microseconds to a second.
    pub const SECONDS: [f64; 14] = [
        0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
        0.025, 0.1, 0.25, 1.0,
    ];

    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut endings = Ending::ALL.map(|(_, name)| (name, 0));
        for (slot, counter) in endings.iter_mut().zip(&self.endings) {
            slot.1 = read(counter);
        }
        Figures {
            endings,
            bypassed: read(&self.bypassed),
            wall: Duration::from_nanos(read(&self.wall)),
            cpu: Duration::from_nanos(read(&self.cpu)),
            durations: std::array::from_fn(|at| read(&self.durations[at])),
            host_calls: read(&self.host_calls),
            outbound_calls: read(&self.outbound_calls),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            dropped_log_bytes: read(&self.dropped_log_bytes),
            peak_memory: read(&self.peak_memory),
            live: self.live.load(Ordering::Relaxed),
        }
    }

    fn ended(&self, ending: Ending) {
        self.endings[ending as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bypassed(&self) {
        self.bypassed.fetch_add(1, Ordering::Relaxed);
    }

    /// Opens the entry of a call; one that is not closed was cancelled.
    pub(crate) fn open(&self) -> CallEntry<'_> {
        CallEntry {
            bill: self,
            ending: Ending::Cancelled,
        }
    }

    fn time(&self, wall: Duration, cpu: Duration) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.wall.fetch_add(nanos(wall), Ordering::Relaxed);
        self.cpu.fetch_add(nanos(cpu), Ordering::Relaxed);
        let seconds = wall.as_secs_f64();
        let bucket = Bill::SECONDS.partition_point(|bound| *bound < seconds);
        self.durations[bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what one instance used in one call.
    pub(crate) fn used(&self, meter: &Meter) {
        let add = |counter: &AtomicU64, n: u64| {
            if n > 0 {
                counter.fetch_add(n, Ordering::Relaxed);
            }
        };
        add(&self.host_calls, meter.host_calls.into());
        add(&self.outbound_calls, meter.outbound_calls.into());
        add(&self.bytes_in, meter.bytes_in);
        add(&self.bytes_out, meter.bytes_out);
        add(&self.dropped_log_bytes, meter.dropped_log_bytes);
        let peak = meter.peak_memory as u64;
        if self.peak_memory.load(Ordering::Relaxed) < peak {
            self.peak_memory.fetch_max(peak, Ordering::Relaxed);
        }
    }
}

/// A call that is being counted.
pub(crate) struct CallEntry<'a> {
    bill: &'a Bill,
    ending: Ending,
}

impl CallEntry<'_> {
    pub(crate) fn close(mut self, ending: Ending, wall: Duration, cpu: Duration) {
        self.ending = ending;
        self.bill.time(wall, cpu);
    }
}

impl Drop for CallEntry<'_> {
    fn drop(&mut self) {
        self.bill.ended(self.ending);
    }
}

/// An instance that is alive.
pub(crate) struct Alive(Arc<Bill>);

impl Alive {
    pub(crate) fn on(bill: &Arc<Bill>) -> Alive {
        bill.live.fetch_add(1, Ordering::Relaxed);
        Alive(bill.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Figures {
    pub fn calls(&self) -> u64 {
        self.endings.iter().map(|(_, n)| n).sum()
    }

    /// Calls that ended neither well nor with a refusal.
    pub fn failures(&self) -> u64 {
        self.endings[2..7].iter().map(|(_, n)| n).sum()
    }
}

/// Runs a future that began just now: its output, its wall time, and the time that its polls held the thread. Where one
/// poll is all, the clock is read once. By reference, because futures are moved whole.
pub(crate) fn timed<F: Future>(
    began: Instant,
    mut inner: Pin<&mut F>,
) -> impl Future<Output = (F::Output, Duration, Duration)> {
    let mut held = Duration::ZERO;
    let mut first = Some(began);
    std::future::poll_fn(move |cx| {
        let from = first.take().unwrap_or_else(Instant::now);
        let polled = inner.as_mut().poll(cx);
        let until = Instant::now();
        held += until - from;
        polled.map(|output| (output, until - began, held))
    })
}
