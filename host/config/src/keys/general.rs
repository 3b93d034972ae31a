//! The tables that are in a file once.

use super::Fallback::{Value, Words};
use super::Shape::{Address, Choice, Count, Duration, Flag, List, Size, Text};
use super::{Section, key};

pub(crate) static LISTEN: Section = Section {
    title: "[listen]",
    doc: "Where clients and operators come in.",
    keys: &[
        key(
            "http",
            Address,
            Value("127.0.0.1:8080"),
            "HTTP/1.1 in clear text",
        ),
        key(
            "h2c",
            Address,
            Words("no such listener"),
            "HTTP/2 in clear text with prior knowledge",
        ),
        key(
            "https",
            Address,
            Words("no such listener"),
            "HTTP/1.1 and HTTP/2 over TLS; needs `[tls]`",
        ),
        key(
            "redirect_https",
            Flag,
            Value("false"),
            "send clients that came in clear text to https (308), on every route that says nothing else",
        ),
        key(
            "https_port",
            Count(1, 65_535),
            Words("the port of `https`"),
            "the port that clients are sent to",
        ),
        key(
            "admin",
            Address,
            Value("127.0.0.1:9901"),
            "for operators; not on loopback it needs tokens or client certificates in `[admin]`",
        ),
        key(
            "trusted_proxies",
            List,
            Words("nobody"),
            "peers (`\"10.0.0.0/8\"`) whose X-Forwarded-*, Forwarded and X-Request-Id are believed; `\"::ffff:10.0.0.0/104\"` is `10.0.0.0/8`",
        ),
        key(
            "client_address",
            Choice(&["either", "x-forwarded-for", "forwarded"]),
            Value("either"),
            "the header from which the client's address of a trusted proxy is read; `either`: the one that is present. If both are present and name different clients, the client is unknown",
        ),
        key(
            "remove_headers",
            List,
            Words("what security.md lists"),
            "more headers to drop from requests of clients that are not trusted proxies: `\"x-team\"`, `\"x-internal-*\"`",
        ),
        key(
            "keep_headers",
            List,
            Words("none"),
            "headers to keep that the gateway would drop for their meaning or for their name: `\"x-http-method-override\"`, `\"api_key\"`, `\"cf-*\"`; not those that the gateway reads or writes itself, such as `x-real-ip`",
        ),
        key(
            "ambiguous_headers",
            Choice(&["drop", "keep"]),
            Value("drop"),
            "headers whose names have `_` or another byte that CGI, WSGI, PHP or Rack fold into `-`",
        ),
        key(
            "path_parameters",
            Choice(&["refuse", "remove", "forward"]),
            Value("refuse"),
            "what happens to `;` in a path, which servlet containers and some WSGI servers read as another path; `remove` takes parameters out before the route lookup",
        ),
        key(
            "strict_paths",
            List,
            Words("`[\"iis\", \"php\", \"cgi\"]`"),
            "families of servers; a path that one of them reads differently from the gateway is refused, see routing.md",
        ),
        key(
            "workers",
            Count(1, 1024),
            Words("the cores of the machine"),
            "threads that serve requests",
        ),
        key(
            "max_connections",
            Count(1, 1_000_000),
            Value("10000"),
            "client connections at once",
        ),
        key(
            "max_head",
            Size("1KiB", "1MiB"),
            Value("64KiB"),
            "the largest request head",
        ),
        key(
            "max_uri",
            Size("64B", "64KiB"),
            Value("16KiB"),
            "the longest path with its query",
        ),
        key(
            "max_query",
            Size("0B", "64KiB"),
            Words("as `max_uri`"),
            "the longest query",
        ),
        key(
            "max_headers",
            Count(1, 100),
            Value("100"),
            "header fields of a request",
        ),
        key(
            "max_body",
            Size("0B", "1024GiB"),
            Value("10MiB"),
            "the largest request body, on routes that say nothing else",
        ),
        key(
            "drain",
            Duration("0s", "1h"),
            Value("30s"),
            "how long exchanges in flight may go on after SIGTERM",
        ),
    ],
};

pub(crate) static TIMEOUTS: Section = Section {
    title: "[timeouts]",
    doc: "How long the gateway waits, for every upstream that says nothing else.",
    keys: &[
        key(
            "head",
            Duration("1ms", "7d"),
            Value("10s"),
            "a client's request head, from its first byte (or the accept) to its last",
        ),
        key(
            "keep_alive",
            Duration("1ms", "7d"),
            Value("60s"),
            "a client connection between two requests",
        ),
        key(
            "connect",
            Duration("1ms", "7d"),
            Value("1s"),
            "a connection to a server",
        ),
        key(
            "first_byte",
            Duration("1ms", "7d"),
            Value("15s"),
            "from the last byte of the request to the first of the response",
        ),
        key(
            "idle",
            Duration("1ms", "7d"),
            Value("60s"),
            "between two reads or writes of a body; how long a WebSocket's end may refuse to read",
        ),
        key(
            "total",
            Duration("1ms", "7d"),
            Value("120s"),
            "a whole exchange; does not bind WebSockets and event streams",
        ),
        key(
            "deadline_header",
            Text,
            Words("no such header"),
            "a request header in which clients say how many milliseconds they will wait; services are told in it what is left. `grpc-timeout` of gRPC requests is always heeded",
        ),
    ],
};

pub(crate) static PLUGINS: Section = Section {
    title: "[plugins]",
    doc: "All plugins together.",
    keys: &[
        key(
            "folder",
            Text,
            Value("plugins.d"),
            "where the components are, relative to the file; a new .wasm here is swapped in",
        ),
        key(
            "instances",
            Count(1, 100_000),
            Value("1000"),
            "sandboxes alive at once, over all plugins",
        ),
        key(
            "cache",
            Text,
            Words("none: compiled at each start"),
            "a directory that keeps machine code between starts, relative to the file; it is made for this user alone (0700), with a key (0600) that the code is signed with",
        ),
    ],
};
