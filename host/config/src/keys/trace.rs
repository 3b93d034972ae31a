//! Who may look at single exchanges, and where their traces go.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, Count, Duration, Flag, Percent, Secret, Secrets, Text};
use super::{Section, key};

pub(crate) static DEBUG: Section = Section {
    title: "[debug]",
    doc: "A request whose header `portcullis-debug` is signed with this key is told its trail, in the response header `portcullis-trail`. `portcullis explain --sign` signs, `portcullis explain --live` signs and asks. Without this table, or with a bad signature, the header is taken out and means nothing.",
    keys: &[key(
        "key",
        Secret,
        Required,
        "at least 16 bytes; whoever has it sees what each step of their requests decided, and why",
    )],
};

pub(crate) static TRACES: Section = Section {
    title: "[traces]",
    doc: "Spans of exchanges, told to an OpenTelemetry collector (OTLP). Without this table nothing is recorded. See docs/traces.md.",
    keys: &[
        key(
            "endpoint",
            Text,
            Required,
            "the collector, such as `\"http://127.0.0.1:4318\"`; over https it is verified against what the system trusts. Without a path, HTTP goes to `/v1/traces`",
        ),
        key(
            "protocol",
            Choice(&["http/protobuf", "grpc"]),
            Value("http/protobuf"),
            "how it is spoken to",
        ),
        key(
            "headers",
            Secrets,
            Words("none"),
            "sent with every batch, such as `{ authorization = { env = \"OTLP_TOKEN\" } }`",
        ),
        key(
            "service",
            Text,
            Value("portcullis"),
            "`service.name` of the spans",
        ),
        key(
            "sample",
            Percent(0, 100),
            Value("1%"),
            "of the traces that begin here, how many are kept; of others, the parent decides. Exchanges that end with a 5xx are kept always",
        ),
        key(
            "accept",
            Choice(&["all", "trusted"]),
            Value("all"),
            "whose `traceparent` is believed: everybody's, or that of `trusted_proxies` alone",
        ),
        key(
            "user_agent",
            Flag,
            Value("false"),
            "whether spans hold the client's User-Agent",
        ),
        key(
            "queue",
            Count(1, 1_000_000),
            Value("4096"),
            "exchanges that may wait to be told; more are dropped and counted",
        ),
        key(
            "timeout",
            Duration("100ms", "1m"),
            Value("5s"),
            "how long the collector may take for a batch",
        ),
    ],
};
