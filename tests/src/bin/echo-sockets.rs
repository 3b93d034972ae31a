//! WebSocket echo for `cargo xtask bench`: the server behind the proxies, and the load before them, which reports in
//! the words of wrk.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use portcullis_tests::client::websocket::{BINARY, Frame, Socket, switching};
use portcullis_tests::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Repeat every message until killed.
    Serve { address: SocketAddr },
    /// Open sockets, send a message on each, wait for its echo, and again.
    Load {
        /// Such as ws://127.0.0.1:8080/sockets.
        url: String,
        #[arg(long)]
        connections: usize,
        #[arg(long)]
        seconds: u64,
    },
}

/// Bytes of a message; long enough for an extended length.
const SIZE: usize = 1024;
/// A masked header with a length of 16 bits, and one of a server.
const UP: usize = 2 + 2 + 4 + SIZE;
const DOWN: usize = 2 + 2 + SIZE;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().role {
        Role::Serve { address } => serve(address).await,
        Role::Load {
            url,
            connections,
            seconds,
        } => load(&url, connections, Duration::from_secs(seconds)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-sockets: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: SocketAddr) -> io::Result<()> {
    let _server = Server::raw(address, |stream| async {
        // A client that leaves ends its socket; there is nothing to report.
        let _left = repeat(stream).await;
    })
    .await?;
    tokio::signal::ctrl_c().await
}

async fn repeat(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (socket, _) = Socket::accept(stream, |head| switching(head, "")).await?;
    let mut stream = socket.into_stream();
    let mut frame = [0; UP];
    let head = Frame::new(BINARY, vec![0; SIZE]).unmasked().bytes();
    loop {
        stream.read_exact(&mut frame).await?;
        let (front, payload) = frame.split_at_mut(UP - SIZE);
        let mask = [front[4], front[5], front[6], front[7]];
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        frame[4..8].copy_from_slice(&head[..4]);
        stream.write_all(&frame[4..]).await?;
    }
}

async fn load(url: &str, connections: usize, time: Duration) -> io::Result<()> {
    let (address, target) = parse(url)
        .ok_or_else(|| io::Error::other(format!("{url} is not ws://ADDRESS:PORT/TARGET")))?;
    let mut streams = Vec::new();
    for _ in 0..connections {
        let opened = Socket::open(address, &target, &[]).await;
        let socket = opened.map_err(|answer| io::Error::other(format!("{answer:?}")))?;
        streams.push(socket.into_stream());
    }
    let begin = Instant::now();
    let talking: Vec<_> = streams
        .into_iter()
        .map(|stream| tokio::spawn(talk(stream, begin + time)))
        .collect();
    let mut times = Vec::new();
    for talk in talking {
        times.extend(talk.await.map_err(io::Error::other)??);
    }
    let took = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("     50% {}us\n     99% {}us", at(50), at(99));
    println!("  {} requests in {took:.2}s", times.len());
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let per_second = times.len() as f64 / took;
    println!("Requests/sec: {per_second:.2}");
    Ok(())
}

fn parse(url: &str) -> Option<(SocketAddr, String)> {
    let (address, target) = url.strip_prefix("ws://")?.split_once('/')?;
    Some((address.parse().ok()?, format!("/{target}")))
}

/// What each echo took, in microseconds.
async fn talk(mut stream: TcpStream, end: Instant) -> io::Result<Vec<u128>> {
    let message = Frame::new(BINARY, vec![7; SIZE]).bytes();
    let mut echo = [0; DOWN];
    let mut times = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut echo).await?;
        times.push(begin.elapsed().as_micros());
        if echo[4..] != [7; SIZE] {
            return Err(io::Error::other("the echo is not what was sent"));
        }
    }
    Ok(times)
}
