//! The listening sockets of the gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_config::plan::Listen;
use portcullis_proxy::{Protocol, Workers};
use portcullis_terminal::Failure;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// One for each protocol that clients may speak.
pub(crate) struct Listeners {
    http: TcpListener,
    h2c: Option<TcpListener>,
    https: Option<TcpListener>,
}

impl Listeners {
    pub(crate) async fn bind(listen: &Listen) -> Result<Listeners, Failure> {
        Ok(Listeners {
            http: bind(listen.http, "listen.http").await?,
            h2c: bind_if_named(listen.h2c, "listen.h2c").await?,
            https: bind_if_named(listen.https, "listen.https").await?,
        })
    }

    /// Hands connections to the workers, at most `most` at a time. Runs until dropped.
    pub(crate) async fn accept(&self, workers: &Workers, most: usize) {
        let slots = Arc::new(Semaphore::new(most));
        tokio::select! {
            () = workers.accept(&self.http, Protocol::Http1, slots.clone()) => {}
            () = accept_if_bound(workers, self.h2c.as_ref(), Protocol::H2c, slots.clone()) => {}
            () = accept_if_bound(workers, self.https.as_ref(), Protocol::Https, slots.clone()) => {}
        }
    }
}

/// `key` of gateway.toml names the address.
pub(crate) async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Trouble(format!(
            "cannot listen on {address} ({key}): {error}. Is another process using it?"
        ))
    })
}

async fn bind_if_named(
    address: Option<SocketAddr>,
    key: &str,
) -> Result<Option<TcpListener>, Failure> {
    match address {
        Some(address) => bind(address, key).await.map(Some),
        None => Ok(None),
    }
}

/// Never returns where there is no such listener.
async fn accept_if_bound(
    workers: &Workers,
    listener: Option<&TcpListener>,
    protocol: Protocol,
    slots: Arc<Semaphore>,
) {
    match listener {
        Some(listener) => workers.accept(listener, protocol, slots).await,
        None => std::future::pending().await,
    }
}
