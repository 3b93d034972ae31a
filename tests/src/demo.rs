//! The services behind the demo's gateway.toml: users (two instances), raids, mentions. Real HTTP servers,
//! in-process on free ports for tests and on fixed ports for `cargo xtask run`.

mod mentions;
mod raids;
mod users;

use std::io;
use std::net::SocketAddr;

use crate::server::{ANY, Server};

pub use self::users::Seen;

/// Where the services listen.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub users: Vec<SocketAddr>,
    pub raids: SocketAddr,
    pub mentions: SocketAddr,
}

/// The running services; they end when it is dropped.
#[derive(Debug)]
pub struct Demo {
    pub users: Vec<Server>,
    pub raids: Server,
    pub mentions: Server,
}

impl Demo {
    /// On free ports.
    pub async fn start() -> Self {
        let anywhere = Addresses {
            users: vec![ANY, ANY],
            raids: ANY,
            mentions: ANY,
        };
        Self::start_at(&anywhere)
            .await
            .expect("loopback has free ports")
    }

    pub async fn start_at(at: &Addresses) -> io::Result<Self> {
        let registry = users::Registry::default();
        let mut instances = Vec::new();
        for (index, address) in at.users.iter().enumerate() {
            let name = format!("users-{}", index + 1);
            instances.push(users::start(*address, name, registry.clone()).await?);
        }
        Ok(Self {
            users: instances,
            raids: raids::start(at.raids).await?,
            mentions: mentions::start(at.mentions).await?,
        })
    }

    pub fn addresses(&self) -> Addresses {
        Addresses {
            users: self.users.iter().map(Server::address).collect(),
            raids: self.raids.address(),
            mentions: self.mentions.address(),
        }
    }
}
