//! Every attack, many times, while others are served.

use portcullis_tests::client::load::{Load, Tally};

use super::attacks::{ATTACKS, Attack};
use super::ground::{Ground, leak};

/// Before memory is measured, and after.
const WARM_UP: usize = 5;
const TIMES: usize = 50;
/// Memory that may be more after all those than before: allocators keep some. In KiB.
const SLACK: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_harms_its_own_request_and_no_other() {
    let ground = Ground::with_every_kind().await;
    for attack in ATTACKS {
        wished(&ground, attack).await;
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let calm = calm(&ground).await;
    for attack in ATTACKS {
        let load = Load::start(2, &ground.healthy());
        for _ in 0..WARM_UP {
            wished(&ground, attack).await;
        }
        let before = (counted(&ground, attack).await, ground.gateway.resident());
        for _ in 0..TIMES {
            wished(&ground, attack).await;
        }
        let after = (counted(&ground, attack).await, ground.gateway.resident());
        let tally = load.stop().await;
        healthy(attack, &tally);
        let at_least = f64::from(u32::try_from(TIMES).expect("it is small"));
        if after.0 - before.0 < at_least {
            wrong.push(format!(
                "{attack:?} counts otherwise: {before:?}, {after:?}"
            ));
        }
        let grown = after.1.saturating_sub(before.1);
        assert!(grown < before.1 + SLACK, "{attack:?}: {grown} KiB more");
        rows.push(row(attack, &tally, before.1, after.1));
    }
    let last = calm_tally(&ground).await;
    println!(
        "p99 of /b without an attack: {:.1?} before, {:.1?} after",
        calm,
        last.p99()
    );
    println!("{}", rows.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
    let load = Load::start(2, &ground.healthy());
    let mut attackers = tokio::task::JoinSet::new();
    for from in 0..20 {
        let ground = ground.clone();
        attackers.spawn(async move {
            for attack in ATTACKS.iter().cycle().skip(from * 3).take(50) {
                let answer = ground
                    .wish(&format!("/a/{}", attack.kind), attack.wish)
                    .await;
                // Together they may also meet the limits of the gateway itself.
                assert!(
                    [attack.status, 500, 503].contains(&answer.status),
                    "{attack:?}: {answer:?}"
                );
                assert_eq!(leak(&answer), None, "{attack:?}");
            }
        });
    }
    attackers.join_all().await;
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    println!("p99 of /b under all at once: {:.1?}", tally.p99());
}

async fn wished(ground: &Ground, attack: &Attack) {
    let answer = ground
        .wish(&format!("/a/{}", attack.kind), attack.wish)
        .await;
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

async fn counted(ground: &Ground, attack: &Attack) -> f64 {
    let route = format!("a-{}", attack.kind);
    ground.calls(attack.kind, &route, attack.outcome).await
}

async fn calm(ground: &Ground) -> std::time::Duration {
    calm_tally(ground).await.p99()
}

async fn calm_tally(ground: &Ground) -> Tally {
    let load = Load::start(2, &ground.healthy());
    while load.answered() < 500 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    load.stop().await
}

fn healthy(attack: &Attack, tally: &Tally) {
    assert!(
        tally.failures.is_empty(),
        "{attack:?}: {:?}",
        tally.failures
    );
    assert!(tally.answered > 0, "{attack:?}: /b was served meanwhile");
}

/// A row of docs/hostile.md.
fn row(attack: &Attack, tally: &Tally, before: u64, after: u64) -> String {
    let problem = if attack.problem.is_empty() {
        "its answer"
    } else {
        attack.problem
    };
    format!(
        "| {} | {} | {} {problem} | {} | {:.1} ms | {} | {} → {} MiB |",
        attack.kind,
        attack.wish,
        attack.status,
        attack.outcome,
        tally.p99().as_secs_f64() * 1e3,
        tally.answered,
        before / 1024,
        after / 1024,
    )
}
