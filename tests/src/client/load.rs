//! Clients that ask again and again until told to stop, and count. A connection that the gateway closes
//! without having announced it is a failure, and so is any status but the expected one.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::plain::Client;
use crate::wait;

/// Between two requests of a client: a gateway under load, not a machine without a core to spare.
const PAUSE: Duration = Duration::from_millis(2);

/// What a client sees before it gives up: thousands of the same failure say no more than hundreds.
const ENOUGH: usize = 200;

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
    began: Instant,
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
    clients: JoinSet<()>,
}

#[derive(Debug)]
pub struct Tally {
    pub answered: usize,
    /// From the start to the end.
    pub took: Duration,
    /// One text per failure.
    pub failures: Vec<String>,
    /// Of each answer, shortest first.
    pub times: Vec<Duration>,
}

/// What all clients saw.
#[derive(Debug, Default)]
struct Seen {
    answered: AtomicUsize,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    failures: Vec<String>,
    times: Vec<Duration>,
}

impl Tally {
    /// The time that 99 of 100 answers did not exceed.
    pub fn p99(&self) -> Duration {
        let at = self.times.len() * 99 / 100;
        self.times.get(at).copied().unwrap_or_default()
    }

    /// How many answers there were in a second.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub fn per_second(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

impl Load {
    pub fn start(clients: usize, ask: &Ask) -> Self {
        let (stop, seen) = (Arc::default(), Arc::default());
        let mut running = JoinSet::new();
        for _ in 0..clients {
            running.spawn(keep_asking(
                ask.clone(),
                Arc::clone(&stop),
                Arc::clone(&seen),
            ));
        }
        Self {
            began: Instant::now(),
            stop,
            seen,
            clients: running,
        }
    }

    /// Answers as expected so far.
    pub fn answered(&self) -> usize {
        self.seen.answered.load(Ordering::Relaxed)
    }

    /// Waits for so many answers more.
    ///
    /// # Panics
    ///
    /// When they do not come, or something else came; says what.
    pub async fn goes_on(&self, more: usize) {
        let wanted = self.answered() + more;
        wait::until(&format!("{more} more answers to the load"), async || {
            self.fails_nothing();
            self.answered() >= wanted
        })
        .await;
    }

    /// # Panics
    ///
    /// When there was any failure; says which.
    pub fn fails_nothing(&self) {
        let told = self.seen.told();
        assert!(
            told.failures.is_empty(),
            "beside {} answers: {}",
            self.answered(),
            told.shown()
        );
    }

    pub async fn stop(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        std::mem::take(&mut self.clients).join_all().await;
        let told = std::mem::take(&mut *self.seen.told());
        let mut tally = Tally {
            answered: self.seen.answered.load(Ordering::Relaxed),
            took: self.began.elapsed(),
            failures: told.failures,
            times: told.times,
        };
        tally.times.sort_unstable();
        tally
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let told = self.seen.told();
        if std::thread::panicking() && !told.failures.is_empty() {
            eprintln!("--- the load: {}", told.shown());
        }
    }
}

impl Seen {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// How many failures, and the first of them.
    fn shown(&self) -> String {
        let first = &self.failures[..self.failures.len().min(10)];
        format!("{} failures: {}", self.failures.len(), first.join("\n"))
    }
}

async fn keep_asking(ask: Ask, stop: Arc<AtomicBool>, seen: Arc<Seen>) {
    let (mut client, mut failures) = (None, 0);
    while !stop.load(Ordering::Relaxed) && failures < ENOUGH {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        match ask_once(&ask, &mut client).await {
            Ok(()) => {
                seen.told().times.push(began.elapsed());
                seen.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                seen.told().failures.push(error.to_string());
                client = None;
                failures += 1;
            }
        }
    }
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
