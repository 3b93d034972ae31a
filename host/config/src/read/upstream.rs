//! `[upstream.NAME]`

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::Arc;

use toml::de::DeValue;

use super::{File, balance, resilience, tls};
use crate::diagnostic::Span;
use crate::fields::{Fields, Item, Word};
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{ServerPlan, ServerSource, Timeouts, UpstreamPlan};
use crate::shapes::type_name;
use crate::spelling;

pub(super) fn read(
    file: &File<'_>,
    name: Arc<str>,
    _: Span,
    fields: &Fields<'_>,
) -> Option<UpstreamPlan> {
    let timeouts = timeouts(
        &fields.fields("timeouts", &keys::UPSTREAM_TIMEOUTS),
        file.timeouts,
    );
    let balance = balance::balance(fields);
    let bounded_load = fields.percent_if_given("bounded_load");
    let slow_start = fields.duration("slow_start");
    let panic = fields.percent("panic");
    let sticky = balance::sticky(file, fields);
    let health = balance::health(fields);
    let eject = balance::eject(fields);
    let keep_alive = fields.count("keep_alive") as usize;
    let preserve_host = fields.flag("preserve_host");
    let guards = resilience::upstream(fields);
    let (protocol, tls) = tls::upstream(file, fields);
    let servers = servers(fields)?;
    Some(UpstreamPlan {
        name,
        servers,
        balance: balance?,
        timeouts,
        bounded_load,
        slow_start,
        panic,
        sticky,
        health,
        eject,
        keep_alive,
        preserve_host,
        guards,
        protocol: protocol?,
        tls,
    })
}

fn timeouts(fields: &Fields<'_>, general: Timeouts) -> Timeouts {
    Timeouts {
        connect: fields.duration_or("connect", general.connect),
        first_byte: fields.duration_or("first_byte", general.first_byte),
        idle: fields.duration_or("idle", general.idle),
        total: fields.duration_or("total", general.total),
        ..general
    }
}

/// `upstream = "NAME"`; a name that is not there is noted.
pub(super) fn named(file: &File<'_>, fields: &Fields<'_>) -> Option<Arc<str>> {
    let word = fields.required_text("upstream")?;
    if !file.upstreams.contains(word.text) {
        fields.mistakes().fault(
            word.span,
            spelling::unknown_name("upstream", word.text, &file.upstreams),
        );
    }
    Some(Arc::from(word.text))
}

// === servers ===

fn servers(fields: &Fields<'_>) -> Option<Vec<ServerPlan>> {
    let item = fields.required("servers")?;
    let span = Span::from(item.span());
    let DeValue::Array(array) = item.get_ref() else {
        let found = type_name(item.get_ref());
        let fault = Fault::new(format!("`servers` must be a list, not {found}"));
        fields.mistakes().fault(
            span,
            fault.with_hint("write servers = [\"127.0.0.1:3000\"]"),
        );
        return None;
    };
    if array.is_empty() {
        let fault = Fault::new("`servers` is empty")
            .with_hint("name at least one server, \"127.0.0.1:3000\"");
        fields.mistakes().fault(span, fault);
    }
    let mut seen = BTreeSet::new();
    let mut servers = Vec::new();
    for item in array {
        let Some(server) = server(fields, item) else {
            continue;
        };
        if !seen.insert(server.source.clone()) {
            let fault = Fault::new(format!(
                "the server `{}` is twice in `servers`",
                server.source
            ));
            let hint = "take one out; a larger share is written { address = \"…\", weight = 2 }";
            fields
                .mistakes()
                .fault(item.span().into(), fault.with_hint(hint));
        }
        servers.push(server);
    }
    Some(servers)
}

fn server<'a>(fields: &Fields<'a>, item: Item<'a>) -> Option<ServerPlan> {
    let mistakes = fields.mistakes();
    let plain = |source| ServerPlan {
        source,
        weight: 1,
        zone: None,
        priority: 0,
    };
    let DeValue::Table(table) = item.get_ref() else {
        let word = mistakes.note(item.span().into(), Word::element_of("servers", item))?;
        return mistakes.note(word.span, source(word.text)).map(plain);
    };
    let fields = Fields::new(&keys::SERVER, item.span().into(), table, mistakes);
    let weight = u32::try_from(fields.count("weight")).unwrap_or(u32::MAX);
    let zone = fields.text("zone").map(|word| Arc::from(word.text));
    let priority = u8::try_from(fields.count("priority")).unwrap_or(u8::MAX);
    let word = fields.required_text("address")?;
    Some(ServerPlan {
        source: mistakes.note(word.span, source(word.text))?,
        weight,
        zone,
        priority,
    })
}

/// `host:port`, `dns:NAME:PORT` or `srv:NAME`.
fn source(text: &str) -> Result<ServerSource, Fault> {
    // A name that is looked up may end in a dot: no search domain is tried.
    let is_name = |name: &str| is_host(name.strip_suffix('.').unwrap_or(name));
    if let Some(rest) = text.strip_prefix("dns:") {
        let parts = rest.rsplit_once(':').filter(|(name, _)| is_name(name));
        let port = parts.and_then(|(_, port)| port.parse().ok());
        return match (parts, port.filter(|port| *port > 0)) {
            (Some((name, _)), Some(port)) => Ok(ServerSource::Dns {
                name: name.to_owned(),
                port,
            }),
            _ => Err(Fault::new(format!("`{text}` is not `dns:NAME:PORT`"))
                .with_hint("write \"dns:users.internal:8080\"")),
        };
    }
    if let Some(name) = text.strip_prefix("srv:") {
        return if is_name(name) {
            Ok(ServerSource::Srv(name.to_owned()))
        } else {
            Err(Fault::new(format!("`{text}` is not `srv:NAME`"))
                .with_hint("write \"srv:_http._tcp.users.internal\"; its records have the ports"))
        };
    }
    check_address(text).map(ServerSource::Address)
}

/// `host:port`, as it is dialled.
pub(super) fn check_address(text: &str) -> Result<String, Fault> {
    if let Some(rest) = text.strip_prefix("http://") {
        let fault = Fault::new("a server has no scheme");
        return Err(fault.with_hint(format!("write \"{}\"", rest.trim_end_matches('/'))));
    }
    if text.starts_with("https://") {
        let fault = Fault::new("a server has no scheme");
        return Err(fault.with_hint("write \"host:port\", and beside `servers`: tls = {}"));
    }
    let not_an_address = || {
        let fault = Fault::new(format!("`{text}` is not `host:port`"));
        fault.with_hint("write \"127.0.0.1:3000\", \"[::1]:3000\" or \"users.internal:3000\"")
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(not_an_address)?;
    if !is_host(host) || port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_an_address());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(format!("{host}:{port}")),
        _ => Err(Fault::new(format!("`{port}` is not a port"))
            .with_hint("a port is between 1 and 65535")),
    }
}

/// The authority of a URL, with the port of its scheme where it has none.
pub(super) fn with_port(authority: &str, port: u16) -> String {
    if is_host(authority) {
        format!("{authority}:{port}")
    } else {
        authority.to_owned()
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets.
pub(super) fn is_host(text: &str) -> bool {
    if let Some(v6) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return v6.parse::<Ipv6Addr>().is_ok();
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    text.len() <= 253 && text.split('.').all(label)
}

/// `host:port` of the URL of `run --to`.
pub(super) fn from_url(url: &str) -> Result<String, Fault> {
    let hint = "write it like http://127.0.0.1:3000";
    if url.starts_with("https://") {
        return Err(Fault::new("servers are spoken to in clear text").with_hint(hint));
    }
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some((scheme, _)) => {
            return Err(
                Fault::new(format!("`{scheme}` is not a scheme for servers")).with_hint(hint),
            );
        }
        None => url,
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#', '@']) {
        let fault = Fault::new("only a host and a port can stand here");
        return Err(fault.with_hint(
            "requests keep the path they came with; write it like http://127.0.0.1:3000",
        ));
    }
    check_address(&with_port(authority, 80))
}
