//! How servers are found, judged and left alone.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, Count, Duration, List, OneOrList, Percent, Secret, Text};
use super::{Section, key};

pub(crate) static DISCOVERY: Section = Section {
    title: "[discovery]",
    doc: "How names are looked up that stand for several servers (`\"dns:NAME:PORT\"`, `\"srv:NAME\"`), and where this gateway stands.",
    keys: &[
        key(
            "resolvers",
            List,
            Words("those of /etc/resolv.conf"),
            "DNS servers, `\"10.0.0.2:53\"`",
        ),
        key(
            "min_ttl",
            Duration("10ms", "1d"),
            Value("1s"),
            "an answer counts for its TTL, but no shorter than this",
        ),
        key(
            "max_ttl",
            Duration("10ms", "1d"),
            Value("1m"),
            "and no longer than this",
        ),
        key(
            "timeout",
            Duration("10ms", "1m"),
            Value("2s"),
            "how long one look-up may take; at a start and a reload also how long the first answer is waited for",
        ),
        key(
            "zone",
            Text,
            Words("the variable PORTCULLIS_ZONE; none without it"),
            "the zone of this gateway: servers of the same `zone` are preferred",
        ),
    ],
};

pub(crate) static HEALTH: Section = Section {
    title: "[upstream.NAME.health]",
    doc: "Asks every server again and again whether it is well, beside the requests: `health = { path = \"/health\", every = \"2s\" }`.",
    keys: &[
        key(
            "kind",
            Choice(&["http", "tcp", "grpc"]),
            Value("http"),
            "`http`: a GET is answered with a status of `status`; `tcp`: a connection opens; `grpc`: grpc.health.v1 answers SERVING, over HTTP/2 in clear text",
        ),
        key("path", Text, Value("/"), "what is asked for, with `http`"),
        key(
            "status",
            OneOrList,
            Words("`\"200-399\"`"),
            "statuses of a server that is well, with `http`: `\"200\"`, `\"200-299\"`",
        ),
        key(
            "service",
            Text,
            Words("the server as a whole"),
            "the name of the service that is asked about, with `grpc`",
        ),
        key(
            "host",
            Text,
            Words("the server's own name"),
            "what Host (`:authority`) says, with `http` and `grpc`",
        ),
        key(
            "port",
            Count(1, 65_535),
            Words("the server's own"),
            "another port to ask, for servers that tell of themselves apart",
        ),
        key(
            "every",
            Duration("10ms", "1h"),
            Value("5s"),
            "from one check of a server to the next",
        ),
        key(
            "jitter",
            Percent(0, 100),
            Value("10%"),
            "by how much of `every` checks are spread, so that they do not come in step",
        ),
        key(
            "timeout",
            Duration("1ms", "1m"),
            Value("1s"),
            "how long a check may take",
        ),
        key(
            "up",
            Count(1, 100),
            Value("2"),
            "checks in a row that a server has to pass to be used again; the very first check counts alone",
        ),
        key(
            "down",
            Count(1, 100),
            Value("3"),
            "checks in a row that a server has to fail to be used no longer",
        ),
    ],
};

pub(crate) static EJECT: Section = Section {
    title: "[upstream.NAME.eject]",
    doc: "A server that answers badly is left alone for a while. The requests themselves tell; nothing is asked beside them.",
    keys: &[
        key(
            "base",
            Duration("0s", "1h"),
            Value("10s"),
            "how long the first time; doubled each time that follows soon. `0s`: never",
        ),
        key(
            "max",
            Duration("0s", "1d"),
            Value("1m"),
            "and how long at the most",
        ),
        key(
            "connects",
            Count(1, 1000),
            Value("1"),
            "connections in a row that could not be opened",
        ),
        key(
            "failures",
            Count(1, 1000),
            Value("5"),
            "failures of any kind in a row: no connection, no answer in time, a broken one, a status of 5xx",
        ),
        key(
            "success_rate",
            Percent(0, 100),
            Value("50%"),
            "a lower share of successes within `window`, while the other servers together are above it. `0%`: never",
        ),
        key(
            "window",
            Duration("100ms", "1h"),
            Value("10s"),
            "what `success_rate` is counted over",
        ),
        key(
            "requests",
            Count(1, 1_000_000),
            Value("20"),
            "fewer than this in `window` say nothing",
        ),
        key(
            "share",
            Percent(0, 100),
            Value("70%"),
            "how many of the servers may be left alone at once; one always may, where there are two",
        ),
    ],
};

pub(crate) static STICKY: Section = Section {
    title: "[upstream.NAME.sticky]",
    doc: "A cookie keeps a client on its server while that can be used. Its value is a keyed hash that tells nothing of the server: HttpOnly, SameSite=Lax, Secure where the client came over TLS.",
    keys: &[
        key("cookie", Text, Required, "the name of the cookie"),
        key(
            "secret",
            Secret,
            Required,
            "at least 16 bytes; the same for every gateway in front of these servers",
        ),
        key(
            "max_age",
            Duration("1s", "365d"),
            Words("until the browser is closed"),
            "how long the cookie lasts",
        ),
    ],
};
