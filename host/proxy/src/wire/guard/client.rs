//! A client's connection as its socket and its exchanges share it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use portcullis_syntax::wire::Fault;
use tokio::sync::watch;

use crate::wire::tls::Secured;

/// One client connection, shared by its socket and its exchanges.
#[derive(Debug)]
pub struct Client {
    pub peer: SocketAddr,
    /// None: in clear text.
    pub(crate) tls: Option<Secured>,
    pub fault: OnceLock<Fault>,
    /// Exchanges begun.
    pub(super) begun: AtomicU64,
    /// Exchanges being answered: silence of the client is fine.
    in_flight: AtomicUsize,
    /// The connection is a tunnel now; its bytes are not HTTP.
    pub(super) raw: AtomicBool,
    rest: AtomicU8,
    /// Each tunnel holds a receiver: all of them have ended when this is closed. Few connections have tunnels.
    tunnels: OnceLock<watch::Sender<()>>,
}

/// Whether an HTTP/1 connection waits for its next request, and nothing of it has reached hyper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Rest {
    No,
    Waits,
    /// It has waited for a while.
    Long,
}

impl Client {
    pub(crate) fn new(peer: SocketAddr, tls: Option<Secured>) -> Client {
        Client {
            peer,
            tls,
            fault: OnceLock::new(),
            begun: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            raw: AtomicBool::new(false),
            rest: AtomicU8::new(Rest::No as u8),
            tunnels: OnceLock::new(),
        }
    }

    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Begins the next exchange; gives the fault of its message if it has one already.
    pub(crate) fn begin(self: &Arc<Client>) -> (Busy, Option<Fault>) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let message = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let fault = self.fault.get().copied();
        let fault = fault.filter(|fault| fault.message == message);
        (Busy(self.clone()), fault)
    }

    pub fn become_raw(&self) {
        self.raw.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_tunnels(&self) -> bool {
        let tunnels = self.tunnels.get();
        tunnels.is_some_and(|tunnels| tunnels.receiver_count() > 0)
    }

    /// Waits until no tunnel is left.
    pub(crate) async fn without_tunnels(&self) {
        if let Some(tunnels) = self.tunnels.get() {
            tunnels.closed().await;
        }
    }

    pub(crate) fn rest(&self) -> Rest {
        match self.rest.load(Ordering::Relaxed) {
            0 => Rest::No,
            1 => Rest::Waits,
            _ => Rest::Long,
        }
    }

    pub(super) fn set_rest(&self, rest: Rest) {
        self.rest.store(rest as u8, Ordering::Relaxed);
    }

    pub fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }
}

/// An exchange of this client goes on.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Client>);

impl Busy {
    /// For a tunnel to hold: its connection waits until all are dropped.
    pub(crate) fn tunnel(&self) -> watch::Receiver<()> {
        self.0
            .tunnels
            .get_or_init(watch::Sender::default)
            .subscribe()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
