//! Upstreams and their servers.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, Count, Duration, Entries, Flag, Percent, Table, Text};
use super::{BREAKER, EJECT, HEALTH, RETRY, RETRY_BUDGET, STICKY, Section, key};

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
            "when a server that answers badly is ejected",
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
            "retry",
            Table(&RETRY),
            Words("see below"),
            "what is sent again, and when",
        ),
        key(
            "retry_budget",
            Table(&RETRY_BUDGET),
            Words("see below"),
            "how much of that there may be",
        ),
        key(
            "breaker",
            Table(&BREAKER),
            Words("none"),
            "when requests to the whole upstream stop",
        ),
        key(
            "max_in_flight",
            Count(1, 1_000_000),
            Words("no limit"),
            "requests at its servers at once, over all routes; WebSockets are not counted",
        ),
        key(
            "queue",
            Count(0, 100_000),
            Value("0"),
            "with `max_in_flight`: so many more wait their turn, first come, first served",
        ),
        key(
            "queue_timeout",
            Duration("1ms", "10m"),
            Value("1s"),
            "how long they wait; then they are refused with 503",
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
