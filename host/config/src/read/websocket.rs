//! `[route.websocket]`

use crate::fields::Fields;
use crate::plan::WebSocketPlan;

pub(super) fn read(fields: &Fields<'_>) -> WebSocketPlan {
    let ping = fields.duration("ping");
    WebSocketPlan {
        max_connections: fields.count_if_given("max_connections"),
        max_per_caller: fields.count_if_given("max_per_caller"),
        max_message: fields.size("max_message"),
        idle: fields.duration("idle"),
        ping: (!ping.is_zero()).then_some(ping),
        pong: fields.duration("pong"),
    }
}
