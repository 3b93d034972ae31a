//! Clients that ask again and again until told to stop, and count. A connection that the gateway closes
//! without having announced it is a failure, and so is any status but the expected one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
    clients: JoinSet<Seen>,
}

#[derive(Debug)]
pub struct Tally {
    pub answered: usize,
    /// One text per failure.
    pub failures: Vec<String>,
    /// Of each answer, shortest first.
    pub times: Vec<Duration>,
}

/// What one client saw.
#[derive(Debug, Default)]
struct Seen {
    failures: Vec<String>,
    times: Vec<Duration>,
}

impl Tally {
    /// The time that 99 of 100 answers did not exceed.
    pub fn p99(&self) -> Duration {
        let at = self.times.len() * 99 / 100;
        self.times.get(at).copied().unwrap_or_default()
    }
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
        let mut tally = Tally {
            answered: 0,
            failures: Vec::new(),
            times: Vec::new(),
        };
        for seen in self.clients.join_all().await {
            tally.failures.extend(seen.failures);
            tally.times.extend(seen.times);
        }
        tally.answered = self.answered.load(Ordering::Relaxed);
        tally.times.sort_unstable();
        tally
    }
}

async fn keep_asking(ask: Ask, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Seen {
    let mut seen = Seen::default();
    let mut client = None;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        match ask_once(&ask, &mut client).await {
            Ok(()) => {
                seen.times.push(began.elapsed());
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                seen.failures.push(error.to_string());
                client = None;
            }
        }
        // Thousands of the same failure say no more than hundreds.
        if seen.failures.len() > 200 {
            break;
        }
    }
    seen
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
