//! What the figures of the gateway have to be.

use super::results::{CPU, Results};

pub(super) struct Target {
    pub(super) about: &'static str,
    /// At commit 6d272ab, before any of it was aimed at.
    pub(super) before: &'static str,
    pub(super) must: &'static str,
    pub(super) beyond: &'static str,
    /// What a run says; a dash for what it did not measure.
    pub(super) now: fn(&Results) -> String,
}

pub(super) const TARGETS: [Target; 8] = [
    Target {
        about: "CPU per request, plain, × nginx",
        before: "1.70",
        must: "≤ 1.35",
        beyond: "1.1",
        now: |results| ratio(results, "plain"),
    },
    Target {
        about: "fresh over kept instance, µs of CPU: `headers`; `telegram-auth`",
        before: "24; 28",
        must: "≤ 14",
        beyond: "≤ 8",
        now: |results| {
            let over = |group: &str| {
                let [fresh, kept] = ["fresh", "kept"].map(|way| format!("{group}/gateway-{way}"));
                number(results.difference(&fresh, &kept, CPU), 1)
            };
            format!("{}; {}", over("headers"), over("telegram"))
        },
    },
    Target {
        about: "`telegram-auth` kept over plain, µs of CPU",
        before: "20",
        must: "≤ 8",
        beyond: "≤ 5",
        now: |results| {
            let over = results.difference("telegram/gateway-kept", "plain/gateway", CPU);
            number(over, 1)
        },
    },
    Target {
        about: "CPU per request, HTTP/2 over TLS, × nginx",
        before: "3.14",
        must: "≤ 1.8",
        beyond: "1.3",
        now: |results| ratio(results, "http2"),
    },
    Target {
        about: "CPU per request, TLS 1.3, × nginx: connections kept; a new one each time",
        before: "1.45; 0.97",
        must: "≤ 1.25; ≤ 0.97",
        beyond: "1.1",
        now: |results| format!("{}; {}", ratio(results, "tls"), ratio(results, "tls-new")),
    },
    Target {
        about: "CPU per request, × nginx: 64 KiB, with nginx's default buffers and with larger ones; cached hit",
        before: "0.92, not measured; 0.88",
        must: "not worse",
        beyond: "",
        now: |results| {
            let default = results.ratio("64k/gateway", "64k/nginx-default", CPU);
            let (larger, cached) = (ratio(results, "64k"), ratio(results, "cached"));
            format!("{}, {larger}; {cached}", number(default, 2))
        },
    },
    Target {
        about: "KiB per idle connection",
        before: "24.6",
        must: "≤ 12",
        beyond: "≤ 4",
        now: |results| number(results.idle.get("idle/gateway").copied(), 1),
    },
    Target {
        about: "10,000 routes, 1,000 upstreams and 1,000 uses of plugins over a few: CPU; instructions per request",
        before: "not measured",
        must: "≤ +5 %",
        beyond: "",
        now: |results| {
            let cpu = results.ratio("plain/scale", "plain/gateway", CPU);
            format!("{}; {}", more(cpu), more(instructions(results)))
        },
    },
];

/// Of the gateway to nginx.
fn ratio(results: &Results, group: &str) -> String {
    let [gateway, nginx] = ["gateway", "nginx"].map(|program| format!("{group}/{program}"));
    number(results.ratio(&gateway, &nginx, CPU), 2)
}

/// A request with many routes to one with few.
pub(super) fn instructions(results: &Results) -> Option<f64> {
    let count = |row: &str| results.instructions.get(row).copied();
    let (many, few) = (count(crate::instructions::SCALE)?, count("plain")?);
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let ratio = many as f64 / few as f64;
    Some(ratio)
}

/// A ratio as per cent more.
pub(super) fn more(ratio: Option<f64>) -> String {
    ratio.map_or("–".into(), |ratio| {
        format!("{:+.1} %", (ratio - 1.0) * 100.0)
    })
}

pub(super) fn number(number: Option<f64>, digits: usize) -> String {
    number.map_or("–".into(), |number| format!("{number:.digits$}"))
}
