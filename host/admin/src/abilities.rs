//! What a plugin can do, in words: what its kind may, and each grant for which it has the import. And its limits.

use std::collections::BTreeMap;

use portcullis_runtime::{Bucket, Budget, Grants, Kind, Plugin};

/// One text for each.
pub struct Abilities {
    can: Vec<String>,
    idle: Vec<String>,
}

/// The interfaces through which a grant is used, by how their names begin.
const UPSTREAMS: &[&str] = &["portcullis:plugin/upstream@", "wasi:http/outgoing-handler@"];
const STATE: &[&str] = &["portcullis:plugin/state@"];
const CLOCK: &[&str] = &["portcullis:plugin/clock@", "wasi:clocks/"];
const CRYPTO: &[&str] = &["portcullis:plugin/crypto@"];
const RANDOM: &[&str] = &["wasi:random/random@", "wasi:random/insecure@"];
const LOG: &[&str] = &["portcullis:plugin/telemetry@", "wasi:cli/stderr@"];

impl Abilities {
    pub fn of(plugin: &Plugin) -> Abilities {
        let kind = match plugin.kind() {
            Kind::Authenticator => "say who the caller is; change request headers and the query",
            Kind::Authorizer => "say whether the caller may; change nothing",
            Kind::Filter => "change the request and the response",
            Kind::Handler => "answer",
        };
        let granted = granted(&plugin.spec().grants).into_iter();
        let (can, idle): (Vec<_>, Vec<_>) = granted.partition(|(interfaces, _)| {
            let named = |import: &String| interfaces.iter().any(|i| import.starts_with(i));
            plugin.imports().iter().any(named)
        });
        let can = can.into_iter().map(|(_, words)| words);
        Abilities {
            can: std::iter::once(kind.to_owned()).chain(can).collect(),
            idle: idle.into_iter().map(|(_, words)| words).collect(),
        }
    }

    pub fn can(&self) -> String {
        self.can.join("; ")
    }

    /// The same one by one.
    pub fn list(&self) -> Vec<String> {
        self.can.clone()
    }

    /// What it is granted and does not import: best taken out.
    pub fn idle(&self) -> Option<String> {
        (!self.idle.is_empty()).then(|| self.idle.join("; "))
    }
}

/// Each grant in words, with the interfaces that it is for.
fn granted(grants: &Grants) -> Vec<(&'static [&'static str], String)> {
    let mut list = Vec::new();
    let names = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(", ");
    if !grants.upstreams.is_empty() {
        let upstreams = names(&mut grants.upstreams.iter().map(ToString::to_string));
        let calls = grants.calls;
        let words = format!("call upstreams {upstreams}, {calls} times per request");
        list.push((UPSTREAMS, words));
    }
    if !grants.stores.is_empty() {
        let stores = names(&mut grants.stores.iter().map(ToString::to_string));
        list.push((STATE, format!("remember in {stores}")));
    }
    if !grants.buckets.is_empty() {
        let bucket = |b: &Bucket| format!("{} ({} per {:?})", b.name, b.size, b.per);
        let buckets = names(&mut grants.buckets.iter().map(bucket));
        list.push((STATE, format!("take tokens from {buckets}")));
    }
    if grants.clock {
        list.push((CLOCK, "tell the time".into()));
    }
    if grants.crypto {
        list.push((CRYPTO, "compute digests, codes and signatures".into()));
    }
    if grants.random {
        list.push((RANDOM, "draw random numbers".into()));
    }
    if grants.log > 0 {
        list.push((LOG, format!("log {} bytes per call", grants.log)));
    }
    list
}

/// A budget in words, by key of `limits`.
pub fn limits(budget: &Budget) -> BTreeMap<&'static str, String> {
    let kib = |bytes: u64| match bytes / 1024 {
        kib if kib % 1024 == 0 => format!("{} MiB", kib / 1024),
        kib => format!("{kib} KiB"),
    };
    BTreeMap::from([
        ("memory", kib(budget.memory as u64)),
        ("time", format!("{:?}", budget.time)),
        ("cpu", format!("{:?}", budget.cpu)),
        ("host_calls", budget.host_calls.to_string()),
        ("bytes_in", kib(budget.bytes_in)),
        ("bytes_out", kib(budget.bytes_out)),
        ("concurrent", budget.concurrent.to_string()),
    ])
}
