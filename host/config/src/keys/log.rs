//! The access log.

use super::Fallback::{Required, Value, Words};
use super::Shape::{Choice, Count, Flag, List, Percent, Size, Table, Tables, Text};
use super::{Section, key};

pub(crate) static LOG: Section = Section {
    title: "[log]",
    doc: "The access log: one line per exchange. See [logs.md](logs.md).",
    keys: &[
        key("access", Flag, Value("true"), "whether there is one"),
        key(
            "format",
            Choice(&["auto", "json", "text"]),
            Value("auto"),
            "how a line looks; `auto`: for people where stdout is a terminal, else JSON",
        ),
        key(
            "fields",
            List,
            Words("all but `query`"),
            "what a line in JSON tells, of the list in logs.md",
        ),
        key(
            "request_headers",
            List,
            Words("none"),
            "headers of requests that are told too, under `request_headers`",
        ),
        key(
            "response_headers",
            List,
            Words("none"),
            "headers of responses that are told too, under `response_headers`",
        ),
        key(
            "redact",
            Table(&LOG_REDACT),
            Words("what logs.md lists"),
            "what is never told, beside what never is anyway",
        ),
        key(
            "sample",
            Tables(&LOG_SAMPLE),
            Words("every exchange has a line"),
            "which exchanges have a line: the first that fits decides",
        ),
        key(
            "file",
            Table(&LOG_FILE),
            Words("stdout"),
            "where the lines go",
        ),
    ],
};

pub(crate) static LOG_REDACT: Section = Section {
    title: "log.redact",
    doc: "Names whose values are written as `[redacted]`, in any case; those in logs.md always are.",
    keys: &[
        key("headers", List, Words("none"), "of headers"),
        key(
            "parameters",
            List,
            Words("none"),
            "of parameters of queries and forms",
        ),
        key(
            "members",
            List,
            Words("none"),
            "of members of JSON bodies, at any depth",
        ),
    ],
};

pub(crate) static LOG_SAMPLE: Section = Section {
    title: "[[log.sample]]",
    doc: "Which exchanges have a line, also written `sample = [{ status = \"2xx\", share = \"10%\" }]`. Exchanges that broke off always have one, and statuses from 400 on unless a rule names their class.",
    keys: &[
        key(
            "status",
            Choice(&["1xx", "2xx", "3xx", "4xx", "5xx"]),
            Words("any below 400"),
            "a class of statuses",
        ),
        key("route", Text, Words("any"), "the name of a route"),
        key(
            "share",
            Percent(0, 100),
            Required,
            "how many of them, by their request id: gateways that see the same id agree",
        ),
    ],
};

pub(crate) static LOG_FILE: Section = Section {
    title: "log.file",
    doc: "A file of lines, also written `file = { path = \"access.log\" }`. SIGUSR1 reopens it, for logrotate.",
    keys: &[
        key(
            "path",
            Text,
            Required,
            "the file, relative to gateway.toml; its directory must be there",
        ),
        key(
            "rotate",
            Size("64KiB", "64GiB"),
            Words("never"),
            "the size that the file is not to pass: it becomes `.1`, `.1` becomes `.2`",
        ),
        key(
            "keep",
            Count(1, 1000),
            Value("5"),
            "how many files there are beside the one that is written",
        ),
    ],
};

pub(crate) static ROUTE_LOG: Section = Section {
    title: "[route.log]",
    doc: "What the access log tells of bodies of the route above it, also written `log = { request_body = \"4KiB\" }`. JSON and forms only, with what is secret redacted.",
    keys: &[
        key(
            "request_body",
            Size("1B", "64KiB"),
            Words("not told"),
            "the largest body of a request that is told, as it came",
        ),
        key(
            "response_body",
            Size("1B", "64KiB"),
            Words("not told"),
            "the largest body of a response that is told, before compression",
        ),
    ],
};
