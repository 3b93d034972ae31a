//! What a route allows its WebSockets.

use super::Fallback::{Value, Words};
use super::Shape::{Count, Duration, Size};
use super::{Section, key};

pub(crate) static WEBSOCKET: Section = Section {
    title: "[route.websocket]",
    doc: "WebSockets of the route above it, also written `websocket = { max_message = \"64KiB\" }`. A socket keeps what it was opened with; a reload never touches it.",
    keys: &[
        key(
            "max_connections",
            Count(1, 1_000_000),
            Words("no limit but `listen.max_connections`"),
            "sockets open at once; one more is refused with 503",
        ),
        key(
            "max_per_caller",
            Count(1, 1_000_000),
            Words("no limit"),
            "sockets that one caller has open at once, or one client address where the route is public; one more is refused with 429",
        ),
        key(
            "max_message",
            Size("125B", "1GiB"),
            Value("10MiB"),
            "the largest message of either end, as it is on the wire: with compression, compressed",
        ),
        key(
            "idle",
            Duration("10ms", "7d"),
            Value("1h"),
            "how long neither end may send a message; pings and pongs are none",
        ),
        key(
            "ping",
            Duration("0s", "1d"),
            Value("20s"),
            "an end that was silent for so long is pinged; `\"0s\"`: never",
        ),
        key(
            "pong",
            Duration("10ms", "1d"),
            Value("20s"),
            "an end that stays silent for so long after a ping is gone",
        ),
    ],
};
