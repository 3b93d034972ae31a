//! Random sequences, decided twice.

use std::time::Duration;

use portcullis_config::plan::Period;

use super::{Random, SECOND, at, seconds};
use crate::stages::limits::rule::{Gcra, Quota, Rule, Tick, Window};
use crate::stages::limits::store::Decision;

/// What was taken, and when.
#[derive(Default)]
struct Log(Vec<(u64, u32)>);

impl Log {
    fn sum(&self, from: impl Fn(u64) -> bool) -> u32 {
        let inside = self.0.iter().filter(|(time, _)| from(*time));
        inside.map(|(_, cost)| cost).sum()
    }

    /// The most that was taken in any stretch of `per` that ends now.
    fn within(&self, now: u64, per: u64) -> u32 {
        self.sum(|time| time + per > now)
    }
}

/// Mostly close together, sometimes after a pause.
fn pause(random: &mut Random, per: u64) -> u64 {
    match random.below(20) {
        0 => random.below(2 * per),
        1..=5 => 0,
        _ => random.below(per / 10 + 1),
    }
}

#[test]
fn gcra_decides_as_a_bucket_that_is_filled_drop_by_drop() {
    for seed in 1..=60 {
        let mut random = Random(seed);
        let (limit, burst) = (1 + random.number(50), 1 + random.number(80));
        let per = [SECOND / 10, SECOND, 7 * SECOND][random.below(3) as usize];
        let rule = Gcra::new(limit, Duration::from_nanos(per), burst);
        let gap = i128::from(per.div_ceil(u64::from(limit)));
        let full = gap * i128::from(burst);
        let (mut state, mut now, mut level, mut log) = (0, SECOND, full, Log::default());
        for step in 0..600 {
            let passed = pause(&mut random, per);
            now += passed;
            level = full.min(level + i128::from(passed));
            let cost = 1 + random.number(burst.min(3));
            let patience = [0, 0, per / 2][random.below(3) as usize];
            let need = gap * i128::from(cost);
            let wait = (need - level).max(0);
            let verdict = rule.take(
                &mut state,
                Tick {
                    cost,
                    patience,
                    ..at(now)
                },
            );
            let waits = Duration::from_nanos(u64::try_from(wait).expect("a small wait"));
            let want = if wait <= i128::from(patience) {
                Decision::Taken(waits)
            } else {
                Decision::Refused(waits)
            };
            assert_eq!(verdict.decision, want, "seed {seed}, step {step}");
            if let Decision::Taken(_) = want {
                level -= need;
                // It passes when it has waited.
                log.0.push((now + waits.as_nanos() as u64, cost));
            }
            let left = (level.max(0) / gap) as u32;
            assert_eq!(verdict.remaining, left, "seed {seed}, step {step}");
        }
        for (time, _) in &log.0 {
            let most = log.sum(|other| other >= *time && other < time + per);
            assert!(
                most <= limit + burst,
                "seed {seed}: {most} of {limit}+{burst}"
            );
        }
    }
}

#[test]
fn a_window_never_holds_more_than_its_limit() {
    for seed in 1..=40 {
        let mut random = Random(seed);
        let limit = 1 + random.number(60);
        let per = [SECOND / 10, SECOND, 10 * SECOND][random.below(3) as usize];
        let time = Duration::from_nanos(per);
        window_against_log::<_, 32>(&Window::<u8, 32>::new(limit, time), limit, per, seed);
        window_against_log::<_, 8>(&Window::<u32, 8>::new(limit, time), limit, per, seed);
    }
}

fn window_against_log<R: Rule, const N: u64>(rule: &R, limit: u32, per: u64, seed: u64) {
    let mut random = Random(seed);
    let slot = per.div_ceil(N - 1);
    let (mut state, mut now, mut log) = (R::State::default(), SECOND, Log::default());
    for step in 0..600 {
        now += pause(&mut random, per);
        let cost = 1 + random.number(limit.min(3));
        // What the ring says in terms of the log: a slot counts until all of it has left.
        let counted = log.sum(|time| time / slot + N > now / slot);
        let verdict = rule.take(&mut state, Tick { cost, ..at(now) });
        let taken = matches!(verdict.decision, Decision::Taken(_));
        assert_eq!(taken, counted + cost <= limit, "seed {seed}, step {step}");
        if taken {
            log.0.push((now, cost));
        }
        assert!(log.within(now, per) <= limit, "seed {seed}, step {step}");
        let late = log.within(now, per + slot) + cost > limit;
        assert!(
            taken || late,
            "seed {seed}, step {step}: refused for nothing"
        );
    }
}

#[test]
fn quotas_begin_anew_with_the_calendar() {
    // Checked with `date -u -d @SECONDS`.
    let rows = [
        // Wed 25 Nov 2026 10:00:00, to midnight and to 1 Dec.
        (1_795_600_800, 14 * 3_600, 5 * 86_400 + 14 * 3_600),
        // Thu 31 Dec 2026 23:59:59, to 1 Jan 2027.
        (1_798_761_599, 1, 1),
        // Mon 28 Feb 2028 00:00:00: a leap year.
        (1_835_308_800, 86_400, 2 * 86_400),
        // 1 Jan 1970.
        (0, 86_400, 31 * 86_400),
    ];
    for (now, to_midnight, to_first) in rows {
        for (period, left) in [(Period::Day, to_midnight), (Period::Month, to_first)] {
            let (rule, mut state) = (Quota::new(2, period), Default::default());
            let ask = |unix: u64| Tick {
                unix_ms: unix * 1_000,
                ..at(0)
            };
            let mut decide = |unix| rule.take(&mut state, ask(unix)).decision;
            assert_eq!(decide(now), Decision::Taken(Duration::ZERO), "{now}");
            assert_eq!(decide(now), Decision::Taken(Duration::ZERO), "{now}");
            assert_eq!(decide(now), Decision::Refused(seconds(left)), "{now}");
            let last = now + left - 1;
            assert_eq!(decide(last), Decision::Refused(seconds(1)), "{now}");
            assert_eq!(decide(last + 1), Decision::Taken(Duration::ZERO), "{now}");
            // The clock is set back: the new period goes on.
            assert_eq!(decide(last), Decision::Taken(Duration::ZERO), "{now}");
            assert!(matches!(decide(last), Decision::Refused(_)), "{now}");
        }
    }
}
