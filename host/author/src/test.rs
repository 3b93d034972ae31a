//! `plugin test`: cases in the real runtime, within the real limits.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use portcullis_runtime::Post;
use portcullis_terminal::Failure;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::TestOptions;
use crate::case::{Case, Cases};
use crate::differ::{Difference, differences};
use crate::play::{Cost, Seen, play, rehearse};
use crate::scene::Scene;
use crate::stage::{self, Refused, Stage};

/// Calls before the one that is looked at, and when they are enough.
const WARM_UP: u32 = 20;
const LONGEST: Duration = Duration::from_millis(20);

/// What the plugin logged, and what its panics printed.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<u8>>>);

/// Runs the cases and prints a line for each.
pub(super) fn test(options: &TestOptions) -> Result<(), Failure> {
    let cases = Cases::read(&options.cases)?;
    let wanted = cases.named(options.filter.as_deref());
    if wanted.is_empty() {
        return Err(Failure::Mistake(format!(
            "error: {} has no such case\n hint: a case is a table [[case]]; --filter takes a part of its name",
            options.cases.display()
        )));
    }
    let stage = Stage::set(&stage::component(options.component.as_ref())?)?;
    let notes = Notes::default();
    notes.listen();
    let scenes = stage.scenes(&wanted)?;
    let tokio = stage::tokio()?;
    let width = width(&wanted);
    let mut failed = 0;
    for (number, ((place, case), scene)) in wanted.iter().zip(&scenes).enumerate() {
        // Held while the case runs: both have one snapshot, and its memory is warm.
        let _warm = tokio.block_on(warm_up(&stage, &cases, case, scene, wanted.len() + number))?;
        notes.take();
        let seen = tokio.block_on(run(&stage, &cases, case, scene, number))?;
        let found = differences(&case.expect, &seen);
        failed += usize::from(!found.is_empty());
        print(place, &case.name, width, &seen, &found, &notes.take());
    }
    let ran = wanted.len();
    println!(
        "\n{}: {} ok, {failed} failed",
        counted(ran as u64, "case"),
        ran - failed
    );
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Trouble(format!("{failed} of {ran} cases failed"))),
    }
}

/// The longest name of the cases, in characters.
pub(super) fn width(cases: &[(String, &Case)]) -> usize {
    let lengths = cases.iter().map(|(_, case)| case.name.chars().count());
    lengths.max().unwrap_or_default()
}

/// Plays a case without a report: what the first calls of a process cost is not what a call costs. As another plugin, whose
/// stores the real one does not see.
async fn warm_up(
    stage: &Stage,
    cases: &Cases,
    case: &Case,
    scene: &Scene,
    number: usize,
) -> Result<Option<Arc<Post>>, Failure> {
    let Ok(post) = stage.cast(cases, case, number, |_| ()).await? else {
        return Ok(None);
    };
    let began = Instant::now();
    for _ in 0..WARM_UP {
        rehearse(&post, scene).await;
        if began.elapsed() > LONGEST {
            break;
        }
    }
    Ok(Some(post))
}

/// Plays a case as often as it says; what is seen is the last time.
async fn run(
    stage: &Stage,
    cases: &Cases,
    case: &Case,
    scene: &Scene,
    number: usize,
) -> Result<Seen, Failure> {
    let post = match stage.cast(cases, case, number, |_| ()).await? {
        Ok(post) => post,
        Err(Refused::Settings(why)) => return Ok(Seen::settings_refused(why)),
        Err(Refused::Load(error)) => return Err(stage::mistake(cases.path(), &error)),
    };
    let mut seen = play(&post, scene).await;
    for _ in 1..scene.times {
        seen = play(&post, scene).await;
    }
    Ok(seen)
}

fn print(place: &str, name: &str, width: usize, seen: &Seen, found: &[Difference], notes: &str) {
    let word = if found.is_empty() { "ok    " } else { "FAILED" };
    let line = format!("{word} {name:<width$}  {}", costs(&seen.cost));
    println!("{}", line.trim_end());
    if !found.is_empty() {
        println!("       {place}: - expected, + got");
    }
    for difference in found {
        for line in difference.to_string().lines() {
            println!("       {line}");
        }
    }
    for line in notes.lines() {
        println!("       | {line}");
    }
}

/// What the calls of a case took.
fn costs(cost: &Cost) -> String {
    let figures = &cost.figures;
    if cost.calls == 0 {
        return String::new();
    }
    let mut text = format!(
        "{} cpu, {} wall, {} KiB, {}, {} B in, {} B out",
        time(figures.cpu),
        time(figures.wall),
        figures.peak_memory.div_ceil(1024),
        counted(figures.host_calls, "host call"),
        figures.bytes_in,
        figures.bytes_out
    );
    if figures.outbound_calls > 0 {
        text.push_str(", ");
        text.push_str(&counted(figures.outbound_calls, "upstream call"));
    }
    if figures.dropped_log_bytes > 0 {
        text.push_str(&format!(
            ", {} B of log dropped (grants.log)",
            figures.dropped_log_bytes
        ));
    }
    text
}

fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn time(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

// === impl Notes ===

impl Notes {
    /// Takes what is logged from now on in this process.
    fn listen(&self) {
        let notes = self.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || notes.clone())
            .with_ansi(io::stdout().is_terminal())
            .without_time()
            .with_target(false);
        let plugins = Targets::new().with_target("portcullis_runtime", tracing::Level::TRACE);
        tracing_subscriber::registry()
            .with(lines.with_filter(plugins))
            .init();
    }

    fn take(&self) -> String {
        let mut bytes = self.0.lock();
        String::from_utf8_lossy(&std::mem::take(&mut *bytes)).into_owned()
    }
}

impl Write for Notes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
