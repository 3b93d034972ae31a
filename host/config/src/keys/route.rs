//! Routes.

use super::Fallback::{Required, Value, Words};
use super::Shape::{
    Choice, Conditions, Count, Duration, Entries, Flag, List, Name, OneOrList, Size, Table, Tables,
    Text,
};
use super::{
    ACCESS, CORS, MAINTENANCE, MAX_CONCURRENT, MIRROR, RATE_LIMIT, REDIRECT, RESPOND, ROUTE_CACHE,
    ROUTE_LOG, ROUTE_PLUGIN, ROUTE_RETRY, SIDE, Section, WEBSOCKET, key,
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
