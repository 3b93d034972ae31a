//! What is decided at the edge: who may come in, what is answered here, and what is done to answers that leave.

use super::Fallback::{Required, Value, Words};
use super::Shape::{
    Choice, Conditions, Count, Duration, Flag, List, Name, Percent, Size, Text, Texts,
};
use super::{Section, key};

/// What compresses well and is asked for often.
pub(crate) const TYPES: &str = "text/*, application/json, application/*+json, application/javascript, application/xml, application/*+xml, application/wasm, image/svg+xml";
/// From the smallest answer to the cheapest one to make, as far as clients have a choice.
pub(crate) const ENCODINGS: &str = "zstd, br, gzip";

pub(crate) static ACCESS: Section = Section {
    title: "[access]",
    doc: "Which addresses may come in, after trusted proxies are believed. `access = {}` of a route is asked after it; both must let a client pass.",
    keys: &[
        key(
            "allow",
            List,
            Words("everybody"),
            "addresses and networks (`\"10.0.0.0/8\"`); where there are any, everybody else is refused. `\"::ffff:10.0.0.0/104\"` is `10.0.0.0/8`; `\"::/0\"` is every IPv6 address and no IPv4 address",
        ),
        key(
            "deny",
            List,
            Words("nobody"),
            "addresses and networks that are refused, also where `allow` has them",
        ),
    ],
};

pub(crate) static MAINTENANCE: Section = Section {
    title: "[maintenance]",
    doc: "Closes the gateway for a while: 503 with Retry-After. `maintenance = {}` of a route takes the place of this table there, so that one route may be closed, or stay open. A reload switches it.",
    keys: &[
        key("on", Flag, Value("false"), "closed"),
        key(
            "retry_after",
            Duration("1s", "7d"),
            Value("5m"),
            "when clients are asked to come back",
        ),
        key(
            "message",
            Text,
            Words("none"),
            "the `detail` of the problem document",
        ),
        key(
            "allow",
            List,
            Words("nobody"),
            "addresses and networks for which everything is open",
        ),
    ],
};

pub(crate) static CORS: Section = Section {
    title: "[cors]",
    doc: "Which web pages of other origins may use the answers (Fetch standard). Preflights are answered here, before authentication. `cors = {}` of a route takes the place of this table there.",
    keys: &[
        key(
            "origins",
            List,
            Required,
            "`\"https://app.example\"`, `\"https://*.example\"` (names below it), `\"http://localhost:*\"` (any port), `\"*\"` (every page); an empty list allows none",
        ),
        key(
            "methods",
            List,
            Words("those of the route"),
            "methods that pages may use",
        ),
        key(
            "headers",
            List,
            Words("what every page may send"),
            "request headers that pages may send; `\"*\"`: all but authorization",
        ),
        key(
            "expose",
            List,
            Words("what every page may read"),
            "response headers that pages may read",
        ),
        key(
            "credentials",
            Flag,
            Value("false"),
            "pages may send cookies; never with `\"*\"`",
        ),
        key(
            "max_age",
            Duration("0s", "1d"),
            Value("10m"),
            "how long a browser may remember the answer to a preflight",
        ),
    ],
};

pub(crate) static COMPRESS: Section = Section {
    title: "[compress]",
    doc: "Answers are compressed on the routes that do not say `compress = false`; without this table, on those that say `compress = true`. Never those that are compressed already, must not be changed (`no-transform`), are parts (206) or have to flow (SSE, gRPC, WebSocket).",
    keys: &[
        key(
            "encodings",
            List,
            Words(ENCODINGS),
            "what is offered, the best first: it decides where the client has no preference",
        ),
        key(
            "types",
            List,
            Words(TYPES),
            "content types; `*` stands for a subtype, or for what precedes a suffix",
        ),
        key(
            "min_size",
            Size("0B", "1GiB"),
            Value("1KiB"),
            "smaller answers stay as they are, as far as their size is known beforehand",
        ),
        key(
            "level",
            Choice(&["fast", "balanced", "small"]),
            Value("fast"),
            "time against size: gzip 1, 5, 8; br 2, 4, 6; zstd 1, 3, 7",
        ),
        key(
            "concurrent",
            Count(1, 100_000),
            Value("256"),
            "answers being compressed at once; more than these leave uncompressed",
        ),
    ],
};

pub(crate) static REDIRECT: Section = Section {
    title: "[route.redirect]",
    doc: "Sends clients elsewhere.",
    keys: &[
        key(
            "to",
            Text,
            Required,
            "`\"https://example.com/{id}\"` or `\"/new/{id}\"`: parameters of the route's path, and `{rest}` for what `/**` stands for; not in the host",
        ),
        key(
            "status",
            Count(300, 399),
            Value("308"),
            "301, 302, 303, 307 or 308",
        ),
        key(
            "keep_query",
            Flag,
            Value("true"),
            "the query of the request goes along",
        ),
    ],
};

pub(crate) static RESPOND: Section = Section {
    title: "[route.respond]",
    doc: "An answer that is always the same. It is held in memory; a reload reads the file anew.",
    keys: &[
        key("status", Count(200, 599), Value("200"), "the status"),
        key(
            "headers",
            Texts,
            Words("none"),
            "`{ name = \"value\" }`; the content type follows from the file's ending unless it is given here",
        ),
        key("body", Text, Words("empty"), "the body"),
        key(
            "file",
            Text,
            Words("no file"),
            "a file that holds the body, at most 1 MiB, relative to gateway.toml",
        ),
    ],
};

pub(crate) static SIDE: Section = Section {
    title: "[[route.split]]",
    doc: "One side of a traffic split. A request goes to the first side whose `headers` and `cookies` all hold; where no such side is, to one by weight.",
    keys: &[
        key(
            "upstream",
            Name("upstream"),
            Required,
            "where this side's requests are forwarded",
        ),
        key(
            "weight",
            Count(0, 10_000),
            Value("0"),
            "its share of the requests; 0: only those that its conditions choose",
        ),
        key(
            "headers",
            Conditions,
            Words("no condition"),
            "`{ x-canary = \"1\" }`; `true`: must be there, `false`: must not",
        ),
        key(
            "cookies",
            Conditions,
            Words("no condition"),
            "the same for cookies",
        ),
    ],
};

pub(crate) static MIRROR: Section = Section {
    title: "[route.mirror]",
    doc: "Copies of requests go to another upstream, with `x-mirrored: ROUTE`. Its answers are thrown away; it never delays a request.",
    keys: &[
        key("upstream", Name("upstream"), Required, "where copies go"),
        key(
            "share",
            Percent(1, 100),
            Value("100%"),
            "the share of requests that is copied",
        ),
        key(
            "max_body",
            Size("0B", "16MiB"),
            Value("64KiB"),
            "requests with larger bodies are not copied",
        ),
        key(
            "in_flight",
            Count(1, 10_000),
            Value("16"),
            "copies under way at once; more are dropped",
        ),
    ],
};
