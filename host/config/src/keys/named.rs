//! Plugins, upstreams and routes.

use super::Fallback::{Required, Value, Words};
use super::Shape::{
    Choice, Conditions, Count, Duration, Entries, Flag, List, Name, OneOrList, Percent, Rates,
    Settings, Size, Table, Text,
};
use super::{EJECT, HEALTH, ROUTE_CACHE, STICKY, Section, WEBSOCKET, key};

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

/// What a route may take away: imports stay linked, so the clock and random numbers are not among it.
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

pub(crate) static UPSTREAM: Section = Section {
    title: "[upstream.NAME]",
    doc: "One table for each service behind the gateway; a route forwards to it by NAME.",
    keys: &[
        key(
            "servers",
            Entries(&SERVER, None),
            Required,
            "`\"host:port\"` (a name is resolved when connecting), `\"dns:NAME:PORT\"` for every address of a name, `\"srv:NAME\"` for every target of its SRV records; or a table with more",
        ),
        key(
            "balance",
            Choice(&[
                "round_robin",
                "least_connections",
                "power_of_two",
                "ewma",
                "peak_ewma",
                "hash",
            ]),
            Value("round_robin"),
            "which server is next",
        ),
        key(
            "hash_by",
            Text,
            Words("none"),
            "`\"header:NAME\"`, `\"caller\"` or `\"client_ip\"`; with `balance = \"hash\"`, and only then",
        ),
        key(
            "timeouts",
            Table(&UPSTREAM_TIMEOUTS),
            Words("as in `[timeouts]`"),
            "other timeouts for this upstream",
        ),
        key(
            "bounded_load",
            Percent(100, 1000),
            Words("no bound"),
            "with `hash`: a server with more than this much of its fair share in flight passes requests on to the next",
        ),
        key(
            "slow_start",
            Duration("0s", "1h"),
            Value("0s"),
            "how long a server that is new or back takes to get its full share",
        ),
        key(
            "panic",
            Percent(0, 100),
            Value("30%"),
            "with a lower share of usable servers, all are used: better a bad server than a good one drowned",
        ),
        key(
            "sticky",
            Table(&STICKY),
            Words("no"),
            "keeps a client on its server by a cookie",
        ),
        key(
            "health",
            Table(&HEALTH),
            Words("no checks"),
            "checks beside the requests",
        ),
        key(
            "eject",
            Table(&EJECT),
            Words("see below"),
            "when a server that answers badly is left alone",
        ),
        key(
            "keep_alive",
            Count(0, 10_000),
            Value("64"),
            "idle connections kept per server and worker",
        ),
        key(
            "preserve_host",
            Flag,
            Value("true"),
            "send the client's Host (`true`) or the server's address (`false`)",
        ),
        key(
            "protocol",
            Choice(&["http1", "h2c", "h2", "auto"]),
            Words("`http1`; with `tls`, `auto`"),
            "`h2c`: HTTP/2 in clear text; `h2`: HTTP/2 over TLS; `auto`: over TLS, what the server chooses (ALPN)",
        ),
        key(
            "tls",
            Table(&super::UPSTREAM_TLS),
            Words("clear text"),
            "speak TLS to the servers",
        ),
    ],
};

pub(crate) static SERVER: Section = Section {
    title: "[[upstream.NAME.servers]]",
    doc: "A server that is more than an address, also written `servers = [{ address = \"…\", weight = 2 }]`.",
    keys: &[
        key(
            "address",
            Text,
            Required,
            "`\"host:port\"`, `\"dns:NAME:PORT\"` or `\"srv:NAME\"`",
        ),
        key(
            "weight",
            Count(1, 1000),
            Value("1"),
            "its share of the requests",
        ),
        key(
            "zone",
            Text,
            Words("none"),
            "where it stands; the gateway's own zone (`[discovery]`) is preferred",
        ),
        key(
            "priority",
            Count(0, 15),
            Value("0"),
            "servers of a higher number serve when those of a lower one do not suffice",
        ),
    ],
};

pub(crate) static UPSTREAM_TIMEOUTS: Section = Section {
    title: "[upstream.NAME.timeouts]",
    doc: "Only what differs from `[timeouts]`.",
    keys: &[
        key(
            "connect",
            Duration("1ms", "7d"),
            Words("as in `[timeouts]`"),
            "a connection to a server",
        ),
        key(
            "first_byte",
            Duration("1ms", "7d"),
            Words("as in `[timeouts]`"),
            "from the last byte of the request to the first of the response",
        ),
        key(
            "idle",
            Duration("1ms", "7d"),
            Words("as in `[timeouts]`"),
            "between two reads or writes of a body; how long a WebSocket's end may refuse to read",
        ),
        key(
            "total",
            Duration("1ms", "7d"),
            Words("as in `[timeouts]`"),
            "a whole exchange; does not bind WebSockets and event streams",
        ),
    ],
};

pub(crate) static ROUTE: Section = Section {
    title: "[[route]]",
    doc: "One table for each route. The order does not matter: two routes that match the same requests are a mistake.",
    keys: &[
        key(
            "name",
            Text,
            Required,
            "the name of the route in logs and metrics",
        ),
        key(
            "host",
            OneOrList,
            Words("every host"),
            "without port; `*.example.com` stands for one or more labels",
        ),
        key(
            "path",
            Text,
            Words("one of `path` and `prefix`"),
            "`/a` is exact, `{id}` is one segment, `/a/**` is `/a` and everything below it",
        ),
        key(
            "prefix",
            Text,
            Words("one of `path` and `prefix`"),
            "`prefix = \"/a\"` is short for `path = \"/a/**\"`",
        ),
        key(
            "methods",
            List,
            Words("every method"),
            "in upper case; CONNECT and TRACE are never served",
        ),
        key(
            "headers",
            Conditions,
            Words("no condition"),
            "`{ name = \"value\" }`; `true`: must be there, `false`: must not",
        ),
        key(
            "query",
            Conditions,
            Words("no condition"),
            "the same for query parameters",
        ),
        key(
            "public",
            Flag,
            Value("false"),
            "no authenticator: said aloud, or it is a mistake",
        ),
        key(
            "plugins",
            Entries(&ROUTE_PLUGIN, Some("plugin")),
            Words("none"),
            "the chain, in order",
        ),
        key(
            "upstream",
            Name("upstream"),
            Words("none; a plugin answers"),
            "where requests are forwarded",
        ),
        key(
            "max_body",
            Size("0B", "1024GiB"),
            Value("10MiB"),
            "the largest request body",
        ),
        key(
            "redirect_https",
            Flag,
            Words("as in `[listen]`"),
            "send clients that came in clear text to https",
        ),
        key(
            "server_timing",
            Flag,
            Value("false"),
            "tell clients in `Server-Timing` what each plugin took",
        ),
        key(
            "cache",
            Table(&ROUTE_CACHE),
            Words("nothing is stored"),
            "store responses and answer from them; `{}` does what the upstream's headers say",
        ),
        key(
            "websocket",
            Table(&WEBSOCKET),
            Words("see below"),
            "limits of WebSockets on this route",
        ),
    ],
};
