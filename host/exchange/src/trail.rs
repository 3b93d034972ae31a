//! The trail of an exchange: its steps, as they happened. Kept only where somebody wants to see it.
//!
//! Server-Timing, the answer to a signed debug request and the spans of a trace are views of one trail. It is the
//! exchange's own: its lock is only ever contended where a plugin makes several calls at once.

mod ids;
mod step;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

pub use ids::Ids;
pub use step::{Cost, Facts, Step, Try, What};

/// Shared by everything that takes a step of one exchange.
#[derive(Debug, Clone)]
pub struct Trail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// None if the exchange is not traced.
    ids: Option<Ids>,
    steps: Mutex<Steps>,
}

#[derive(Debug, Default)]
struct Steps {
    taken: Vec<Step>,
    /// The plugin call that runs. Upstream calls made meanwhile belong to it.
    inside: Option<usize>,
    /// How many steps were counted but not kept.
    left_out: u32,
}

/// A step that is being taken. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct Open {
    trail: Trail,
    /// None if the step was counted but not kept.
    at: Option<usize>,
    /// Set when it became known only later what the step is about.
    of: Option<Arc<str>>,
    facts: Facts,
    outcome: &'static str,
}

/// Steps that are kept. More are only counted: a plugin may make many calls.
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
        self.0.steps.lock()
    }
}

const CANCELLED: &str = "cancelled";

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
}
