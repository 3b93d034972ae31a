//! `/plugins`: what each plugin is, may do, and did cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_runtime::{Figures, Plugin};
use schemars::JsonSchema;
use serde::Serialize;

use crate::abilities::{Abilities, limits};
use crate::answer::{Answer, Problem, json};
use crate::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct PluginPage {
    name: String,
    kind: &'static str,
    digest: String,
    instance: &'static str,
    can: String,
    imports: Vec<String>,
    /// How instances come to be configured.
    configured: String,
    calls: u64,
    failures: u64,
    /// The bill, by route.
    routes: Vec<BillPage>,
    last_error: Option<String>,
    /// Bytes of the component.
    size: usize,
    /// By key of `limits`.
    limits: BTreeMap<&'static str, String>,
    /// It was rolled back to, and serves until its file changes.
    pinned: bool,
    /// The digest that a rollback would bring.
    before: Option<String>,
}

/// What a plugin cost on one route since the gateway started.
#[derive(Serialize, JsonSchema)]
struct BillPage {
    route: String,
    outcomes: BTreeMap<&'static str, u64>,
    bypassed: u64,
    wall_seconds: f64,
    cpu_seconds: f64,
    host_calls: u64,
    outbound_calls: u64,
    bytes_in: u64,
    bytes_out: u64,
    log_bytes_dropped: u64,
    memory_peak_bytes: u64,
    instances_live: i64,
}

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    json(&pages(&call)?)
}

pub(super) async fn one(call: Call) -> Result<Answer, Problem> {
    let name = call.param("name");
    let page = pages(&call)?.into_iter().find(|page| page.name == name);
    json(&page.ok_or_else(|| Problem::not_found("there is no plugin of this name"))?)
}

fn pages(call: &Call) -> Result<Vec<PluginPage>, Problem> {
    let gate = call.gate()?;
    let generation = gate.lease();
    let refused = call.gateway.status.refused();
    let bills = gate.metrics.bills();
    let page = |(name, plugin): (&Arc<str>, &Arc<Plugin>)| {
        let standing = call.gateway.status.history.standing(name);
        let bills = || bills.iter().filter(|(plugin, _, _)| plugin == name);
        PluginPage {
            name: name.to_string(),
            kind: plugin.kind().as_str(),
            digest: plugin.digest().to_string(),
            instance: if plugin.spec().kept { "kept" } else { "fresh" },
            can: Abilities::of(plugin).can(),
            imports: plugin.imports().to_vec(),
            configured: plugin.snapshot().to_string(),
            calls: bills().map(|(_, _, figures)| figures.calls()).sum(),
            failures: bills().map(|(_, _, figures)| figures.failures()).sum(),
            routes: bills()
                .map(|(_, route, figures)| BillPage::of(route, figures))
                .collect(),
            last_error: refused.get(name).cloned(),
            size: standing.size,
            limits: limits(&plugin.spec().budget),
            pinned: standing.pinned,
            before: standing.before.map(|digest| digest.to_string()),
        }
    };
    Ok(generation.plugins.iter().map(page).collect())
}

impl BillPage {
    fn of(route: &str, figures: &Figures) -> BillPage {
        BillPage {
            route: route.to_owned(),
            outcomes: figures.endings.into_iter().collect(),
            bypassed: figures.bypassed,
            wall_seconds: figures.wall.as_secs_f64(),
            cpu_seconds: figures.cpu.as_secs_f64(),
            host_calls: figures.host_calls,
            outbound_calls: figures.outbound_calls,
            bytes_in: figures.bytes_in,
            bytes_out: figures.bytes_out,
            log_bytes_dropped: figures.dropped_log_bytes,
            memory_peak_bytes: figures.peak_memory,
            instances_live: figures.live,
        }
    }
}
