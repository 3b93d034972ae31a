//! What is measured: one row per program and kind of request.

use crate::scale;

/// What a row runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Gateway,
    /// The gateway, with 10,000 routes.
    Scale,
    Nginx,
    Haproxy,
}

/// What a client does in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// GET, with a response of 1 KiB.
    Request,
    /// The same with an Authorization header of some 270 bytes.
    WithCredential,
    /// A message of 1 KiB on a WebSocket, and its echo.
    Message,
    /// GET with HTTP/2 over TLS, sent by h2load.
    Http2,
}

#[derive(Debug)]
pub(super) struct Row {
    /// In the numbers and on the command line.
    pub(super) name: &'static str,
    /// In tables.
    pub(super) about: &'static str,
    pub(super) program: Program,
    pub(super) path: &'static str,
    pub(super) ask: Ask,
    /// A header that the response has only if the gateway did what the row is about.
    pub(super) proof: Option<&'static str>,
    /// Whether `--check` compares it with the committed number.
    pub(super) checked: bool,
}

/// The response header that the headers filter sets.
pub(super) const STAMP: &str = "x-b";

/// The gateway with many routes.
pub(crate) const SCALE: &str = "plain-10000-routes";

/// In the order of the tables.
pub(super) const ROWS: [Row; 14] = [
    checked("plain", "no plugin", "/plain", Ask::Request),
    gateway(
        "plain-credential",
        "no plugin, Authorization header of some 270 bytes",
        "/plain",
        Ask::WithCredential,
    ),
    Row {
        program: Program::Scale,
        ..checked(
            SCALE,
            "no plugin, among 10,000 routes, 1,000 upstreams and 1,000 uses of plugins",
            scale::PATH,
            Ask::Request,
        )
    },
    proven(
        checked(
            "headers-kept",
            "headers filter on request and response, kept",
            "/hk",
            Ask::Request,
        ),
        STAMP,
    ),
    proven(
        checked(
            "headers-fresh",
            "headers filter on request and response, fresh",
            "/hf",
            Ask::Request,
        ),
        STAMP,
    ),
    gateway(
        "telegram-kept",
        "telegram-auth, kept",
        "/kept",
        Ask::WithCredential,
    ),
    gateway(
        "telegram-fresh",
        "telegram-auth, fresh",
        "/fresh",
        Ask::WithCredential,
    ),
    proven(
        gateway(
            "chain-kept",
            "telegram-auth, rbac and headers, kept",
            "/chain",
            Ask::WithCredential,
        ),
        STAMP,
    ),
    proven(
        checked("cached", "cached hit", "/stored", Ask::Request),
        "age",
    ),
    checked(
        "websocket",
        "WebSocket message of 1 KiB and its echo",
        "/sockets",
        Ask::Message,
    ),
    checked("h2-tls", "HTTP/2 over TLS", "/plain", Ask::Http2),
    peer("nginx", Program::Nginx, "plain proxying", Ask::Request),
    peer("haproxy", Program::Haproxy, "plain proxying", Ask::Request),
    peer(
        "nginx-h2-tls",
        Program::Nginx,
        "nginx, HTTP/2 over TLS",
        Ask::Http2,
    ),
];

const fn gateway(name: &'static str, about: &'static str, path: &'static str, ask: Ask) -> Row {
    Row {
        name,
        about,
        program: Program::Gateway,
        path,
        ask,
        proof: None,
        checked: false,
    }
}

const fn checked(name: &'static str, about: &'static str, path: &'static str, ask: Ask) -> Row {
    Row {
        checked: true,
        ..gateway(name, about, path, ask)
    }
}

const fn proven(row: Row, proof: &'static str) -> Row {
    Row {
        proof: Some(proof),
        ..row
    }
}

const fn peer(name: &'static str, program: Program, about: &'static str, ask: Ask) -> Row {
    Row {
        program,
        ..gateway(name, about, "/plain", ask)
    }
}

// === impl Row ===

impl Row {
    pub(super) fn named(name: &str) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.name == name)
    }
}

// === impl Program ===

impl Program {
    pub(super) const ALL: [Program; 4] = [
        Program::Gateway,
        Program::Scale,
        Program::Nginx,
        Program::Haproxy,
    ];

    pub(super) fn is_gateway(self) -> bool {
        matches!(self, Program::Gateway | Program::Scale)
    }

    /// In tables and file names; of a peer, also on the command line.
    pub(super) fn command(self) -> &'static str {
        match self {
            Program::Gateway => "gateway",
            Program::Scale => "gateway-scale",
            Program::Nginx => "nginx",
            Program::Haproxy => "haproxy",
        }
    }
}
