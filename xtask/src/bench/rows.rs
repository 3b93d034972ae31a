//! What is measured: one row per program and kind of request.

use super::load::Load;
use super::programs::Program;

/// Rows that ask the same, in the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Plain,
    Headers,
    Telegram,
    Tls,
    Handshake,
    Http2,
    Large,
    Cached,
    Pages,
    Sockets,
    Idle,
}

/// Which of a program's addresses is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Http,
    Https,
    /// Envoy's with the filter for headers.
    Headers,
    /// Envoy's with the filter for initData.
    Telegram,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) group: Group,
    /// In the figures, after the name of the group.
    name: &'static str,
    /// In tables.
    pub(super) about: &'static str,
    pub(super) program: Program,
    pub(super) door: Door,
    pub(super) path: &'static str,
}

/// The path that the gateway with 10,000 routes is asked for; as long as `/plain`.
pub(super) const AMONG_MANY: &str = crate::scale::PATH;

/// In the order of the tables, which is that of a round.
pub(super) const ROWS: &[Row] = &[
    plain("upstream", "the upstream itself", Program::Upstream),
    plain("nginx", "nginx", Program::Nginx),
    plain("haproxy", "haproxy", Program::Haproxy),
    plain("gateway", "**Portcullis**", Program::Gateway),
    plain(
        "traced-some",
        "Portcullis, 1 % of traces",
        Program::TracedSome,
    ),
    plain("traced-all", "Portcullis, all traces", Program::TracedAll),
    Row {
        path: AMONG_MANY,
        ..plain(
            "scale",
            "Portcullis, 10,000 routes, 1,000 upstreams, 1,000 uses of plugins",
            Program::Scale,
        )
    },
    plain("envoy", "Envoy", Program::Envoy),
    plain("traefik", "Traefik", Program::Traefik),
    plain("caddy", "Caddy", Program::Caddy),
    headers("nginx", "nginx, two directives", Program::Nginx),
    headers("haproxy", "haproxy, two rules", Program::Haproxy),
    Row {
        path: "/headers/kept",
        ..headers(
            "gateway-kept",
            "**Portcullis**, plugin `headers`, kept",
            Program::Gateway,
        )
    },
    Row {
        path: "/headers/fresh",
        ..headers(
            "gateway-fresh",
            "**Portcullis**, plugin `headers`, fresh",
            Program::Gateway,
        )
    },
    Row {
        door: Door::Headers,
        ..headers("envoy", "Envoy, proxy-wasm filter", Program::Envoy)
    },
    headers("traefik", "Traefik, middleware", Program::Traefik),
    headers("caddy", "Caddy, two directives", Program::Caddy),
    telegram(
        "gateway-kept",
        "**Portcullis**, plugin `telegram-auth`, kept",
        "/telegram/kept",
    ),
    telegram(
        "gateway-fresh",
        "**Portcullis**, plugin `telegram-auth`, fresh",
        "/telegram/fresh",
    ),
    Row {
        program: Program::Envoy,
        door: Door::Telegram,
        ..telegram("envoy", "Envoy, proxy-wasm filter", "/telegram")
    },
    secure(Group::Tls, "nginx", "nginx", Program::Nginx),
    secure(Group::Tls, "haproxy", "haproxy", Program::Haproxy),
    secure(Group::Tls, "gateway", "**Portcullis**", Program::Gateway),
    secure(Group::Tls, "envoy", "Envoy", Program::Envoy),
    secure(Group::Tls, "traefik", "Traefik", Program::Traefik),
    secure(Group::Tls, "caddy", "Caddy", Program::Caddy),
    secure(Group::Handshake, "nginx", "nginx", Program::Nginx),
    secure(Group::Handshake, "haproxy", "haproxy", Program::Haproxy),
    secure(
        Group::Handshake,
        "gateway",
        "**Portcullis**",
        Program::Gateway,
    ),
    secure(Group::Handshake, "envoy", "Envoy", Program::Envoy),
    secure(Group::Handshake, "traefik", "Traefik", Program::Traefik),
    secure(Group::Handshake, "caddy", "Caddy", Program::Caddy),
    secure(Group::Http2, "nginx", "nginx", Program::Nginx),
    secure(Group::Http2, "haproxy", "haproxy", Program::Haproxy),
    secure(Group::Http2, "gateway", "**Portcullis**", Program::Gateway),
    secure(Group::Http2, "envoy", "Envoy", Program::Envoy),
    secure(Group::Http2, "traefik", "Traefik", Program::Traefik),
    secure(Group::Http2, "caddy", "Caddy", Program::Caddy),
    clear(
        Group::Large,
        "upstream",
        "the upstream itself",
        Program::Upstream,
    ),
    Row {
        path: "/large/default",
        ..clear(
            Group::Large,
            "nginx-default",
            "nginx, default buffers",
            Program::Nginx,
        )
    },
    clear(
        Group::Large,
        "nginx",
        "nginx, buffers of 128 KiB",
        Program::Nginx,
    ),
    clear(Group::Large, "haproxy", "haproxy", Program::Haproxy),
    clear(Group::Large, "gateway", "**Portcullis**", Program::Gateway),
    clear(Group::Large, "envoy", "Envoy", Program::Envoy),
    clear(Group::Large, "traefik", "Traefik", Program::Traefik),
    clear(Group::Large, "caddy", "Caddy", Program::Caddy),
    clear(Group::Cached, "nginx", "nginx", Program::Nginx),
    clear(Group::Cached, "gateway", "**Portcullis**", Program::Gateway),
    clear(Group::Pages, "nginx", "nginx", Program::Nginx),
    clear(Group::Pages, "gateway", "**Portcullis**", Program::Gateway),
    clear(Group::Sockets, "nginx", "nginx", Program::Nginx),
    clear(
        Group::Sockets,
        "gateway",
        "**Portcullis**",
        Program::Gateway,
    ),
    clear(Group::Idle, "nginx", "nginx", Program::Nginx),
    clear(Group::Idle, "haproxy", "haproxy", Program::Haproxy),
    clear(Group::Idle, "gateway", "**Portcullis**", Program::Gateway),
    clear(Group::Idle, "envoy", "Envoy", Program::Envoy),
    clear(Group::Idle, "traefik", "Traefik", Program::Traefik),
    clear(Group::Idle, "caddy", "Caddy", Program::Caddy),
];

const fn clear(group: Group, name: &'static str, about: &'static str, program: Program) -> Row {
    Row {
        group,
        name,
        about,
        program,
        door: Door::Http,
        path: group.path(),
    }
}

const fn secure(group: Group, name: &'static str, about: &'static str, program: Program) -> Row {
    Row {
        door: Door::Https,
        ..clear(group, name, about, program)
    }
}

const fn plain(name: &'static str, about: &'static str, program: Program) -> Row {
    clear(Group::Plain, name, about, program)
}

const fn headers(name: &'static str, about: &'static str, program: Program) -> Row {
    clear(Group::Headers, name, about, program)
}

const fn telegram(name: &'static str, about: &'static str, path: &'static str) -> Row {
    Row {
        path,
        ..clear(Group::Telegram, name, about, Program::Gateway)
    }
}

// === impl Group ===

impl Group {
    pub(super) const ALL: [Group; 11] = [
        Group::Plain,
        Group::Headers,
        Group::Telegram,
        Group::Tls,
        Group::Handshake,
        Group::Http2,
        Group::Large,
        Group::Cached,
        Group::Pages,
        Group::Sockets,
        Group::Idle,
    ];

    /// On the command line and in the figures.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Group::Plain => "plain",
            Group::Headers => "headers",
            Group::Telegram => "telegram",
            Group::Tls => "tls",
            Group::Handshake => "tls-new",
            Group::Http2 => "http2",
            Group::Large => "64k",
            Group::Cached => "cached",
            Group::Pages => "pages",
            Group::Sockets => "websocket",
            Group::Idle => "idle",
        }
    }

    /// Above its table.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Group::Plain => "Plain proxying",
            Group::Headers => "One header set on the request and one on the response",
            Group::Telegram => "HMAC of a credential checked",
            Group::Tls => "TLS 1.3, connections kept",
            Group::Handshake => "TLS 1.3, a new connection for each request",
            Group::Http2 => "HTTP/2 over TLS 1.3",
            Group::Large => "Responses of 64 KiB",
            Group::Cached => "A response from the cache",
            Group::Pages => "10,000 pages of 16 KiB from the cache on disk",
            Group::Sockets => "WebSocket messages of 1 KiB and their echoes",
            Group::Idle => "Idle connections",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Group::Headers => "/headers",
            Group::Telegram => "/telegram",
            Group::Large => "/large",
            Group::Cached => "/stored",
            Group::Pages => "/pages/1",
            Group::Sockets => "/sockets",
            _ => "/plain",
        }
    }

    /// What asks; nothing does for connections that are idle.
    pub(super) const fn load(self) -> Option<Load> {
        match self {
            Group::Http2 => Some(Load::H2load),
            Group::Sockets => Some(Load::Sockets),
            Group::Idle => None,
            _ => Some(Load::Wrk),
        }
    }

    /// Bytes of a response's body.
    pub(super) const fn body(self) -> usize {
        match self {
            Group::Large => 64 * 1024,
            Group::Pages => 16 * 1024,
            _ => 1024,
        }
    }

    /// The row that the others of the group are compared with.
    pub(super) fn base(self) -> String {
        // nginx has no HMAC; plain proxying is what it would cost without one.
        let group = if self == Group::Telegram {
            Group::Plain
        } else {
            self
        };
        format!("{}/nginx", group.name())
    }
}

// === impl Row ===

impl Row {
    /// In the figures, such as `plain/nginx`.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.group.name(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_row_has_a_key_of_its_own_and_something_to_be_compared_with() {
        let keys: BTreeSet<String> = ROWS.iter().map(Row::key).collect();
        assert_eq!(keys.len(), ROWS.len());
        for row in ROWS {
            assert!(keys.contains(&row.group.base()), "{}", row.key());
        }
    }

    #[test]
    fn a_round_measures_group_after_group() {
        assert!(ROWS.is_sorted_by_key(|row| row.group));
        let groups: BTreeSet<Group> = ROWS.iter().map(|row| row.group).collect();
        assert!(groups.into_iter().eq(Group::ALL));
    }
}
