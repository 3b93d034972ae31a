//! `[listen]`, `[timeouts]`, `[log]` and `[plugins]`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::thread::available_parallelism;

use ipnet::{IpNet, Ipv4Net};

use super::admission;
use crate::diagnostic::Span;
use crate::fields::{Fields, Word};
use crate::mistakes::Fault;
use crate::plan::{Listen, Plugins, Timeouts};

pub(super) fn listen(fields: &Fields<'_>) -> Listen {
    let cores = available_parallelism().map_or(1, |cores| cores.get() as u64);
    let https = fields.address_if_given("https");
    let port = https.map_or(443, |https| https.port());
    let port = fields.count_or("https_port", u64::from(port));
    let max_uri = fields.size("max_uri");
    let listen = Listen {
        http: fields.address("http"),
        h2c: fields.address_if_given("h2c"),
        https,
        https_port: u16::try_from(port).unwrap_or(443),
        admin: fields.address("admin"),
        trusted_proxies: trusted_proxies(fields),
        admission: admission::read(fields),
        workers: fields.count_or("workers", cores) as usize,
        max_connections: fields.count("max_connections") as usize,
        max_head: fields.size("max_head") as usize,
        max_uri: max_uri as usize,
        max_query: fields.size_or("max_query", max_uri) as usize,
        max_headers: fields.count("max_headers") as usize,
        max_body: fields.size("max_body"),
        drain: fields.duration("drain"),
    };
    let listeners = [
        ("http", Some(listen.http)),
        ("h2c", listen.h2c),
        ("https", listen.https),
        ("admin", Some(listen.admin)),
    ];
    for (at, (name, address)) in listeners.iter().enumerate() {
        for (other, taken) in &listeners[..at] {
            if let (Some(address), Some(taken)) = (address, taken)
                && collide(*address, *taken)
            {
                let fault = Fault::new(format!(
                    "`{name}` and `{other}` cannot both listen on {address}"
                ));
                // The one that is written; a default has no place of its own.
                let written = if fields.item(name).is_some() {
                    name
                } else {
                    other
                };
                fields.mistakes().fault(
                    fields.span_of(written),
                    fault.with_hint("give one another port"),
                );
            }
        }
    }
    listen
}

/// Whether binding one leaves nothing for the other. Port 0 is any free port.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let covers = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && a.is_ipv4() == b.is_ipv4() && covers
}

fn trusted_proxies(fields: &Fields<'_>) -> Vec<IpNet> {
    let networks = networks(fields, "trusted_proxies").into_iter();
    networks.map(|(_, network)| network).collect()
}

/// A list of addresses and networks, with their places.
pub(super) fn networks(fields: &Fields<'_>, key: &str) -> Vec<(Span, IpNet)> {
    let words = fields.distinct(key).into_iter();
    let network = |word: Word<'_>| {
        let network = fields.mistakes().note(word.span, network(word.text))?;
        Some((word.span, network))
    };
    words.filter_map(network).collect()
}

/// `10.0.0.0/8`, or one address. An IPv4 network has one form: addresses of clients are never mapped into IPv6.
fn network(text: &str) -> Result<IpNet, Fault> {
    let net = text.parse::<IpNet>().ok();
    let Some(net) = net.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)) else {
        let fault = Fault::new(format!("`{text}` is not an IP address or network"));
        return Err(fault.with_hint("write \"10.0.0.0/8\" or \"10.1.2.3\""));
    };
    if net.addr() != net.network() {
        let fault = Fault::new(format!("`{text}` names an address inside of a network"));
        return Err(fault.with_hint(format!(
            "write \"{}\" for the network, or \"{}\"",
            net.trunc(),
            net.addr()
        )));
    }
    unmapped(net).ok_or_else(|| {
        Fault::new(format!(
            "`{text}` holds every IPv4 address mapped into IPv6 (`::ffff:0:0/96`), and other addresses"
        ))
        .with_hint("the gateway knows clients with an IPv4 address by that one; write \"0.0.0.0/0\" for all of them, \"::/0\" for every IPv6 address")
    })
}

/// A network of mapped addresses as the IPv4 network that it is (RFC 4291 section 2.5.5.2). None where it is that and
/// more; `::/0` stands for IPv6 as a whole.
fn unmapped(net: IpNet) -> Option<IpNet> {
    const MAPPED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
    let IpNet::V6(v6) = net else { return Some(net) };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(prefix)) => Some(IpNet::V4(Ipv4Net::new(v4, prefix).ok()?)),
        _ if v6.prefix_len() > 0 && v6.contains(&MAPPED) => None,
        _ => Some(net),
    }
}

pub(super) fn timeouts(fields: &Fields<'_>) -> Timeouts {
    Timeouts {
        head: fields.duration("head"),
        keep_alive: fields.duration("keep_alive"),
        connect: fields.duration("connect"),
        first_byte: fields.duration("first_byte"),
        idle: fields.duration("idle"),
        total: fields.duration("total"),
    }
}

pub(super) fn plugins(fields: &Fields<'_>, dir: &Path) -> Plugins {
    let folder = fields.text_or_default("folder");
    if folder.is_empty() {
        let fault =
            Fault::new("`folder` is empty").with_hint("write \".\" for the directory of the file");
        fields.mistakes().fault(fields.span_of("folder"), fault);
    }
    let instances = u32::try_from(fields.count("instances")).unwrap_or(u32::MAX);
    Plugins {
        folder: dir.join(folder),
        instances,
        cache: fields.text("cache").map(|cache| dir.join(cache.text)),
    }
}
