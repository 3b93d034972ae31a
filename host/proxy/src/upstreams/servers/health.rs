//! Active checks: one loop per server, all owned by the task that tends the upstream.

use std::sync::Arc;
use std::time::Duration;

use portcullis_config::plan::HealthPlan;
use tokio::task::{AbortHandle, JoinSet};

use super::metrics::UpstreamMetrics;
use super::server::{Health, Server};
use super::{Upstream, probe};
use crate::wire::link::within;

/// What one loop needs.
struct Watch {
    plan: HealthPlan,
    upstream: Arc<str>,
    server: Arc<Server>,
    metrics: UpstreamMetrics,
    slow_start: Duration,
}

impl Upstream {
    /// Checks every server of the set, also those that come later. Ends only where there is nothing to check.
    pub(super) async fn watch(&self) {
        let Some(plan) = &self.plan.health else {
            return;
        };
        // Dropped with this future, and every loop with it.
        let mut loops = JoinSet::new();
        let mut running: Vec<(Arc<Server>, AbortHandle)> = Vec::new();
        loop {
            let servers = self.servers();
            running.retain(|(known, handle)| {
                let stays = servers.iter().any(|server| Arc::ptr_eq(server, known));
                if !stays {
                    handle.abort();
                }
                stays
            });
            for server in servers {
                if running.iter().any(|(known, _)| Arc::ptr_eq(&server, known)) {
                    continue;
                }
                let watch = Watch {
                    plan: plan.clone(),
                    upstream: self.name.clone(),
                    server: server.clone(),
                    metrics: self.metrics.clone(),
                    slow_start: self.plan.slow_start,
                };
                running.push((server, loops.spawn(watch.run())));
            }
            tokio::select! {
                () = self.changed.notified() => {}
                // Loops end only when aborted; collecting them keeps the set small.
                Some(_) = loops.join_next() => {}
            }
        }
    }
}

impl Watch {
    async fn run(self) {
        let mut in_a_row = 0_u32;
        let mut passed_before = None;
        loop {
            let asked = probe::ask(&self.plan, &self.server);
            let checked = within(self.plan.timeout, asked, |late| late).await;
            self.metrics.checked(checked.is_ok());
            let passed = checked.is_ok();
            in_a_row = match passed_before {
                Some(before) if before == passed => in_a_row.saturating_add(1),
                _ => 1,
            };
            passed_before = Some(passed);
            self.conclude(checked, in_a_row);
            tokio::time::sleep(self.pause()).await;
        }
    }

    fn conclude(&self, checked: Result<(), String>, in_a_row: u32) {
        let server = &self.server;
        let before = server.health();
        let first = before == Health::Unchecked;
        match checked {
            Ok(()) if before != Health::Up && (first || in_a_row >= self.plan.up) => {
                server.set_health(Health::Up);
                if first {
                    return;
                }
                if !self.slow_start.is_zero() {
                    server.warm_up(server.now());
                }
                // What requests said of it is from before it went down.
                server.record.pardon();
                server.say(None);
                tracing::info!(upstream = %self.upstream, server = %server.address, "is up again");
            }
            Err(why) if before != Health::Down && (first || in_a_row >= self.plan.down) => {
                server.set_health(Health::Down);
                tracing::warn!(upstream = %self.upstream, server = %server.address, "is down: {why}");
                server.say(Some(why));
            }
            Err(why) if before == Health::Down => server.say(Some(why)),
            _ => {}
        }
    }

    /// `every`, give or take half of the jitter.
    fn pause(&self) -> Duration {
        let every = self.plan.every;
        let spread = every * self.plan.jitter / 100;
        every - spread / 2 + spread.mul_f64(fastrand::f64())
    }
}
