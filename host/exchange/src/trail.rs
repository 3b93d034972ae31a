//! The trail of an exchange: the steps of its way, as they happened. Kept only where somebody wants to see it.
//!
//! Server-Timing, the answer to a signed debug request and the spans of a trace are views of one trail. It is the
//! exchange's own: its lock is only ever contended where a plugin makes several calls at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shared by whoever takes a step of one exchange.
#[derive(Debug, Clone)]
pub struct Trail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// What it is called in a trace; None: it is in none.
    ids: Option<Ids>,
    steps: Mutex<Steps>,
}

#[derive(Debug, Default)]
struct Steps {
    taken: Vec<Step>,
    /// The call of a plugin that runs: what is asked meanwhile, it asks for.
    inside: Option<usize>,
    /// Steps beyond what is kept.
    left_out: u32,
}

/// What an exchange is called in a trace (W3C Trace Context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    pub trace: u128,
    /// The span of the exchange as a whole; those of its steps follow from it.
    pub span: u64,
    /// Whether it is known from the beginning that somebody keeps it.
    pub sampled: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    pub what: What,
    /// The plugin, upstream, limit or route that it is about.
    pub of: Arc<str>,
    /// The step that it is a part of.
    pub within: Option<usize>,
    /// Since the exchange began.
    pub start: Duration,
    pub took: Duration,
    /// From a closed set per kind of step.
    pub outcome: &'static str,
    pub facts: Facts,
}

macro_rules! whats {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// The kinds of steps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum What { $($variant),+ }

        impl What {
            pub fn as_str(self) -> &'static str {
                match self { $(What::$variant => $name),+ }
            }
        }
    };
}

whats! {
    Find            "find",
    LimitByAddress  "limit_by_address",
    Authenticate    "authenticate",
    Authorize       "authorize",
    LimitByCaller   "limit_by_caller",
    Request         "request",
    RequestBody     "request_body",
    Handle          "handle",
    Cache           "cache",
    Try             "try",
    Call            "call",
    Response        "response",
    ResponseBody    "response_body",
}

/// What is known of a step beside its time and outcome.
#[derive(Debug, Clone, Default)]
pub enum Facts {
    #[default]
    None,
    Cost(Cost),
    Try(Try),
    Note(&'static str),
}

/// What a call of a plugin used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Time that it held a thread.
    pub cpu: Duration,
    /// The most linear memory that its instance has had, in bytes.
    pub memory: usize,
    pub host_calls: u32,
    pub outbound_calls: u32,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// A request at one server.
#[derive(Debug, Clone)]
pub struct Try {
    pub server: Arc<str>,
    /// 1 for the first of the exchange, or of the plugin's call.
    pub number: u32,
    /// Why there is another one: `first`, `status`, `unreachable`, `closed`, `slow` or `hedge`.
    pub because: &'static str,
    /// `http` or `https`
    pub scheme: &'static str,
    /// Shared with the request, not copied; its query is nobody's to see.
    pub target: http::uri::PathAndQuery,
    pub method: http::Method,
    pub status: Option<u16>,
}

/// A step that is being taken. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct Open {
    trail: Trail,
    /// None: it is beyond what is kept.
    at: Option<usize>,
    /// Where it was not known at the beginning what it is about.
    of: Option<Arc<str>>,
    facts: Facts,
    outcome: &'static str,
}

/// More is counted and not kept: a plugin may make many calls.
const MOST: usize = 64;
/// Most exchanges have no more.
const USUAL: usize = 8;

// === impl Trail ===

impl Trail {
    pub fn begin(began: Instant, ids: Option<Ids>) -> Trail {
        let steps = Steps {
            taken: Vec::with_capacity(USUAL),
            ..Steps::default()
        };
        Trail(Arc::new(Inner {
            began,
            ids,
            steps: Mutex::new(steps),
        }))
    }

    pub fn ids(&self) -> Option<Ids> {
        self.0.ids
    }

    /// Begins a step.
    pub fn enter(&self, what: What, of: &Arc<str>) -> Open {
        self.open(what, of, false)
    }

    /// Begins a call of a plugin: until its end, calls of upstreams are a part of it.
    pub fn enter_plugin(&self, what: What, of: &Arc<str>) -> Open {
        self.open(what, of, true)
    }

    fn open(&self, what: What, of: &Arc<str>, is_plugin: bool) -> Open {
        let start = self.0.began.elapsed();
        let mut steps = self.steps();
        let at = steps.taken.len();
        let kept = at < MOST;
        if kept {
            let within = steps.inside.filter(|_| what == What::Call);
            steps.taken.push(Step {
                what,
                of: of.clone(),
                within,
                start,
                took: Duration::ZERO,
                outcome: CANCELLED,
                facts: Facts::None,
            });
            if is_plugin {
                steps.inside = Some(at);
            }
        } else {
            steps.left_out += 1;
        }
        drop(steps);
        Open {
            trail: self.clone(),
            at: kept.then_some(at),
            of: None,
            facts: Facts::None,
            outcome: CANCELLED,
        }
    }

    /// The steps so far, and how many more there were.
    pub fn read<T>(&self, read: impl FnOnce(&[Step], u32) -> T) -> T {
        let steps = self.steps();
        read(&steps.taken, steps.left_out)
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        // Each change is one push or one store: nothing is half done after a panic.
        self.0.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CANCELLED: &str = "cancelled";

// === impl Ids ===

impl Ids {
    /// The span of a step: never zero, never that of the exchange, and different for each.
    pub fn step(self, at: usize) -> u64 {
        // An odd factor keeps different steps different; so does adding.
        let mixed = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match self.span.wrapping_add(mixed) {
            0 => self.span.wrapping_add(1),
            id => id,
        }
    }
}

// === impl What ===

impl What {
    /// A call of a plugin.
    pub fn is_plugin(self) -> bool {
        use What::{Authenticate, Authorize, Handle, Request, RequestBody, Response, ResponseBody};
        matches!(
            self,
            Authenticate | Authorize | Handle | Request | RequestBody | Response | ResponseBody
        )
    }

    /// A request at a server.
    pub fn is_asking(self) -> bool {
        matches!(self, What::Try | What::Call)
    }
}

// === impl Open ===

impl Open {
    /// What the step is called in a trace.
    pub fn ids(&self) -> Option<Ids> {
        let ids = self.trail.ids()?;
        // Beyond what is kept there is no span to be the parent of anything.
        let span = self.at.map_or(ids.span, |at| ids.step(at));
        Some(Ids { span, ..ids })
    }

    pub fn about(&mut self, of: Arc<str>) {
        self.of = Some(of);
    }

    pub fn know(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// The status that a server answered with.
    pub fn answered(&mut self, status: http::StatusCode) {
        if let Facts::Try(tried) = &mut self.facts {
            tried.status = Some(status.as_u16());
        }
    }

    pub fn end(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(at) = self.at else { return };
        let now = self.trail.0.began.elapsed();
        let mut steps = self.trail.steps();
        if steps.inside == Some(at) {
            steps.inside = None;
        }
        if let Some(step) = steps.taken.get_mut(at) {
            step.took = now.saturating_sub(step.start);
            step.outcome = self.outcome;
            if let Some(of) = self.of.take() {
                step.of = of;
            }
            step.facts = std::mem::take(&mut self.facts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(trail: &Trail) -> Vec<(&'static str, &'static str, Option<usize>)> {
        trail.read(|steps, _| {
            let seen = |s: &Step| (s.what.as_str(), s.outcome, s.within);
            steps.iter().map(seen).collect()
        })
    }

    #[test]
    fn calls_are_within_the_plugin_that_makes_them_and_nothing_else_is() {
        let trail = Trail::begin(Instant::now(), None);
        let name: Arc<str> = "x".into();
        let plugin = trail.enter_plugin(What::Handle, &name);
        let first = trail.enter(What::Call, &name);
        let second = trail.enter(What::Call, &name);
        second.end("ok");
        drop(first);
        plugin.end("ok");
        trail.enter(What::Call, &name).end("ok");
        assert_eq!(
            seen(&trail),
            [
                ("handle", "ok", None),
                ("call", "cancelled", Some(0)),
                ("call", "ok", Some(0)),
                ("call", "ok", None),
            ]
        );
    }

    #[test]
    fn a_trail_is_bounded_and_says_what_it_left_out() {
        let trail = Trail::begin(Instant::now(), None);
        let name: Arc<str> = "x".into();
        for _ in 0..MOST + 3 {
            trail.enter(What::Try, &name).end("ok");
        }
        assert_eq!(
            trail.read(|steps, left_out| (steps.len(), left_out)),
            (MOST, 3)
        );
    }

    #[test]
    fn the_spans_of_steps_are_never_zero_nor_the_exchange_s_own() {
        let after = |at: u64| 0_u64.wrapping_sub((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // The last two make the sum for some step zero.
        for span in [1, u64::MAX, after(0), after(7)] {
            let ids = Ids {
                trace: 1,
                span,
                sampled: true,
            };
            let mut all: Vec<u64> = (0..MOST).map(|at| ids.step(at)).collect();
            assert!(all.iter().all(|id| *id != 0 && *id != span), "{span}");
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), MOST, "{span}");
        }
    }
}
