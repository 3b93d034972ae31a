//! What `GET /metrics` shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::pipeline::gate::Gate;
use crate::pipeline::generation::Generation;
use crate::pipeline::metrics::Now;

/// All metrics, in the text format of Prometheus; what the gate holds is read now.
pub fn scrape(gate: &Gate) -> String {
    let generation = gate.lease();
    let bulkheads = generation.routes.iter().filter_map(|route| {
        let bulkhead = route.bulkhead.as_deref()?;
        Some((&route.name, bulkhead))
    });
    let now = now(gate, &generation);
    let Generation {
        upstreams, limits, ..
    } = &*generation;
    gate.metrics.render(&now, upstreams, bulkheads, limits)
}

fn now(gate: &Gate, generation: &Arc<Generation>) -> Now {
    let (draining, oldest) = gate.draining();
    let plugin = generation.plugins.values().next();
    let store = gate.cache.statistics();
    Now {
        generation: generation.number,
        draining,
        oldest,
        certificates: certificates(generation),
        pool_in_use: plugin.map_or(0, |plugin| plugin.pool_in_use() as u64),
        pool_size: generation.plan.plugins.instances.into(),
        cache_entries: store.entries,
        cache_limit: store.memory,
        code: plugin.map_or([0; _], |plugin| {
            plugin.code_sources().map(|(_, count)| count)
        }),
    }
}

/// When certificates end, by name and use; of several with one name the first.
fn certificates(generation: &Generation) -> BTreeMap<(String, &'static str), i64> {
    let mut first = BTreeMap::new();
    let mut note = |name: &str, used, ends: i64| {
        let known = first.entry((name.to_owned(), used)).or_insert(ends);
        *known = ends.min(*known);
    };
    if let Some(tls) = &generation.tls {
        for identity in &tls.parts().identities {
            let name = identity.names().first().map_or("-", String::as_str);
            note(name, "listener", identity.not_after());
        }
    }
    for (name, upstream) in generation.upstreams.iter() {
        let tls = upstream.dial().parts().tls.as_ref();
        if let Some(identity) = tls.and_then(|tls| tls.identity.as_ref()) {
            note(name, "upstream", identity.not_after());
        }
    }
    first
}
