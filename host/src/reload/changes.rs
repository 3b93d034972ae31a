//! What differs between a generation and the next, in lines for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_config::plan::{Log, Plan};
use portcullis_runtime::Plugin;

/// A plugin that is another one in the next generation.
pub(super) struct Swap {
    pub(super) plugin: Arc<str>,
    /// What happens, for people.
    pub(super) line: String,
}

/// What changes among the plugins.
pub(super) fn swaps(
    before: &BTreeMap<Arc<str>, Arc<Plugin>>,
    next: &BTreeMap<Arc<str>, Arc<Plugin>>,
) -> Vec<Swap> {
    let mut swaps = Vec::new();
    for (name, plugin) in next {
        let line = match before.get(name) {
            None => format!("plugin {name} serves: {:?}", plugin.digest()),
            Some(old) if Arc::ptr_eq(old, plugin) => continue,
            Some(old) if old.digest() == plugin.digest() => {
                format!("plugin {name} has new settings")
            }
            Some(old) => format!(
                "plugin {name} swapped: {:?} -> {:?}",
                old.digest(),
                plugin.digest()
            ),
        };
        let plugin = name.clone();
        swaps.push(Swap { plugin, line });
    }
    let gone = before.keys().filter(|name| !next.contains_key(*name));
    swaps.extend(gone.map(|name| Swap {
        plugin: name.clone(),
        line: format!("plugin {name} retired"),
    }));
    swaps
}

/// Says what of the new file takes effect only after a restart.
pub(super) fn restart_needed(before: &Plan, next: &Plan) {
    let (old, new) = (&before.listen, &next.listen);
    let sockets =
        (old.http, old.h2c, old.https, old.admin) != (new.http, new.h2c, new.https, new.admin);
    let sizes = (old.workers, old.max_connections, old.max_head)
        != (new.workers, new.max_connections, new.max_head);
    let stores = before.plugins != next.plugins || before.cache != next.cache;
    // Where the access log goes and how it looks; what it contains changes at once.
    let settled = |log: &Log| (log.access, log.format, log.file.clone());
    let told = settled(&before.log) != settled(&next.log) || before.traces != next.traces;
    if sockets || sizes || told || stores {
        tracing::warn!(
            "changes of [listen] (but trusted_proxies), of access, format and file in [log], of [traces], [plugins] and [cache] take effect after a restart"
        );
    }
}

pub(super) fn same_settings(a: &Plan, b: &Plan) -> bool {
    a.admin == b.admin
        && a.plugin.iter().all(|(name, plugin)| {
            b.plugin
                .get(name)
                .is_some_and(|other| other.settings == plugin.settings)
        })
}
