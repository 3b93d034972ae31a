//! Every key of gateway.toml, once: the reader checks against these tables and docs/config.md is made of them.

mod admin;
mod balance;
mod cache;
mod edge;
mod general;
mod limits;
mod log;
mod plugin;
mod resilience;
mod route;
mod tls;
mod trace;
mod upstream;
mod websocket;

pub(crate) use admin::{ADMIN, ADMIN_TLS, TOKEN};
pub(crate) use balance::{DISCOVERY, EJECT, HEALTH, STICKY};
pub(crate) use cache::{CACHE, CACHE_DISK, ROUTE_CACHE};
pub(crate) use edge::{
    ACCESS, COMPRESS, CORS, ENCODINGS, MAINTENANCE, MIRROR, REDIRECT, RESPOND, SIDE, TYPES,
};
pub(crate) use general::{LISTEN, PLUGINS, TIMEOUTS};
pub(crate) use limits::{LIMIT, MAX_CONCURRENT, RATE_LIMIT};
pub(crate) use log::{LOG, LOG_FILE, LOG_REDACT, LOG_SAMPLE, ROUTE_LOG};
pub(crate) use plugin::{GRANTS, LIMITS, PLUGIN, ROUTE_GRANTS, ROUTE_PLUGIN, UPSTREAM_GRANT};
pub(crate) use resilience::{BREAKER, OVERLOAD, RETRY, RETRY_BUDGET, ROUTE_RETRY};
pub(crate) use route::ROUTE;
pub(crate) use tls::{CERTIFICATE, HSTS, TLS, UPSTREAM_TLS};
pub(crate) use trace::{DEBUG, TRACES};
pub(crate) use upstream::{SERVER, UPSTREAM, UPSTREAM_TIMEOUTS};
pub(crate) use websocket::WEBSOCKET;

/// A table of the file.
pub(crate) struct Section {
    /// As people write it: `[listen]`, `[plugin.NAME]`.
    pub(crate) title: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
}

pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) fallback: Fallback,
    /// One line, for the reference and for the hint when the key is missing.
    pub(crate) doc: &'static str,
}

/// What a value looks like. Bounds are inclusive and written as in the file.
pub(crate) enum Shape {
    Flag,
    Count(u64, u64),
    Duration(&'static str, &'static str),
    Size(&'static str, &'static str),
    /// Per cent, `"50%"`.
    Percent(u32, u32),
    /// A list of statuses that tell of trouble.
    Statuses,
    Choice(&'static [&'static str]),
    /// An IP address and a port.
    Address,
    Text,
    /// A string, `{ env = "…" }` or `{ file = "…" }`.
    Secret,
    /// The name of a table `[plugin.NAME]` or `[upstream.NAME]`.
    Name(&'static str),
    /// A list of strings.
    List,
    /// A string or a list of strings.
    OneOrList,
    Table(&'static Section),
    /// A table of tables by name.
    Named(&'static Section),
    /// A list of tables.
    Tables(&'static Section),
    /// A list of strings, or of tables where a string is not all. The strings are names of these tables, if any.
    Entries(&'static Section, Option<&'static str>),
    /// A table of strings, `true` and `false`.
    Conditions,
    /// A table of strings.
    Texts,
    /// A table of secrets.
    Secrets,
    /// A table of rates: `"5/1m"`.
    Rates,
    /// What is a plugin's own to say.
    Settings,
}

pub(crate) enum Fallback {
    Required,
    /// Written as in the file, strings without their quotes.
    Value(&'static str),
    /// In words, for the reference.
    Words(&'static str),
}

impl Section {
    pub(crate) fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, shape: Shape, fallback: Fallback, doc: &'static str) -> Key {
    Key {
        name,
        shape,
        fallback,
        doc,
    }
}

/// In the order of the reference.
pub(crate) const SECTIONS: &[&Section] = &[
    &LISTEN,
    &ADMIN,
    &TOKEN,
    &ADMIN_TLS,
    &TLS,
    &CERTIFICATE,
    &HSTS,
    &TIMEOUTS,
    &LOG,
    &LOG_REDACT,
    &LOG_SAMPLE,
    &LOG_FILE,
    &DEBUG,
    &TRACES,
    &PLUGINS,
    &CACHE,
    &CACHE_DISK,
    &PLUGIN,
    &LIMITS,
    &GRANTS,
    &UPSTREAM_GRANT,
    &UPSTREAM,
    &SERVER,
    &UPSTREAM_TIMEOUTS,
    &UPSTREAM_TLS,
    &HEALTH,
    &EJECT,
    &STICKY,
    &DISCOVERY,
    &RETRY,
    &RETRY_BUDGET,
    &BREAKER,
    &LIMIT,
    &ROUTE,
    &ROUTE_CACHE,
    &ROUTE_PLUGIN,
    &ROUTE_RETRY,
    &RATE_LIMIT,
    &MAX_CONCURRENT,
    &OVERLOAD,
    &REDIRECT,
    &RESPOND,
    &SIDE,
    &MIRROR,
    &ACCESS,
    &MAINTENANCE,
    &CORS,
    &COMPRESS,
    &WEBSOCKET,
    &ROUTE_LOG,
];

/// The file itself; not part of the reference, which has a chapter for each of these keys.
pub(crate) static FILE: Section = Section {
    title: "the file",
    doc: "",
    keys: &[
        key("listen", Shape::Table(&LISTEN), Fallback::Words(""), ""),
        key("admin", Shape::Table(&ADMIN), Fallback::Words(""), ""),
        key("tls", Shape::Table(&TLS), Fallback::Words(""), ""),
        key("timeouts", Shape::Table(&TIMEOUTS), Fallback::Words(""), ""),
        key(
            "discovery",
            Shape::Table(&DISCOVERY),
            Fallback::Words(""),
            "",
        ),
        key("log", Shape::Table(&LOG), Fallback::Words(""), ""),
        key("traces", Shape::Table(&TRACES), Fallback::Words(""), ""),
        key("debug", Shape::Table(&DEBUG), Fallback::Words(""), ""),
        key("plugins", Shape::Table(&PLUGINS), Fallback::Words(""), ""),
        key("cache", Shape::Table(&CACHE), Fallback::Words(""), ""),
        key("overload", Shape::Table(&OVERLOAD), Fallback::Words(""), ""),
        key("access", Shape::Table(&ACCESS), Fallback::Words(""), ""),
        key(
            "maintenance",
            Shape::Table(&MAINTENANCE),
            Fallback::Words(""),
            "",
        ),
        key("cors", Shape::Table(&CORS), Fallback::Words(""), ""),
        key("compress", Shape::Table(&COMPRESS), Fallback::Words(""), ""),
        key("plugin", Shape::Named(&PLUGIN), Fallback::Words(""), ""),
        key("upstream", Shape::Named(&UPSTREAM), Fallback::Words(""), ""),
        key("limit", Shape::Named(&LIMIT), Fallback::Words(""), ""),
        key(
            "route",
            Shape::Tables(&ROUTE),
            Fallback::Required,
            "what clients may ask for; write [[route]], or run with --to, which needs no file",
        ),
    ],
};
