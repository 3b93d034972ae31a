//! The upstream of all programs under test: one response, the same bytes each time, so that no other program's version
//! shows in the counts.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use crate::cargo::says;
use crate::{Done, Failure};

use super::client::{BODY, LENGTH};

/// Serves until this process ends; each connection has a thread.
pub(super) fn start() -> Done<SocketAddr> {
    let response = Arc::new(response()?);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::of("the upstream"))?;
    let address = listener.local_addr().map_err(Failure::of("the upstream"))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let response = response.clone();
            thread::spawn(move || {
                // A proxy that leaves ends its connection; there is nothing to report.
                let _left = serve(stream, &response);
            });
        }
    });
    Ok(address)
}

/// The head that nginx would send.
fn response() -> Done<Vec<u8>> {
    let mut date = Command::new("date");
    date.args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"])
        .env("LC_ALL", "C");
    // Of today: a response of yesterday would be no hit of a cache.
    let date = says(&mut date).ok_or_else(|| Failure::new("`date` failed"))?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: {date}\r\n\
         Content-Type: text/plain\r\nContent-Length: {LENGTH}\r\nConnection: keep-alive\r\n\r\n"
    );
    let mut response = head.into_bytes();
    response.resize(response.len() + BODY, b'x');
    Ok(response)
}

/// Answers requests without a body.
fn serve(stream: TcpStream, response: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line == b"\r\n" {
            reader.get_mut().write_all(response)?;
        }
    }
}
