//! What a verdict says of the time to come is so, to the nanosecond, by every algorithm.

use std::time::Duration;

use super::{Random, SECOND, at};
use crate::stages::limits::rule::{Gcra, Rule, Tick, Window};
use crate::stages::limits::store::Decision;

#[test]
fn what_is_told_holds() {
    for seed in 1..=40 {
        let mut random = Random(seed);
        let limit = 1 + random.number(40);
        let per = Duration::from_nanos(SECOND + random.below(9 * SECOND));
        let burst = 1 + random.number(40);
        holds(&Gcra::new(limit, per, burst), burst, seed);
        holds(&Window::<u8, 32>::new(limit, per), limit, seed);
        holds(&Window::<u32, 8>::new(limit, per), limit, seed);
    }
}

fn holds<R: Rule>(rule: &R, most: u32, seed: u64) {
    let mut random = Random(seed);
    let (mut state, mut now) = (R::State::default(), SECOND);
    for step in 0..300 {
        let place = format!("{rule:?}, seed {seed}, step {step}");
        now += random.below(SECOND / 5);
        let cost = 1 + random.number(most.min(2));
        let verdict = rule.take(&mut state, Tick { cost, ..at(now) });
        if let Decision::Refused(wait) = verdict.decision {
            let wait = nanos(wait);
            assert!(wait > 0, "{place}");
            assert!(
                !takes(rule, state, now + wait - 1, cost),
                "{place}: too late"
            );
            assert!(takes(rule, state, now + wait, cost), "{place}: too early");
        }
        let left = verdict.remaining;
        assert!(
            left == 0 || takes(rule, state, now, left),
            "{place}: {left}"
        );
        assert!(!takes(rule, state, now, left + 1), "{place}: {left}");
        let renewal = nanos(verdict.renewal);
        assert_eq!(renewal == 0, left == most, "{place}");
        if renewal > 0 {
            assert!(!takes(rule, state, now + renewal - 1, left + 1), "{place}");
            assert!(takes(rule, state, now + renewal, left + 1), "{place}");
        }
        let spent = rule.is_spent(&state, at(now));
        assert_eq!(spent, !takes(rule, state, now, 1), "{place}");
        assert_eq!(rule.debt(&state, at(now)) == 0, left == most, "{place}");
    }
}

/// Whether a copy of the state would take so much.
fn takes<R: Rule>(rule: &R, mut state: R::State, now: u64, cost: u32) -> bool {
    let verdict = rule.take(&mut state, Tick { cost, ..at(now) });
    matches!(verdict.decision, Decision::Taken(_))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("a short time")
}
