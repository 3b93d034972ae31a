//! An upstream that says the same bytes to every request head, right or wrong, and maybe hangs up.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{ANY, Server};

/// What happens after the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Close,
    Keep,
}

#[derive(Debug)]
pub struct Canned(Server);

impl Canned {
    pub async fn start(bytes: &'static [u8], then: Then) -> Self {
        // A connection that breaks is what some of these answers are for.
        let talk = move |stream| async move { drop(talk(stream, bytes, then).await) };
        Self(
            Server::raw(ANY, talk)
                .await
                .expect("loopback has free ports"),
        )
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

async fn talk(mut stream: TcpStream, bytes: &[u8], then: Then) -> std::io::Result<()> {
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        if !head.windows(4).any(|window| window == b"\r\n\r\n") {
            continue;
        }
        stream.write_all(bytes).await?;
        if then == Then::Close {
            return stream.shutdown().await;
        }
        head.clear();
    }
}
