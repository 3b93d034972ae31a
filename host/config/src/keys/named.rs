//! Upstreams and routes.

use super::Fallback::{Required, Value, Words};
use super::Shape::{
    Choice, Conditions, Count, Duration, Entries, Flag, List, Name, OneOrList, Percent, Size,
    Table, Tables, Text,
};
use super::{
    ACCESS, BREAKER, CORS, EJECT, HEALTH, MAINTENANCE, MAX_CONCURRENT, MIRROR, RATE_LIMIT,
    REDIRECT, RESPOND, RETRY, RETRY_BUDGET, ROUTE_CACHE, ROUTE_LOG, ROUTE_PLUGIN, ROUTE_RETRY,
    SIDE, STICKY, Section, WEBSOCKET, key,
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
            "when the upstream is left alone as a whole",
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
            "split",
            Tables(&SIDE),
            Words("none"),
            "instead of `upstream`: several, by weight and by what a request says",
        ),
        key(
            "split_by",
            Choice(&["caller", "client_ip", "request"]),
            Value("caller"),
            "what stays on one side of the split: a caller (an address where there is none), an address, or nothing",
        ),
        key(
            "redirect",
            Table(&REDIRECT),
            Words("none"),
            "instead of `upstream`: send clients elsewhere",
        ),
        key(
            "respond",
            Table(&RESPOND),
            Words("none"),
            "instead of `upstream`: an answer that is always the same",
        ),
        key(
            "mirror",
            Table(&MIRROR),
            Words("none"),
            "copy requests to another upstream",
        ),
        key(
            "access",
            Table(&ACCESS),
            Words("everybody"),
            "which addresses may come in, asked after `[access]`",
        ),
        key(
            "maintenance",
            Table(&MAINTENANCE),
            Words("as in `[maintenance]`"),
            "closed for a while",
        ),
        key(
            "cors",
            Table(&CORS),
            Words("as in `[cors]`"),
            "which web pages may use the answers",
        ),
        key(
            "compress",
            Flag,
            Words("`true` where there is a table `[compress]`"),
            "compress answers",
        ),
        key(
            "max_body",
            Size("0B", "1024GiB"),
            Words("`max_body` of [listen]"),
            "the largest request body",
        ),
        key(
            "rate_limit",
            Entries(&RATE_LIMIT, Some("limit")),
            Words("none"),
            "how many requests in which time, and of whom",
        ),
        key(
            "max_concurrent",
            Tables(&MAX_CONCURRENT),
            Words("none"),
            "how many requests at once, and of whom",
        ),
        key(
            "max_head",
            Size("1B", "1MiB"),
            Words("as in `[listen]`"),
            "names and values of all header fields together",
        ),
        key(
            "max_uri",
            Size("1B", "64KiB"),
            Words("as in `[listen]`"),
            "the longest path with its query",
        ),
        key(
            "max_query",
            Size("0B", "64KiB"),
            Words("as in `[listen]`"),
            "the longest query",
        ),
        key(
            "max_headers",
            Count(1, 100),
            Words("as in `[listen]`"),
            "header fields of a request",
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
            "retry",
            Table(&ROUTE_RETRY),
            Words("as the upstream's"),
            "what is sent again, and when",
        ),
        key(
            "deadline",
            Duration("1ms", "7d"),
            Words("the upstream's `total`"),
            "a whole exchange; a client's own deadline can only be shorter",
        ),
        key(
            "priority",
            Choice(&["low", "normal", "critical"]),
            Value("normal"),
            "what is refused first when the gateway is overloaded; see `[overload]`",
        ),
        key(
            "max_in_flight",
            Count(1, 1_000_000),
            Words("no limit"),
            "exchanges on this route at once; WebSockets are not counted",
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
            "websocket",
            Table(&WEBSOCKET),
            Words("see below"),
            "limits of WebSockets on this route",
        ),
        key(
            "log",
            Table(&ROUTE_LOG),
            Words("no bodies"),
            "what the access log tells of bodies",
        ),
    ],
};
