//! How a WebSocket comes to its end, from a closed list.

use super::frames::Fault;

/// One of the two ends of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What ended a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// This end said Close first.
    Closed(Side),
    /// This end went without a Close.
    Lost(Side),
    /// This end answered no ping.
    Silent(Side),
    /// This end sent what it may not.
    Broke(Side, Fault),
    /// Neither end sent a message.
    Idle,
    /// The gateway is shutting down.
    Draining,
}

/// Close codes (RFC 6455 section 7.4.1).
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const POLICY_VIOLATION: u16 = 1008;
const MESSAGE_TOO_BIG: u16 = 1009;
const INTERNAL_ERROR: u16 = 1011;

// === impl Ending ===

impl Ending {
    /// The metric label and the log field.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Ending::Closed(Side::Client) => "client",
            Ending::Closed(Side::Server) => "server",
            Ending::Lost(Side::Client) => "client_lost",
            Ending::Lost(Side::Server) => "server_lost",
            Ending::Silent(Side::Client) => "client_silent",
            Ending::Silent(Side::Server) => "server_silent",
            Ending::Broke(Side::Client, _) => "client_fault",
            Ending::Broke(Side::Server, _) => "server_fault",
            Ending::Idle => "idle",
            Ending::Draining => "drain",
        }
    }

    /// What each end is told, client first; None where the gateway says nothing of its own.
    pub(super) fn codes(self) -> Option<(u16, u16)> {
        match self {
            // A Close goes on by itself, and an end that is gone looks to the other as if there were no gateway.
            Ending::Closed(_) | Ending::Lost(_) => None,
            Ending::Idle | Ending::Draining | Ending::Silent(Side::Client) => {
                Some((GOING_AWAY, GOING_AWAY))
            }
            Ending::Silent(Side::Server) => Some((INTERNAL_ERROR, GOING_AWAY)),
            Ending::Broke(Side::Client, fault) => Some((fault.code(), GOING_AWAY)),
            Ending::Broke(Side::Server, fault) => Some((INTERNAL_ERROR, fault.code())),
        }
    }

    /// For the log: what was wrong.
    pub(super) fn because(self) -> Option<String> {
        let name = |side| match side {
            Side::Client => "the client",
            Side::Server => "the server",
        };
        match self {
            Ending::Closed(_) => None,
            Ending::Lost(side) => Some(format!("{} left without a Close", name(side))),
            Ending::Silent(side) => Some(format!("{} answered no ping", name(side))),
            Ending::Broke(side, fault) => Some(format!("{}: {}", name(side), fault.text())),
            Ending::Idle => Some("neither end sent a message".into()),
            Ending::Draining => Some("the gateway is shutting down".into()),
        }
    }

    /// Ended otherwise than the two ends wanted.
    pub(super) fn is_broken(self) -> bool {
        matches!(
            self,
            Ending::Lost(_) | Ending::Silent(_) | Ending::Broke(..)
        )
    }
}

impl Fault {
    fn code(self) -> u16 {
        match self {
            Fault::Protocol(_) => PROTOCOL_ERROR,
            Fault::TooBig => MESSAGE_TOO_BIG,
            Fault::Flood => POLICY_VIOLATION,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Fault::Protocol(text) => text,
            Fault::TooBig => "a message is larger than `max_message`",
            Fault::Flood => "too many control frames or empty fragments",
        }
    }
}
