//! `[route.websocket]`

use std::time::Duration;

/// What a route allows its WebSockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketPlan {
    /// Sockets open at once; None: no limit.
    pub max_connections: Option<u64>,
    /// Sockets of one caller, or of one client address where the route is public; None: no limit.
    pub max_per_caller: Option<u64>,
    /// Largest message of either end in bytes, as it is on the wire.
    pub max_message: u64,
    /// How long neither end may send a message.
    pub idle: Duration,
    /// An end that was silent for so long is pinged; None: never.
    pub ping: Option<Duration>,
    /// An end that stays silent for so long after a ping is gone.
    pub pong: Duration,
}
