//! The rows of the table: who is asked, by what, and beside whom.

use std::path::Path;

use super::{GATEWAY, GATEWAY_TLS, Load, NGINX, NGINX_TLS, Processes, Subject};

/// The rows that others are compared with.
const NGINX_PLAIN: &str = "nginx proxy_pass";
const NGINX_STORED: &str = "nginx proxy_cache, cached hit";
const TLS: &str = "nginx, TLS";
const HTTP2: &str = "nginx, HTTP/2 over TLS";
const ECHO: &str = "nginx, WebSocket echo";
const STORED: &str = "/stored";
/// Of 16 KiB, more than the gateway's memory has room for here: nearly all come from its disk tier, as all do with nginx.
const NGINX_PAGES: &str = "nginx proxy_cache, 10,000 pages";

/// `script` asks for one page after the other; `credential` is a header that telegram-auth takes.
pub(super) fn subjects(processes: &Processes, script: &Path, credential: &str) -> Vec<Subject> {
    let mut rows = plain(processes, credential);
    rows.extend(stored(processes, script));
    rows.extend(tls(processes));
    rows.extend([
        sockets(ECHO, NGINX, processes.nginx),
        sockets("gateway, WebSocket echo", GATEWAY, processes.gateway),
    ]);
    rows
}

fn plain(processes: &Processes, credential: &str) -> Vec<Subject> {
    let at = |name, address: &str, path: &str, process| {
        let url = format!("http://{address}{path}");
        Subject::new(name, NGINX_PLAIN, url, process)
    };
    let guarded = |name, path: &str| Subject {
        headers: vec![credential.to_owned()],
        ..at(name, GATEWAY, path, processes.gateway)
    };
    let traced = processes.traced.iter();
    let traced = traced.map(|(name, address, process)| at(name, address, "/plain", *process));
    let mut rows = vec![
        at(NGINX_PLAIN, NGINX, "/plain", processes.nginx),
        at("gateway, no plugin", GATEWAY, "/plain", processes.gateway),
    ];
    rows.extend(traced);
    rows.push(guarded("gateway, telegram-auth kept", "/kept"));
    rows.push(guarded("gateway, telegram-auth fresh", "/fresh"));
    rows
}

fn stored(processes: &Processes, script: &Path) -> [Subject; 4] {
    let stored = |name, address: &str, process| {
        let url = format!("http://{address}{STORED}");
        Subject::new(name, NGINX_STORED, url, process)
    };
    let pages = |name, address: &str, process| Subject {
        script: Some(script.to_owned()),
        ..Subject::new(name, NGINX_PAGES, format!("http://{address}"), process)
    };
    let (nginx, gateway) = (processes.nginx, processes.gateway);
    [
        stored(NGINX_STORED, NGINX, nginx),
        stored("gateway, cached hit", GATEWAY, gateway),
        pages(NGINX_PAGES, NGINX, nginx),
        pages("gateway, 10,000 pages from its disk", GATEWAY, gateway),
    ]
}

fn tls(processes: &Processes) -> [Subject; 4] {
    let row = |name, beside, address: &str, process| {
        Subject::new(name, beside, format!("https://{address}/plain"), process)
    };
    let http2 = |row: Subject| Subject {
        load: Load::H2load,
        ..row
    };
    let (nginx, gateway) = (processes.nginx, processes.gateway);
    [
        row(TLS, TLS, NGINX_TLS, nginx),
        row("gateway, TLS", TLS, GATEWAY_TLS, gateway),
        http2(row(HTTP2, HTTP2, NGINX_TLS, nginx)),
        http2(row("gateway, HTTP/2 over TLS", HTTP2, GATEWAY_TLS, gateway)),
    ]
}

fn sockets(name: &'static str, address: &str, process: u32) -> Subject {
    Subject {
        load: Load::Sockets,
        ..Subject::new(name, ECHO, format!("ws://{address}/sockets"), process)
    }
}
