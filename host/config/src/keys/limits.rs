//! Limits over time and at a time.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, Count, Duration, Flag, Name, OneOrList, Text};
use super::{Key, Section, key};

const PER_DOC: &str = "whose requests count together: `\"client_ip\"`, `\"caller\"`, `\"route\"`, `\"tls_subject\"` (of the client's certificate), `\"api_key\"` (the header `x-api-key`, or else what `authorization` says behind its scheme), `\"header:NAME\"` or `\"everyone\"`; a list combines them: `[\"caller\", \"route\"]`";
const PER: Key = key("per", OneOrList, Required, PER_DOC);
const LIMIT_KEY: Key = key(
    "limit",
    Text,
    Words("**required** without `shared`"),
    "how many requests in which time: `\"100/10s\"`; `\"10000/day\"` and `\"100000/month\"` are quotas of the calendar, in UTC",
);
const ALGORITHM: Key = key(
    "algorithm",
    Choice(&["gcra", "sliding_window"]),
    Words("`\"gcra\"`; quotas have none"),
    "`gcra`: a token bucket, refilled evenly; `sliding_window`: never more than the limit in any stretch of its time",
);
const BURST: Key = key(
    "burst",
    Count(1, 1_000_000_000),
    Words("as many as `limit`"),
    "with `gcra`: how many may come at once",
);
const THROTTLE: Key = key(
    "throttle",
    Duration("0s", "1m"),
    Value("0s"),
    "with `gcra`: hold a request back for up to this long instead of refusing it",
);
const MAX_WAITING: Key = key(
    "max_waiting",
    Count(1, 1_000_000),
    Value("100"),
    "requests held back at once; more are refused",
);
const MAX_KEYS: Key = key(
    "max_keys",
    Count(1_000, 100_000_000),
    Value("1000000"),
    "keys remembered at once; bounds the memory, see limits.md",
);
const IPV6_PREFIX: Key = key(
    "ipv6_prefix",
    Count(16, 128),
    Value("64"),
    "IPv6 addresses count together by this many bits: one customer has at least 64",
);
const DRY_RUN: Key = key(
    "dry_run",
    Flag,
    Value("false"),
    "decide, count and log, but refuse and hold back nothing",
);
const HEADERS: Key = key(
    "headers",
    Flag,
    Value("true"),
    "tell clients in `RateLimit` and `RateLimit-Policy`",
);
const ON_FAILURE: Key = key(
    "on_failure",
    Choice(&["open", "closed"]),
    Value("open"),
    "when the store of the counts does not answer: let requests pass, or refuse them with 503; the store in memory always answers",
);

pub(crate) static LIMIT: Section = Section {
    title: "[limit.NAME]",
    doc: "A limit over time that several routes share: what a client does on one counts on all. A route lists it by NAME in `rate_limit`.",
    keys: &[
        PER,
        LIMIT_KEY,
        ALGORITHM,
        BURST,
        THROTTLE,
        MAX_WAITING,
        MAX_KEYS,
        IPV6_PREFIX,
        DRY_RUN,
        HEADERS,
        ON_FAILURE,
    ],
};

pub(crate) static RATE_LIMIT: Section = Section {
    title: "[[route.rate_limit]]",
    doc: "A limit over time of one route, also written `rate_limit = [{ per = \"client_ip\", limit = \"100/10s\" }, \"shared-one\"]`. They are asked in the order of the file, those that need no caller before authentication, the others after authorization. A refusal is a 429 with `Retry-After`.",
    keys: &[
        key(
            "shared",
            Name("limit"),
            Words("none: a limit of this route alone"),
            "a `[limit.NAME]` at another cost: `{ shared = \"NAME\", cost = 5 }`; only `cost` goes with it",
        ),
        key(
            "name",
            Text,
            Words("made of `per`: `caller-route`, `caller-day`"),
            "its name in RateLimit headers, metrics and the log",
        ),
        key(
            "per",
            OneOrList,
            Words("**required** without `shared`"),
            PER_DOC,
        ),
        LIMIT_KEY,
        key(
            "cost",
            Count(1, 1_000_000),
            Value("1"),
            "how many requests one request on this route counts as",
        ),
        ALGORITHM,
        BURST,
        THROTTLE,
        MAX_WAITING,
        MAX_KEYS,
        IPV6_PREFIX,
        DRY_RUN,
        HEADERS,
        ON_FAILURE,
    ],
};

pub(crate) static MAX_CONCURRENT: Section = Section {
    title: "[[route.max_concurrent]]",
    doc: "How many requests may be under way at once, also written `max_concurrent = [{ per = \"caller\", limit = 10 }]`. A request counts until the last byte of its response, a WebSocket until it ends. One more is refused with 429.",
    keys: &[
        key(
            "name",
            Text,
            Words("made of `per`: `caller-concurrent`"),
            "its name in RateLimit headers, metrics and the log",
        ),
        PER,
        key(
            "limit",
            Count(1, 1_000_000),
            Required,
            "requests under way at once, for each key",
        ),
        IPV6_PREFIX,
        DRY_RUN,
        HEADERS,
    ],
};
