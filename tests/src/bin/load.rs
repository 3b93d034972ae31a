//! A little of everything that the demo can be asked, at a gentle rate, until Ctrl-C or SIGTERM: so that boards have
//! something to show. Prints nothing but what keeps it from asking.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use portcullis_tests::client::Client;
use portcullis_tests::telegram;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Requests to the demo's gateway.toml.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:8080")]
    gateway: SocketAddr,
    /// Requests per second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    rate: u32,
    /// The player who asks.
    #[arg(long, default_value_t = 42)]
    player: u64,
}

/// Method, target, body; each asked by the player unless the route is public.
const REQUESTS: [(&str, &str, &str); 12] = [
    ("GET", "/public/hello", ""),
    ("GET", "/public/news", ""),
    ("GET", "/api/users/42", ""),
    ("GET", "/api/raids", ""),
    ("GET", "/public/news", ""),
    ("GET", "/api/dashboard", ""),
    ("POST", "/api/raids", r#"{"title":"a raid","boost":7}"#),
    ("GET", "/api/players/42", ""),
    // Refused: too many of them, no such route, not allowed, not valid.
    ("GET", "/public/limited", ""),
    ("GET", "/nowhere", ""),
    ("DELETE", "/api/raids/7", ""),
    ("POST", "/api/raids", r#"{"title":""}"#),
];

/// initData is good for a day at most; this is often enough.
const SIGN_EVERY: Duration = Duration::from_secs(600);
/// After a gateway that did not answer.
const PAUSE: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = Arguments::parse();
    let mut ticks = interval(Duration::from_secs(1) / arguments.rate);
    // A gateway that was slow is not punished with a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut signed = (Instant::now(), sign(arguments.player));
    let mut connection = None;
    for (method, target, body) in REQUESTS.into_iter().cycle() {
        ticks.tick().await;
        if signed.0.elapsed() > SIGN_EVERY {
            signed = (Instant::now(), sign(arguments.player));
        }
        let mut headers = Vec::new();
        if !target.starts_with("/public") {
            headers.push(("Authorization", signed.1.as_str()));
        }
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        let request = (method, target, body);
        let asked = ask(arguments.gateway, connection.take(), request, &headers);
        match asked.await {
            Ok(kept) => connection = kept,
            Err(error) => {
                eprintln!("load: {}: {error}", arguments.gateway);
                sleep(PAUSE).await;
            }
        }
    }
}

fn sign(player: u64) -> String {
    let token = std::env::var("BOT_TOKEN").unwrap_or_else(|_| telegram::DEMO_TOKEN.to_owned());
    format!("tma {}", telegram::signed(&token, player))
}

/// Hands back the connection where it stays open.
async fn ask(
    gateway: SocketAddr,
    connection: Option<Client>,
    (method, target, body): (&str, &str, &str),
    headers: &[(&str, &str)],
) -> io::Result<Option<Client>> {
    let mut client = match connection {
        Some(client) => client,
        None => Client::connect(gateway).await?,
    };
    let answer = client.ask(method, target, headers, body.as_bytes()).await?;
    let close = answer
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok((!close).then_some(client))
}
