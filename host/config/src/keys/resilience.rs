//! Retries and hedges, circuit breakers, and when the process is overloaded.

use super::Fallback::{Value, Words};
use super::Shape::{Count, Duration, Percent, Size, Statuses};
use super::{Key, Section, key};

pub(crate) static RETRY: Section = Section {
    title: "[upstream.NAME.retry]",
    doc: "Only what is safe is sent twice: idempotent requests (GET, HEAD, OPTIONS, PUT, DELETE) whose body is kept, and requests of which not a byte was sent. A server that was not asked yet is asked first.",
    keys: &[
        key(
            "tries",
            Count(1, 10),
            Value("3"),
            "tries of one exchange in all; `1`: no retry",
        ),
        key(
            "on",
            Statuses,
            Words("no status"),
            "statuses (`[502, 503]`) after which an idempotent request is tried again",
        ),
        key(
            "per_try",
            Duration("0s", "7d"),
            Value("0s"),
            "from the connection to the response head, of a request that may be sent twice; `0s`: the time-outs alone",
        ),
        key(
            "hedge_after",
            Duration("0s", "7d"),
            Value("0s"),
            "a GET, HEAD or OPTIONS without body that is not answered by then is sent to a second server as well, the first answer wins; `0s`: never",
        ),
        key(
            "back_off",
            Duration("1ms", "1m"),
            Value("25ms"),
            "the pause before a server is asked again is random, up to this, twice as much each time",
        ),
        key(
            "max_back_off",
            Duration("1ms", "10m"),
            Value("1s"),
            "the longest such pause",
        ),
        key(
            "max_body",
            Size("0B", "16MiB"),
            Value("64KiB"),
            "the largest body that is kept for another try; a larger one, and one without a length, is sent once",
        ),
    ],
};

/// The same keys; what is left out is the upstream's.
pub(crate) static ROUTE_RETRY: Section = Section {
    title: "[route.retry]",
    doc: "Only what differs from the `retry` of the route's upstream.",
    keys: &[
        of_upstream("tries", Count(1, 10)),
        of_upstream("on", Statuses),
        of_upstream("per_try", Duration("0s", "7d")),
        of_upstream("hedge_after", Duration("0s", "7d")),
        of_upstream("back_off", Duration("1ms", "1m")),
        of_upstream("max_back_off", Duration("1ms", "10m")),
        of_upstream("max_body", Size("0B", "16MiB")),
    ],
};

const fn of_upstream(name: &'static str, shape: super::Shape) -> Key {
    let doc = "as in `[upstream.NAME.retry]`";
    key(name, shape, Words("as the upstream's"), doc)
}

pub(crate) static RETRY_BUDGET: Section = Section {
    title: "[upstream.NAME.retry_budget]",
    doc: "What retries and hedges may add to an upstream that is in trouble. Without budget the failure is passed on.",
    keys: &[
        key(
            "share",
            Percent(0, 100),
            Value("20%"),
            "of the requests of the last 10 s",
        ),
        key(
            "min_per_second",
            Count(0, 100_000),
            Value("10"),
            "and this many a second, for upstreams with few requests",
        ),
    ],
};

pub(crate) static BREAKER: Section = Section {
    title: "[upstream.NAME.breaker]",
    doc: "Left out, there is none; `breaker = {}` is one with these defaults. An error is a try without an answer, or with a status of 500 or more.",
    keys: &[
        key(
            "errors",
            Percent(1, 100),
            Value("50%"),
            "the share of errors at which it opens: every request is refused with 503",
        ),
        key(
            "window",
            Duration("1s", "10m"),
            Value("10s"),
            "the time over which they are counted",
        ),
        key(
            "min_requests",
            Count(1, 1_000_000),
            Value("20"),
            "fewer tries than this in the window say nothing",
        ),
        key(
            "open_for",
            Duration("100ms", "1h"),
            Value("5s"),
            "after this it is half open: a few requests are let through",
        ),
        key(
            "probes",
            Count(1, 1000),
            Value("3"),
            "so many; when all succeed it closes, when one fails it opens again",
        ),
    ],
};

pub(crate) static OVERLOAD: Section = Section {
    title: "[overload]",
    doc: "When the gateway itself counts as overloaded. At 80 % of a limit routes with `priority = \"low\"` are refused with 503, at 100 % all but those with `priority = \"critical\"`, before any plugin runs; it ends 10 % below, and a second later at the soonest. The admin listener is never affected.",
    keys: &[
        key(
            "in_flight",
            Count(1, 10_000_000),
            Words("no limit"),
            "exchanges in flight, over all workers",
        ),
        key(
            "lag",
            Duration("10ms", "1m"),
            Words("no limit"),
            "how late the event loop of a worker is; each worker refuses for itself",
        ),
        key(
            "memory",
            Size("1MiB", "1024GiB"),
            Words("no limit"),
            "resident memory of the process",
        ),
    ],
};
