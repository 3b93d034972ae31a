//! What an idle connection takes: resident memory before and after some thousands of them.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Done, Failure};

use super::process;
use super::rows::Row;
use super::running::Programs;

pub(super) const CONNECTIONS: u32 = 4000;
/// Before the first look, so that code and pools that any load needs are not counted.
const WARM_UP: u32 = 64;
/// Files that a process has open besides connections.
const OTHERS: u64 = 200;
/// For what a program does right after a request.
const PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

/// KiB per connection.
pub(super) fn measure(row: &Row, programs: &Programs) -> Done<f64> {
    let running = programs.of(row)?;
    let address = running.address(row);
    let open = |count| {
        let connections = (0..count).map(|_| connection(address, row.path));
        connections
            .collect::<io::Result<Vec<_>>>()
            .map_err(Failure::of(row.key()))
    };
    let warm = open(WARM_UP)?;
    thread::sleep(PAUSE);
    let before = process::memory(running.process)?;
    let idle = open(CONNECTIONS)?;
    thread::sleep(PAUSE);
    let after = process::memory(running.process)?;
    drop((warm, idle));
    Ok((after - before) / f64::from(CONNECTIONS))
}

/// Lets this process, and those that it starts, have as many files open as the system allows.
pub(super) fn raise_limit() -> Done {
    let limit = getrlimit(Resource::Nofile);
    let needed = u64::from(CONNECTIONS) + OTHERS;
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        return Err(Failure::new(format!(
            "this user may have {} files open; {CONNECTIONS} connections need {needed} (ulimit -Hn)",
            limit.maximum.unwrap_or_default()
        )));
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(Failure::of("the limit of open files"))
}

/// One that has had a response and is kept.
fn connection(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut received = Vec::new();
    let mut some = [0; 4096];
    while !complete(&received) {
        match stream.read(&mut some)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => received.extend_from_slice(&some[..n]),
        }
    }
    if received.starts_with(b"HTTP/1.1 200 ") {
        Ok(stream)
    } else {
        Err(io::Error::other("the response is not 200"))
    }
}

/// Whether a response with a length is there to its last byte.
fn complete(received: &[u8]) -> bool {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = received.windows(END.len()).position(|at| at == END) else {
        return false;
    };
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| received.len() >= end + END.len() + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_complete_with_its_last_byte() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert!(complete(response));
        for cut in 0..response.len() {
            assert!(!complete(&response[..cut]), "{cut}");
        }
    }
}
