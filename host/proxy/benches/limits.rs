//! `cargo bench -p portcullis-proxy --bench limits`: what the counts of ten million keys cost in memory and time, by
//! algorithm. `-- 1000000` for another number of keys.

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::plan::{LimitPlan, PerPlan, Period, RulePlan};
use portcullis_proxy::counts::{Answer, Ask, Decision, Store};
use portcullis_proxy::counts_in_memory;

const KEYS: u64 = 10_000_000;
/// Decisions on keys that are there.
const AGAIN: u64 = 2_000_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let keys = words.iter().find_map(|word| word.parse().ok());
    let keys = keys.unwrap_or(KEYS);
    if let Some((name, rule)) = rules()
        .into_iter()
        .find(|(name, _)| words.iter().any(|w| w == name))
    {
        return row(name, rule, keys);
    }
    println!(
        "| {keys} keys | bytes per key | RSS MiB | new key ns | known key ns | one key ns | two threads ns | flooded: ns | bytes per key | keys |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    // Each in a process of its own: what one has freed is no room for the next.
    for (name, _) in rules() {
        let mut own = Command::new(std::env::current_exe().expect("Linux tells"));
        let ended = own.args([name, &keys.to_string()]).status();
        assert!(ended.is_ok_and(|status| status.success()), "{name}");
    }
}

/// With windows so long that no key is over while this runs.
fn rules() -> [(&'static str, RulePlan); 4] {
    let per = Duration::from_secs(24 * 3_600);
    let gcra = RulePlan::Gcra {
        limit: 100,
        per,
        burst: 100,
    };
    let window = |limit| RulePlan::SlidingWindow { limit, per };
    let quota = RulePlan::Quota {
        limit: 10_000,
        period: Period::Month,
    };
    [
        ("gcra", gcra),
        ("sliding_window", window(100)),
        ("sliding_window_above_255", window(1_000)),
        ("quota", quota),
    ]
}

fn row(name: &str, rule: RulePlan, keys: u64) {
    let before = resident();
    let born = Instant::now();
    let store = counts_in_memory(&plan(rule, keys), born);
    let fill = ns(keys, |n| take(&*store, n, born));
    let full = resident() - before;
    let held = store.figures().keys;
    let again = ns(AGAIN, |n| take(&*store, n * 7_919 % keys, born));
    let one = ns(AGAIN, |_| take(&*store, 1, born));
    let two = two_threads(&store, keys, born);
    let flood = ns(keys, |n| take(&*store, keys + n, born));
    let flooded = resident() - before;
    let kept = store.figures().keys;
    println!(
        "| {name} | {:.1} | {:.0} | {fill:.0} | {again:.0} | {one:.0} | {two:.0} | {flood:.0} | {:.1} | {kept} |",
        full / held as f64,
        full / f64::from(1 << 20),
        flooded / kept as f64,
    );
}

/// With room for a tenth more, because hashes do not fill all shards alike.
fn plan(rule: RulePlan, keys: u64) -> LimitPlan {
    LimitPlan {
        name: "bench".into(),
        per: PerPlan {
            parts: Vec::new(),
            ipv6_prefix: 64,
        },
        rule,
        throttle: Duration::ZERO,
        max_waiting: 1,
        max_keys: usize::try_from(keys + keys / 10).expect("it fits memory"),
        dry_run: false,
        headers: false,
        fail_open: true,
    }
}

/// With the clock, as a request does it.
fn take(store: &dyn Store, n: u64, born: Instant) {
    let now = Instant::now();
    let ask = Ask {
        cost: 1,
        patience: Duration::ZERO,
        now,
        unix_ms: 1_800_000_000_000 + u64::try_from((now - born).as_millis()).unwrap_or_default(),
    };
    match store.take(spread(n), ask) {
        Answer::Now(verdict) => drop(black_box(matches!(verdict.decision, Decision::Taken(_)))),
        Answer::Later(_) => panic!("memory answers at once"),
    }
}

/// Nanoseconds per decision of each of two threads at once.
fn two_threads(store: &Arc<dyn Store>, keys: u64, born: Instant) -> f64 {
    let half = |first: u64| {
        let store = store.clone();
        move || {
            ns(AGAIN / 2, |n| {
                take(&*store, (first + n * 7_919) % keys, born);
            })
        }
    };
    let threads = [half(0), half(keys / 2)].map(std::thread::spawn);
    let times = threads.map(|thread| thread.join().expect("no panic"));
    (times[0] + times[1]) / 2.0
}

fn ns(times: u64, step: impl Fn(u64)) -> f64 {
    let began = Instant::now();
    (0..times).for_each(step);
    began.elapsed().as_secs_f64() * 1e9 / times as f64
}

/// As a hash would.
fn spread(n: u64) -> u64 {
    let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

/// Resident memory of this process in bytes (proc_pid_statm(5)).
fn resident() -> f64 {
    const PAGE: f64 = 4_096.0;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').nth(1).and_then(|text| text.parse().ok());
    pages
        .map(|pages: f64| pages * PAGE)
        .expect("a number of pages")
}
