//! Clients that ask again and again until told to stop, and count. A connection that the gateway closes
//! without having announced it is a failure, and so is any status but the expected one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::plain::Client;

/// Between two requests of a client: a gateway under load, not a machine without a core to spare.
const PAUSE: Duration = Duration::from_millis(2);

/// What every client asks.
#[derive(Debug, Clone)]
pub struct Ask {
    pub address: SocketAddr,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub expect: u16,
}

#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: JoinSet<Vec<String>>,
}

#[derive(Debug)]
pub struct Tally {
    pub answered: usize,
    /// One text per failure.
    pub failures: Vec<String>,
}

impl Load {
    pub fn start(clients: usize, ask: &Ask) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let mut running = JoinSet::new();
        for _ in 0..clients {
            running.spawn(keep_asking(ask.clone(), stop.clone(), answered.clone()));
        }
        Self {
            stop,
            answered,
            clients: running,
        }
    }

    /// Answers as expected so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    pub async fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.clients.join_all().await.concat();
        Tally {
            answered: self.answered.load(Ordering::Relaxed),
            failures,
        }
    }
}

async fn keep_asking(ask: Ask, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Vec<String> {
    let mut failures = Vec::new();
    let mut client = None;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(PAUSE).await;
        match ask_once(&ask, &mut client).await {
            Ok(()) => {
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                failures.push(error.to_string());
                client = None;
            }
        }
        // Thousands of the same failure say no more than hundreds.
        if failures.len() > 200 {
            break;
        }
    }
    failures
}

async fn ask_once(ask: &Ask, client: &mut Option<Client>) -> io::Result<()> {
    let mut kept = match client.take() {
        Some(kept) => kept,
        None => Client::connect(ask.address).await?,
    };
    let headers: Vec<_> = ask
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let answer = kept.ask("GET", &ask.target, &headers, b"").await?;
    if answer.status != ask.expect {
        return Err(io::Error::other(format!(
            "status {}: {}",
            answer.status,
            answer.text()
        )));
    }
    if answer
        .header("connection")
        .is_none_or(|value| !value.eq_ignore_ascii_case("close"))
    {
        *client = Some(kept);
    }
    Ok(())
}
