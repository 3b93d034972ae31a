//! How many WebSockets a route has open, in all and of each caller.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use portcullis_config::plan::WebSocketPlan;
use portcullis_exchange::Exchange;

use crate::ground::refusal::{Reason, Refusal};

/// The counts of one route. They live on over reloads: the sockets do too.
#[derive(Debug, Default)]
pub struct Sockets {
    open: AtomicU64,
    /// Only where a caller's sockets are limited. A lock, because it is held for one look-up in a handshake, never
    /// for an ordinary request.
    callers: Mutex<HashMap<Arc<str>, u64>>,
}

/// A socket's place among those of its route, until dropped.
#[derive(Debug)]
pub(super) struct Slot {
    sockets: Arc<Sockets>,
    caller: Option<Arc<str>>,
}

// === impl Sockets ===

impl Sockets {
    /// Takes a place, or refuses.
    pub(super) fn admit(
        self: &Arc<Self>,
        limits: &WebSocketPlan,
        x: &Exchange,
    ) -> Result<Slot, Refusal> {
        // Counted first, so that two handshakes at once cannot both have the last place; dropped again on refusal.
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let mut slot = Slot {
            sockets: self.clone(),
            caller: None,
        };
        if limits.max_connections.is_some_and(|max| before >= max) {
            return Err(Refusal::new(Reason::SocketsFull)
                .because(format!("the route has {before} open sockets")));
        }
        if let Some(max) = limits.max_per_caller {
            let caller = caller(x);
            let mut callers = self.callers.lock();
            let open = callers.entry(caller.clone()).or_default();
            if *open >= max {
                return Err(Refusal::new(Reason::TooManySockets)
                    .detail(format!("you may have {max} sockets open here")));
            }
            *open += 1;
            slot.caller = Some(caller);
        }
        Ok(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.sockets.open.fetch_sub(1, Ordering::Relaxed);
        let Some(caller) = &self.caller else { return };
        let callers = &self.sockets.callers;
        let mut callers = callers.lock();
        if let Some(open) = callers.get_mut(caller) {
            *open -= 1;
            if *open == 0 {
                callers.remove(caller);
            }
        }
    }
}

/// Who is counted: the caller, or where nobody was asked the client's address, an IPv6 one by its /64 network, of
/// which one client has all.
fn caller(x: &Exchange) -> Arc<str> {
    match (&x.caller, x.client_ip) {
        (Some(caller), _) => caller.id.clone(),
        (None, Some(IpAddr::V6(ip))) => format!("{:x}", ip.to_bits() >> 64).into(),
        (None, Some(IpAddr::V4(ip))) => ip.to_string().into(),
        (None, None) => "".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn limits(max_connections: u64, max_per_caller: u64) -> WebSocketPlan {
        WebSocketPlan {
            max_connections: Some(max_connections),
            max_per_caller: Some(max_per_caller),
            max_message: 1,
            idle: Duration::ZERO,
            ping: None,
            pong: Duration::ZERO,
        }
    }

    fn from(ip: &str) -> Exchange {
        Exchange {
            client_ip: Some(ip.parse().expect("an address")),
            ..Exchange::default()
        }
    }

    #[test]
    fn a_place_is_free_again_once_its_socket_ended_and_never_before() {
        let sockets = Arc::new(Sockets::default());
        let limits = limits(3, 2);
        let admit = |ip| sockets.admit(&limits, &from(ip));
        let reason = |ip| admit(ip).err().map(|refusal| refusal.reason);
        let first = admit("2001:db8::1").expect("room");
        let second = admit("2001:db8::2").expect("room");
        assert_eq!(
            reason("2001:db8::3"),
            Some(Reason::TooManySockets),
            "one network is one caller"
        );
        let third = admit("10.0.0.1").expect("room");
        assert_eq!(reason("10.0.0.2"), Some(Reason::SocketsFull));
        drop(first);
        let again = admit("2001:db8::3").expect("room again");
        drop((second, third, again));
        assert_eq!(sockets.open.load(Ordering::Relaxed), 0);
        assert!(sockets.callers.lock().is_empty());
    }
}
