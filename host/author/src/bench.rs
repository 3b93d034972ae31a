//! `plugin bench`: what a call costs, by where its instance comes from.

use std::time::{Duration, Instant};

use portcullis_runtime::{Copying, Post, Spec};
use portcullis_terminal::Failure;
use rustix::time::{ClockId, clock_gettime};

use crate::BenchOptions;
use crate::case::{Case, Cases};
use crate::play::rehearse;
use crate::scene::Scene;
use crate::stage::{self, Refused, Stage};
use crate::test::width;

/// A name, and what it changes about a plugin.
type Way = (&'static str, fn(&mut Spec));

/// Where instances come from.
const WAYS: [Way; 3] = [
    ("kept", |spec| spec.kept = true),
    // From the snapshot, where the cases let there be one.
    ("fresh", |spec| spec.kept = false),
    ("fresh, configured anew", |spec| {
        (spec.kept, spec.copying) = (false, Copying::Never);
    }),
];

/// The ways take turns, so that a loud neighbour is loud for all.
const ROUNDS: usize = 5;
/// CPU time of one round of one way.
const ROUND: Duration = Duration::from_millis(60);
/// Where calls wait for upstreams, a round ends sooner.
const LONGEST: Duration = Duration::from_secs(1);
const WARM_UP: u32 = 20;

/// Prints CPU time per case and way.
pub(super) fn bench(options: &BenchOptions) -> Result<(), Failure> {
    let cases = Cases::read(&options.cases)?;
    let wanted = cases.named(options.filter.as_deref());
    let stage = Stage::set(&stage::component(options.component.as_ref())?)?;
    let scenes = stage.scenes(&wanted)?;
    let tokio = stage::tokio()?;
    println!(
        "CPU time of the process per case, medians of {ROUNDS} rounds; upstreams answer from memory\n"
    );
    let [kept, fresh, anew] = WAYS.map(|(name, _)| name);
    let width = width(&wanted);
    println!(
        "{:<width$} {kept:>9} {fresh:>9} {:>7} {anew:>24} {:>7}",
        "case", "× kept", "× fresh"
    );
    for (number, ((_, case), scene)) in wanted.iter().zip(&scenes).enumerate() {
        match tokio.block_on(measure(&stage, &cases, case, scene, number))? {
            Ok([kept, fresh, anew]) => println!(
                "{:<width$} {:>9} {:>9} {:>7.1} {:>24} {:>7.1}",
                case.name,
                shown(kept),
                shown(fresh),
                ratio(fresh, kept),
                shown(anew),
                ratio(anew, fresh)
            ),
            Err(why) => println!("{:<width$} not measured: {why}", case.name),
        }
    }
    Ok(())
}

async fn measure(
    stage: &Stage,
    cases: &Cases,
    case: &Case,
    scene: &Scene,
    number: usize,
) -> Result<Result<[Duration; 3], Refused>, Failure> {
    let mut posts = Vec::new();
    for (way, (_, change)) in WAYS.into_iter().enumerate() {
        match stage
            .cast(cases, case, number * WAYS.len() + way, change)
            .await?
        {
            Ok(post) => posts.push(post),
            Err(refused) => return Ok(Err(refused)),
        }
    }
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (post, times) in posts.iter().zip(&mut rounds) {
            times.push(round(post, scene).await);
        }
    }
    Ok(Ok(rounds.map(|mut times: Vec<Duration>| {
        times.sort();
        times[ROUNDS / 2]
    })))
}

/// CPU time of one call, over as many as fit into a round.
async fn round(post: &Post, scene: &Scene) -> Duration {
    for _ in 0..WARM_UP {
        rehearse(post, scene).await;
    }
    let (began, start, mut calls) = (cpu(), Instant::now(), 0);
    loop {
        rehearse(post, scene).await;
        calls += 1;
        let used = cpu().saturating_sub(began);
        if used > ROUND || start.elapsed() > LONGEST {
            return used / calls;
        }
    }
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

fn shown(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(f64::MIN_POSITIVE)
}
