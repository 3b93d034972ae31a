//! Every attack, many times, while others are served.

use std::time::Duration;

use portcullis_tests::client::Answer;
use portcullis_tests::client::load::{Load, Tally};

use super::attacks::{ATTACKS, Attack};
use super::ground::{Ground, leak};

/// Before memory is measured: pools, stacks and arenas are made by the first few. Every other attack was made once
/// before any of them.
const WARM_UP: usize = 5;
const TIMES: usize = 50;
/// Memory that may be more after all those than before: allocators keep some. In KiB.
const SLACK: u64 = 64 * 1024;

/// How much slower than without an attack the healthy route may be: so many times, and so much besides, since guests
/// of one request or two may have both workers for some ticks.
const SLOWER: u32 = 20;
const BESIDES: Duration = Duration::from_millis(100);
/// What is too slow is measured again: a machine that builds something meanwhile has hiccups, a gateway that lets
/// guests have the workers is slow each time.
const TRIES: usize = 3;

/// What was seen of the healthy route and of the gateway during one attack, and of its bill.
struct Under {
    tally: Tally,
    /// Before and after, in KiB.
    memory: (u64, u64),
    billed: f64,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_harms_its_own_request_and_no_other() {
    let ground = Ground::with_every_kind().await;
    for attack in ATTACKS {
        wished(&ground, attack).await;
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let calm = calm(&ground).await;
    let first = ground.gateway.resident();
    for attack in ATTACKS {
        let mut seen = under(&ground, attack).await;
        for _ in 1..TRIES {
            if healthy(&seen.tally, &calm).is_ok() {
                break;
            }
            seen = under(&ground, attack).await;
        }
        if let Err(harm) = healthy(&seen.tally, &calm) {
            wrong.push(format!("{attack:?}: {harm}"));
        }
        let at_least = f64::from(u32::try_from(TIMES).expect("it is small"));
        if seen.billed < at_least {
            wrong.push(format!("{attack:?} is billed {} times", seen.billed));
        }
        let grown = seen.memory.1.saturating_sub(seen.memory.0);
        if grown >= SLACK {
            wrong.push(format!("{attack:?}: {grown} KiB more"));
        }
        rows.push(row(attack, &seen));
    }
    let grown = ground.gateway.resident().saturating_sub(first);
    println!("{}", rows.join("\n"));
    println!(
        "/b without an attack: p99 {:.1?}; memory {grown} KiB more in the end",
        calm.p99()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(grown < SLACK, "{grown} KiB more after all of them");
    for kind in ["filter", "handler", "authenticator", "authorizer"] {
        let labels = format!("plugin=\"{kind}\",route=\"a-{kind}\"");
        let live = ground.figure("instances_live", &labels).await;
        assert!(live.abs() < 0.5, "{live} instances of {kind} are left");
    }
    let dropped = "plugin=\"filter\",route=\"a-filter\"";
    assert!(ground.figure("log_bytes_dropped_total", dropped).await > 1e6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_attacks_at_once_leave_the_healthy_route_as_it_was() {
    let ground = std::sync::Arc::new(Ground::with_every_kind().await);
    for attack in ATTACKS {
        wished(&ground, attack).await;
    }
    let calm = calm(&ground).await;
    let mut harm = String::new();
    for _ in 0..TRIES {
        let load = Load::start(2, &ground.healthy());
        let (served, vain) = all_at_once(&ground).await;
        let tally = load.stop().await;
        println!(
            "p99 of /b: {:.1?}, under all at once {:.1?}; {served} of {vain} that do no harm were served",
            calm.p99(),
            tally.p99()
        );
        // The gateway is not closed: what is refused is refused for what it does.
        assert!(served * 4 > vain, "{served} of {vain} were served");
        match healthy(&tally, &calm) {
            Ok(()) => return,
            Err(seen) => harm = seen,
        }
    }
    panic!("{harm}");
}

/// Twenty attackers with fifty attacks each. Of those that come to nothing: how many were served, and how many there
/// were.
async fn all_at_once(ground: &std::sync::Arc<Ground>) -> (usize, usize) {
    let mut attackers = tokio::task::JoinSet::new();
    for from in 0..20 {
        let ground = ground.clone();
        attackers.spawn(async move {
            let (mut served, mut vain) = (0, 0);
            for attack in ATTACKS.iter().cycle().skip(from * 3).take(50) {
                let answer = wish(&ground, attack).await;
                // Together they may also meet the limits of the gateway itself.
                assert!(
                    [attack.status, 500, 503].contains(&answer.status),
                    "{attack:?}: {answer:?}"
                );
                assert_eq!(leak(&answer), None, "{attack:?}");
                vain += usize::from(attack.status == 200);
                served += usize::from(answer.status == 200);
            }
            (served, vain)
        });
    }
    let all = attackers.join_all().await;
    all.into_iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

async fn wish(ground: &Ground, attack: &Attack) -> Answer {
    ground
        .wish(&format!("/a/{}", attack.kind), attack.wish)
        .await
}

async fn wished(ground: &Ground, attack: &Attack) {
    let answer = wish(ground, attack).await;
    assert_eq!(answer.status, attack.status, "{attack:?}: {answer:?}");
    if attack.problem.is_empty() {
        return;
    }
    let problem = answer.json();
    assert_eq!(problem["type"], attack.problem, "{attack:?}: {answer:?}");
    assert_eq!(leak(&answer), None, "{attack:?}");
    let keys: Vec<_> = problem.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        ["request_id", "status", "title", "type"],
        "{attack:?}"
    );
}

/// One attack, many times.
async fn under(ground: &Ground, attack: &Attack) -> Under {
    let load = Load::start(2, &ground.healthy());
    for _ in 0..WARM_UP {
        wished(ground, attack).await;
    }
    let before = (billed(ground, attack).await, ground.gateway.resident());
    for _ in 0..TIMES {
        wished(ground, attack).await;
    }
    let after = (billed(ground, attack).await, ground.gateway.resident());
    Under {
        tally: load.stop().await,
        memory: (before.1, after.1),
        billed: after.0 - before.0,
    }
}

async fn billed(ground: &Ground, attack: &Attack) -> f64 {
    let route = format!("a-{}", attack.kind);
    ground.calls(attack.kind, &route, attack.outcome).await
}

/// The healthy route without an attack.
async fn calm(ground: &Ground) -> Tally {
    let load = Load::start(2, &ground.healthy());
    load.goes_on(500).await;
    load.stop().await
}

/// Whether the healthy route was served as it was when all was calm, or nearly.
fn healthy(tally: &Tally, calm: &Tally) -> Result<(), String> {
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    let most = calm.p99() * SLOWER + BESIDES;
    if tally.p99() > most {
        return Err(format!("p99 of /b {:?}, not {most:?}", tally.p99()));
    }
    let least = calm.per_second() / f64::from(SLOWER);
    if tally.per_second() < least {
        let seen = tally.per_second();
        return Err(format!("{seen:.1} answers of /b a second, not {least:.1}"));
    }
    Ok(())
}

/// What an attack costs others, for whoever runs this with `--no-capture`.
fn row(attack: &Attack, seen: &Under) -> String {
    format!(
        "{} {}: p99 of /b {:.1?}, {:.0} answers a second; {} → {} MiB",
        attack.kind,
        attack.wish,
        seen.tally.p99(),
        seen.tally.per_second(),
        seen.memory.0 / 1024,
        seen.memory.1 / 1024,
    )
}
