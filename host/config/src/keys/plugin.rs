//! Plugins: what they are given, and what a route leaves of it.

use super::Fallback::{Required, Value, Words};
use super::Shape::{
    Choice, Count, Duration, Entries, Flag, List, Name, Rates, Settings, Size, Table, Text,
};
use super::{Section, key};

pub(crate) static PLUGIN: Section = Section {
    title: "[plugin.NAME]",
    doc: "One table for each plugin; a route lists it by NAME. Two plugins may use one component.",
    keys: &[
        key(
            "component",
            Text,
            Required,
            "a file name in the plugin folder, ending in `.wasm`",
        ),
        key(
            "instance",
            Choice(&["fresh", "kept"]),
            Value("fresh"),
            "`fresh`: a new sandbox for every request; `kept`: one per worker, for one request at a time",
        ),
        key(
            "snapshot",
            Choice(&["auto", "always", "never"]),
            Value("auto"),
            "fresh instances are copied from one that was configured. `auto`: not where it drew random numbers while configuring, which copies would share; `always`: also then",
        ),
        key(
            "limits",
            Table(&LIMITS),
            Words("see below"),
            "what one call may use",
        ),
        key(
            "grants",
            Table(&GRANTS),
            Words("nothing"),
            "what it may reach",
        ),
        key(
            "on_failure",
            Choice(&["closed", "open"]),
            Value("closed"),
            "when a call traps or goes over a limit: refuse the request, or (filters only) let it pass as if the plugin were not there",
        ),
        key(
            "settings",
            Settings,
            Words("`{}`"),
            "what the plugin is given once, when it is loaded; `{ env = \"X\" }`, `{ env = \"X\", default = \"…\" }` and `{ file = \"path\" }` stand for strings",
        ),
    ],
};

pub(crate) static LIMITS: Section = Section {
    title: "[plugin.NAME.limits]",
    doc: "A call that goes over a limit is ended; only its request is harmed.",
    keys: &[
        key(
            "memory",
            Size("64KiB", "256MiB"),
            Value("16MiB"),
            "linear memory of one instance",
        ),
        key(
            "time",
            Duration("1ms", "1m"),
            Value("50ms"),
            "wall time of one call, waiting for upstreams included",
        ),
        key(
            "cpu",
            Duration("2ms", "1m"),
            Words("as `time`, at most 50ms"),
            "time of one call that the plugin itself runs, counted in steps of 2ms",
        ),
        key(
            "host_calls",
            Count(0, 1_000_000),
            Value("1000"),
            "host functions one call may call",
        ),
        key(
            "bytes_in",
            Size("0B", "1GiB"),
            Value("32MiB"),
            "bytes that one call may have copied into the plugin",
        ),
        key(
            "bytes_out",
            Size("0B", "1GiB"),
            Value("32MiB"),
            "bytes that one call may hand to the gateway",
        ),
        key(
            "concurrent",
            Count(1, 100_000),
            Words("`plugins.instances`"),
            "calls at the same time; one more is refused with 503",
        ),
    ],
};

pub(crate) static GRANTS: Section = Section {
    title: "[plugin.NAME.grants]",
    doc: "What the plugin may reach beside the exchange it is lent. Nothing by default; a component that imports more than it is granted is refused at load. An empty grant (`upstreams = []`) lets it import and denies each call: for a plugin whose settings leave that part unused.",
    keys: &[
        key(
            "upstreams",
            Entries(&UPSTREAM_GRANT, Some("upstream")),
            Words("none"),
            "upstreams it may call: a name, or `{ name = \"users\", methods = [\"GET\"], paths = [\"/users/*\", \"/keys/**\"] }`",
        ),
        key(
            "calls",
            Count(0, 1000),
            Words("16 where upstreams are granted"),
            "calls of upstreams per request",
        ),
        key(
            "state",
            List,
            Words("none"),
            "key-value stores it may use; they are its own and last until a restart",
        ),
        key(
            "buckets",
            Rates,
            Words("none"),
            "token buckets it may take from: `{ tries = \"5/1m\" }` holds 5 and refills within a minute",
        ),
        key("clock", Flag, Value("false"), "the time of day"),
        key(
            "crypto",
            Flag,
            Value("false"),
            "digests, message codes and signatures, computed by the gateway",
        ),
        key("random", Flag, Value("false"), "random numbers"),
        key(
            "log",
            Size("0B", "1MiB"),
            Value("0B"),
            "bytes of log lines per call; the rest is dropped and counted",
        ),
    ],
};

pub(crate) static UPSTREAM_GRANT: Section = Section {
    title: "[[plugin.NAME.grants.upstreams]]",
    doc: "An upstream of which not everything is granted.",
    keys: &[
        key("name", Name("upstream"), Required, "the upstream"),
        key("methods", List, Words("every method"), "in upper case"),
        key(
            "paths",
            List,
            Words("every path"),
            "`*` is one segment, a last `**` is the rest",
        ),
    ],
};

pub(crate) static ROUTE_PLUGIN: Section = Section {
    title: "[[route.plugins]]",
    doc: "A plugin of the chain that gets less on this route, also written `plugins = [\"telegram\", { name = \"rules\", limits = { time = \"5ms\" } }]`. It never gets more than its own table gives it.",
    keys: &[
        key("name", Name("plugin"), Required, "the plugin"),
        key(
            "grants",
            Table(&ROUTE_GRANTS),
            Words("all of the plugin's"),
            "`upstreams`, `calls`, `state`, `buckets` and `log` as in `[plugin.NAME.grants]`",
        ),
        key(
            "limits",
            Table(&LIMITS),
            Words("all of the plugin's"),
            "as in `[plugin.NAME.limits]`",
        ),
        key(
            "on_failure",
            Choice(&["closed", "open"]),
            Words("as the plugin's"),
            "as in `[plugin.NAME]`",
        ),
    ],
};

/// What a route may take away: imports stay linked, so the clock, cryptography and random numbers are not among it.
pub(crate) static ROUTE_GRANTS: Section = Section {
    title: "grants of a route's plugin",
    doc: "",
    keys: &[
        key(
            "upstreams",
            Entries(&UPSTREAM_GRANT, Some("upstream")),
            Words(""),
            "",
        ),
        key("calls", Count(0, 1000), Words(""), ""),
        key("state", List, Words(""), ""),
        key("buckets", Rates, Words(""), ""),
        key("log", Size("0B", "1MiB"), Words(""), ""),
    ],
};
