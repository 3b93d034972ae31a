//! `[discovery]`, and how the servers of an upstream are chosen, judged and left alone.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::File;
use super::upstream::is_host;
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{
    Balance, DiscoveryPlan, EjectPlan, HashBy, HealthPlan, Probe, Secret, StickyPlan,
};
use crate::spelling;

const HASH_BY: &str = "write hash_by = \"header:NAME\", \"caller\" or \"client_ip\"";
const STATUS: &str = "write \"200\" or \"200-299\"";
const DEFAULT_STATUS: &[(u16, u16)] = &[(200, 399)];
/// Where the gateway stands, unless the file says so.
const ZONE: &str = "PORTCULLIS_ZONE";
/// The shortest key of a cookie, in bytes.
const SHORTEST_SECRET: usize = 16;

pub(super) fn discovery(
    fields: &Fields<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> DiscoveryPlan {
    let resolver = |text: &str| -> Result<SocketAddr, Fault> {
        text.parse().map_err(|_| {
            let fault = Fault::new(format!("`{text}` is not an IP address and a port"));
            fault.with_hint("write \"10.0.0.2:53\"")
        })
    };
    let words = fields.distinct("resolvers").into_iter();
    let resolvers = words.filter_map(|word| fields.mistakes().note(word.span, resolver(word.text)));
    let zone = fields.text("zone").map(|word| word.text.to_owned());
    let zone = zone.or_else(|| env(ZONE)).filter(|zone| !zone.is_empty());
    let plan = DiscoveryPlan {
        resolvers: resolvers.collect(),
        min_ttl: fields.duration("min_ttl"),
        max_ttl: fields.duration("max_ttl"),
        timeout: fields.duration("timeout"),
        zone: zone.map(Arc::from),
    };
    if plan.max_ttl < plan.min_ttl {
        let fault = Fault::new("`max_ttl` is shorter than `min_ttl`");
        fields.mistakes().fault(fields.span_of("max_ttl"), fault);
    }
    plan
}

// === balance ===

pub(super) fn balance(fields: &Fields<'_>) -> Option<Balance> {
    let balance = match fields.choice("balance") {
        "hash" => return hash_by(fields),
        "least_connections" => Balance::LeastConnections,
        "power_of_two" => Balance::PowerOfTwo,
        "ewma" => Balance::Ewma,
        "peak_ewma" => Balance::PeakEwma,
        _ => Balance::RoundRobin,
    };
    for key in ["hash_by", "bounded_load"] {
        if fields.item(key).is_some() {
            let fault = Fault::new(format!("`{key}` has no effect unless `balance` is `hash`"));
            let fault = fault.with_hint(format!("write balance = \"hash\", or take {key} out"));
            fields.mistakes().fault(fields.span_of(key), fault);
        }
    }
    Some(balance)
}

fn hash_by(fields: &Fields<'_>) -> Option<Balance> {
    if fields.item("hash_by").is_none() {
        let fault = Fault::new("`balance = \"hash\"` needs `hash_by`").with_hint(HASH_BY);
        fields.mistakes().fault(fields.span_of("balance"), fault);
        return None;
    }
    let word = fields.text("hash_by")?;
    let by = match word.text {
        "caller" => Ok(HashBy::Caller),
        "client_ip" => Ok(HashBy::ClientIp),
        text => match text.strip_prefix("header:") {
            Some(name) if spelling::is_token(name) => Ok(HashBy::Header(name.to_ascii_lowercase())),
            Some(name) => Err(Fault::new(format!(
                "`{name}` cannot be the name of a header"
            ))),
            None => Err(Fault::new(format!("nothing to hash by is called `{text}`"))),
        },
    };
    let by = by.map_err(|fault| fault.with_hint(HASH_BY));
    fields.mistakes().note(word.span, by).map(Balance::Hash)
}

pub(super) fn sticky(file: &File<'_>, fields: &Fields<'_>) -> Option<StickyPlan> {
    let (span, table) = fields.table("sticky")?;
    let fields = Fields::new(&keys::STICKY, span, table, fields.mistakes());
    let cookie = fields.required_text("cookie");
    let secret = fields.required("secret");
    let secret = secret.and_then(|item| {
        let secret = file.secrets.text("secret", item)?;
        fields
            .mistakes()
            .note(item.span().into(), long_enough(secret))
    });
    let max_age = fields.duration_if_given("max_age");
    let cookie = cookie?;
    if !spelling::is_token(cookie.text) {
        let fault = Fault::new(format!("`{}` cannot be the name of a cookie", cookie.text));
        fields.mistakes().fault(cookie.span, fault);
    }
    Some(StickyPlan {
        cookie: cookie.text.to_owned(),
        secret: secret?,
        max_age,
    })
}

pub(super) fn long_enough(secret: Secret) -> Result<Secret, Fault> {
    if secret.expose().len() < SHORTEST_SECRET {
        let fault = Fault::new(format!("the secret has less than {SHORTEST_SECRET} bytes"));
        return Err(fault.with_hint("`openssl rand -hex 16` makes a good one"));
    }
    Ok(secret)
}

// === health and ejection ===

pub(super) fn health(fields: &Fields<'_>) -> Option<HealthPlan> {
    let (span, table) = fields.table("health")?;
    let fields = Fields::new(&keys::HEALTH, span, table, fields.mistakes());
    let probe = probe(&fields);
    let every = fields.duration("every");
    let port = fields.count_if_given("port");
    Some(HealthPlan {
        port: port.and_then(|port| u16::try_from(port).ok()),
        every,
        jitter: fields.percent("jitter"),
        timeout: fields.duration("timeout"),
        up: number(fields.count("up")),
        down: number(fields.count("down")),
        probe: probe?,
    })
}

fn probe(fields: &Fields<'_>) -> Option<Probe> {
    let kind = fields.choice("kind");
    let theirs: &[&str] = match kind {
        "tcp" => &[],
        "grpc" => &["service", "host"],
        _ => &["path", "status", "host"],
    };
    for key in ["path", "status", "service", "host"] {
        if fields.item(key).is_some() && !theirs.contains(&key) {
            let fault = Fault::new(format!("`{key}` has no effect where `kind` is `{kind}`"));
            fields.mistakes().fault(fields.span_of(key), fault);
        }
    }
    let host = fields.text("host").and_then(|word| {
        let authority = |text: &str| match text.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => is_host(host),
            _ => is_host(text),
        };
        let host = Some(word.text).filter(|text| authority(text));
        let fault = || Fault::new(format!("`{}` is not a host", word.text));
        let host = host.map(str::to_owned).ok_or_else(fault);
        fields.mistakes().note(word.span, host)
    });
    Some(match kind {
        "tcp" => Probe::Tcp,
        "grpc" => Probe::Grpc {
            service: fields
                .text("service")
                .map(|word| word.text.to_owned())
                .unwrap_or_default(),
            host,
        },
        _ => {
            let (path, status) = (path(fields), statuses(fields));
            Probe::Http {
                path: path?,
                host,
                status,
            }
        }
    })
}

fn path(fields: &Fields<'_>) -> Option<String> {
    let text = fields.text_or_default("path");
    let visible = text.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if !text.starts_with('/') || !visible {
        let fault = Fault::new(format!("`{text}` is not a path"));
        fields
            .mistakes()
            .fault(fields.span_of("path"), fault.with_hint("write \"/health\""));
        return None;
    }
    Some(text.to_owned())
}

fn statuses(fields: &Fields<'_>) -> Vec<(u16, u16)> {
    let words = match fields.item("status").map(Spanned::get_ref) {
        None => return DEFAULT_STATUS.to_vec(),
        Some(DeValue::Array(_)) => fields.distinct("status"),
        Some(_) => fields.text("status").into_iter().collect(),
    };
    if words.is_empty() {
        let fault = Fault::new("`status` is empty").with_hint(STATUS);
        fields.mistakes().fault(fields.span_of("status"), fault);
    }
    words
        .into_iter()
        .filter_map(|word| fields.mistakes().note(word.span, status(word.text)))
        .collect()
}

/// `200` or `200-299`.
fn status(text: &str) -> Result<(u16, u16), Fault> {
    const ANY: RangeInclusive<u16> = 100..=599;
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if ANY.contains(&from) && ANY.contains(&to) && from <= to => {
            Ok((from, to))
        }
        _ => Err(Fault::new(format!("`{text}` is not a status")).with_hint(STATUS)),
    }
}

pub(super) fn eject(fields: &Fields<'_>) -> EjectPlan {
    let fields = fields.fields("eject", &keys::EJECT);
    let plan = EjectPlan {
        base: fields.duration("base"),
        max: fields.duration("max"),
        connects: number(fields.count("connects")),
        failures: number(fields.count("failures")),
        success_rate: fields.percent("success_rate"),
        window: fields.duration("window"),
        requests: number(fields.count("requests")),
        share: fields.percent("share"),
    };
    if plan.max < plan.base && fields.item("max").is_some() {
        let fault = Fault::new("`max` is shorter than `base`");
        fields.mistakes().fault(fields.span_of("max"), fault);
    }
    EjectPlan {
        max: plan.max.max(plan.base),
        ..plan
    }
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
