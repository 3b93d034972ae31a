//! Servers that answer badly are left alone for a while, each time longer, and never too many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use portcullis_config::plan::{Balance, EjectPlan};

use super::{Server, Ticket, Upstream, Verdict};
use crate::ground::clock::nanos;

/// Why a server is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It could not be connected to.
    Connect,
    /// Failures in a row.
    Failures,
    /// It fails more often than the others.
    SuccessRate,
}

/// What a server did lately. Counters of their own, not one lock: a race loses a count, never an ejection for good.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Nanoseconds on the server's clock; 0: it never was.
    until: AtomicU64,
    /// How long the last time was.
    last: AtomicU64,
    /// In a row.
    connects: AtomicU32,
    failures: AtomicU32,
    /// Number of the window that `good` and `bad` count.
    window: AtomicU64,
    good: AtomicU32,
    bad: AtomicU32,
}

/// A failed try counts as this long at the least: who fails fast must not look fast.
const FAILURE: Duration = Duration::from_secs(1);

impl Reason {
    /// The labels of `portcullis_ejections_total`.
    pub const NAMES: [&str; 3] = ["connect", "failures", "success_rate"];
}

// === impl Upstream ===

impl Upstream {
    /// Takes in what a try came to; `took` is the time from its beginning to the response head or the failure.
    pub fn tell(&self, ticket: &Ticket, verdict: Verdict, took: Duration) {
        self.metrics.tried(verdict, took);
        let (server, failed) = (ticket.server(), verdict.is_failure());
        let now = server.now();
        if matches!(self.plan.balance, Balance::Ewma | Balance::PeakEwma) {
            let took = if failed { took.max(FAILURE) } else { took };
            let peak = self.plan.balance == Balance::PeakEwma;
            server.latency.observe(took, now, peak);
        }
        let plan = &self.plan.eject;
        server.record.count(verdict, now, plan.window);
        if failed
            && !plan.base.is_zero()
            && let Some((reason, why)) = self.judge(server, plan)
        {
            self.eject(server, reason, why);
        }
    }

    /// Whether a server that just failed is to be left alone, and why.
    fn judge(&self, server: &Server, plan: &EjectPlan) -> Option<(Reason, String)> {
        let record = &server.record;
        let (connects, failures) = record.in_a_row();
        if connects >= plan.connects {
            let why = format!("it could not be connected to, {connects} in a row");
            return Some((Reason::Connect, why));
        }
        if failures >= plan.failures {
            return Some((Reason::Failures, format!("{failures} failures in a row")));
        }
        let (good, bad) = record.window();
        let above = |good: u64, bad: u64| good * 100 >= (good + bad) * u64::from(plan.success_rate);
        if good + bad < u64::from(plan.requests) || above(good, bad) {
            return None;
        }
        // Where all fail, it is not the server.
        let others = self.servers().into_iter();
        let others = others.filter(|other| !std::ptr::eq(&**other, server));
        let others = others.map(|other| other.record.window());
        let (theirs, bads) = others.fold((0, 0), |(g, b), (good, bad)| (g + good, b + bad));
        let reason = Reason::SuccessRate;
        let why = || format!("{good} of {} requests succeeded", good + bad);
        (theirs > 0 && above(theirs, bads)).then(|| (reason, why()))
    }

    fn eject(&self, server: &Arc<Server>, reason: Reason, why: String) {
        let plan = &self.plan.eject;
        let servers = self.servers();
        let ejected = servers.iter().filter(|s| s.is_ejected()).count();
        let most = (servers.len() * plan.share as usize / 100).max(1);
        if ejected >= most.min(servers.len().saturating_sub(1)) || server.is_ejected() {
            return;
        }
        let now = server.now();
        let time = server.record.eject(now, plan);
        server.warm_up_after_ejection(now + time, self.plan.slow_start);
        tracing::warn!(upstream = %self.name, server = %server.address, "left alone for {time:?}: {why}");
        server.say(Some(why));
        self.metrics.ejected(reason);
    }
}

impl Server {
    fn warm_up_after_ejection(&self, from: Duration, slow_start: Duration) {
        if !slow_start.is_zero() {
            self.warm_up(from);
        }
    }
}

// === impl Record ===

impl Record {
    /// On the server's clock.
    pub(super) fn ejected_until(&self) -> Option<Duration> {
        let until = self.until.load(Ordering::Relaxed);
        (until != 0).then(|| Duration::from_nanos(until))
    }

    /// It is used again, whatever was said of it.
    pub(super) fn pardon(&self) {
        self.until.store(0, Ordering::Relaxed);
        self.last.store(0, Ordering::Relaxed);
        self.connects.store(0, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
    }

    fn count(&self, verdict: Verdict, now: Duration, window: Duration) {
        let number = nanos(now) / nanos(window).max(1) + 1;
        let before = self.window.swap(number, Ordering::Relaxed);
        if before != number {
            self.good.store(0, Ordering::Relaxed);
            self.bad.store(0, Ordering::Relaxed);
        }
        if verdict != Verdict::Connect {
            self.connects.store(0, Ordering::Relaxed);
        }
        if verdict.is_failure() {
            self.bad.fetch_add(1, Ordering::Relaxed);
            self.failures.fetch_add(1, Ordering::Relaxed);
            if verdict == Verdict::Connect {
                self.connects.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            self.good.fetch_add(1, Ordering::Relaxed);
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Failed connections and failures.
    fn in_a_row(&self) -> (u32, u32) {
        let connects = self.connects.load(Ordering::Relaxed);
        (connects, self.failures.load(Ordering::Relaxed))
    }

    /// Good and bad.
    fn window(&self) -> (u64, u64) {
        let count = |counter: &AtomicU32| u64::from(counter.load(Ordering::Relaxed));
        (count(&self.good), count(&self.bad))
    }

    /// Returns for how long: twice the last time, unless that is long ago.
    fn eject(&self, now: Duration, plan: &EjectPlan) -> Duration {
        let last = Duration::from_nanos(self.last.load(Ordering::Relaxed));
        let ended = self.ejected_until().unwrap_or_default();
        let soon = !last.is_zero() && now.saturating_sub(ended) < last.max(plan.window) * 2;
        let time = if soon { last * 2 } else { plan.base }.min(plan.max);
        self.last.store(nanos(time), Ordering::Relaxed);
        self.until
            .store(nanos(now + time).max(1), Ordering::Relaxed);
        self.connects.store(0, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.good.store(0, Ordering::Relaxed);
        self.bad.store(0, Ordering::Relaxed);
        time
    }
}
