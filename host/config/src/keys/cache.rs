//! What is stored of responses, and for how long.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, Duration, Flag, Size, Table, Text};
use super::{Section, key};

pub(crate) static CACHE: Section = Section {
    title: "[cache]",
    doc: "The room for the responses that routes keep (`cache` of a route).",
    keys: &[
        key(
            "memory",
            Size("1MiB", "1024GiB"),
            Value("256MiB"),
            "stored responses, all routes together; what is asked for least makes room",
        ),
        key(
            "max_object",
            Size("1KiB", "1GiB"),
            Value("4MiB"),
            "the largest body that is stored; a larger one passes by",
        ),
        key(
            "disk",
            Table(&CACHE_DISK),
            Words("memory only"),
            "a folder where stored responses are found again after a restart, and when memory has no room for them",
        ),
    ],
};

pub(crate) static CACHE_DISK: Section = Section {
    title: "[cache.disk]",
    doc: "The disk tier, also written `disk = { folder = \"cache\", size = \"10GiB\" }`. A disk that is full or fails costs hits, never an answer.",
    keys: &[
        key(
            "folder",
            Text,
            Required,
            "a folder of the gateway's own, which nobody else may enter (0700); made if it is missing; relative to the directory of the file",
        ),
        key(
            "size",
            Size("16MiB", "65536GiB"),
            Value("10GiB"),
            "what all of it may take; what was not asked for the longest makes room",
        ),
    ],
};

pub(crate) static ROUTE_CACHE: Section = Section {
    title: "[route.cache]",
    doc: "What of this route is stored, also written `cache = { ttl = \"30s\" }`. Headers of the response decide (RFC 9111): `no-store`, `private` and `Set-Cookie` are never stored, and a freshness that the upstream states is kept to.",
    keys: &[
        key(
            "ttl",
            Duration("0s", "365d"),
            Words("none: the upstream says"),
            "how long a success is fresh whose freshness the upstream does not state",
        ),
        key(
            "negative_ttl",
            Duration("0s", "365d"),
            Words("none: the upstream says"),
            "the same for 404, 405, 410, 414 and 501",
        ),
        key(
            "stale_while_revalidate",
            Duration("0s", "365d"),
            Value("0s"),
            "how long a stale response is still given while a newer one is fetched, where the upstream does not say (RFC 5861)",
        ),
        key(
            "stale_if_error",
            Duration("0s", "365d"),
            Value("0s"),
            "how long a stale response is given while the upstream fails, where it does not say (RFC 5861)",
        ),
        key(
            "per",
            Choice(&["everyone", "caller"]),
            Words("`caller` where the route has callers"),
            "who shares what is stored; `caller`: each caller has responses of its own",
        ),
        key(
            "shared",
            Flag,
            Value("false"),
            "callers share responses that say `public`, `s-maxage` or `must-revalidate` (RFC 9111 section 3.5)",
        ),
        key(
            "client_directives",
            Flag,
            Value("true"),
            "a request's `Cache-Control` may ask for a newer response; `false`: clients cannot make the gateway ask the upstream",
        ),
        key(
            "status",
            Flag,
            Value("true"),
            "tell clients in `Cache-Status` (RFC 9211) where the response comes from",
        ),
        key(
            "hide_tags",
            Flag,
            Value("false"),
            "take `Surrogate-Key` and `Cache-Tag` out of responses to clients",
        ),
    ],
};
