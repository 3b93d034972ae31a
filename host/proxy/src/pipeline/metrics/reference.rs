//! docs/metrics.md, made of what is registered.

use std::fmt::Write as _;

use crate::ground::registry::Family;

const HEAD: &str = "\
# Metrics

What `GET /metrics` of the admin listener tells, in the text format of Prometheus. This page is made from what the
gateway registers (`host/proxy/src/pipeline/metrics`); `UPDATE=1 cargo test -p portcullis-proxy --test metrics` writes it again.

Labels have values from closed sets only: what gateway.toml names, and lists of the gateway's own. Nothing that a
client sends becomes a label, so the number of series depends on gateway.toml alone. A counter with a closed list of
outcomes is there with 0 from the start, but for `portcullis_refusals_total`: of a route, a reason appears with its
first refusal; of route `-` every reason is there.

A histogram `x` has the samples `x_bucket` (with the label `le`), `x_sum` and `x_count`. Times are in seconds, with
buckets from 0.1 ms to 10 s, of plugin calls from 10 µs to 1 s. Histograms are the classic ones
([why](decisions/0020-classic-histograms.md)).
";

/// Every label, and where its values come from.
pub(super) const LABELS: &[(&str, &str)] = &[
    ("by", "what ended a WebSocket: a closed list"),
    (
        "certificate",
        "the first DNS name of a certificate, `-` where it has none; with use `upstream` the upstream that it is shown to",
    ),
    (
        "deed",
        "`reload`, `swap`, `rollback`, `purge`, `drain`, `log_level`, `admin`",
    ),
    ("encoding", "`zstd`, `br`, `gzip`, `busy`"),
    ("from", "`client`, `server`"),
    ("kind", "`forwarding`, `ambiguous`"),
    (
        "limit",
        "a limit of a route: its name, or its place in the list",
    ),
    ("listener", "`http`, `h2c`, `https`"),
    ("name", "a route or an upstream of gateway.toml"),
    ("of", "`route`, `upstream`"),
    ("outcome", "a closed list, in the text of the metric"),
    ("plugin", "a plugin of gateway.toml"),
    ("priority", "`low`, `normal`, `critical`"),
    (
        "reason",
        "a closed list, of refusals the `type` of their problem document",
    ),
    (
        "result",
        "`hit`, `stale`, `revalidated`, `coalesced`, `miss`, `bypass`",
    ),
    (
        "route",
        "a route of gateway.toml; `-`: none was found; `*`: all that share a limit",
    ),
    ("rustc", "the compiler"),
    (
        "server",
        "the address of a server, from gateway.toml or from look-ups",
    ),
    ("side", "`before`, `after`"),
    ("state", "a closed list, in the text of the metric"),
    ("status", "`1xx`, `2xx`, `3xx`, `4xx`, `5xx`"),
    ("upstream", "an upstream of gateway.toml"),
    ("use", "`listener`, `upstream`"),
    ("version", "the gateway's"),
    ("wasmtime", "its version"),
    ("worker", "a number below `listen.workers`"),
];

pub(super) fn page(families: &[Family]) -> String {
    let mut families: Vec<&Family> = families.iter().collect();
    families.sort_by_key(|family| &family.name);
    let mut page = HEAD.to_owned();
    page.push_str("\n| name | type | labels | unit | what it tells |\n|---|---|---|---|---|\n");
    for family in families {
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            family.name,
            family.kind.as_str(),
            labels.join(", "),
            family.unit(),
            family.help
        );
    }
    page.push_str("\n| label | its values |\n|---|---|\n");
    for (label, values) in LABELS {
        let _ = writeln!(page, "| `{label}` | {values} |");
    }
    page
}
