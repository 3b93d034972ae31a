//! Asking a local server whether it is there.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// The status of a GET.
pub(crate) fn status(address: SocketAddr, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    text.strip_prefix("HTTP/1.1 ")
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::other(format!("{text:?} is no HTTP answer")))
}

/// A page as a whole, on a connection of its own.
pub(crate) fn page(address: SocketAddr, path: &str, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    io::read_to_string(stream)
}

/// Whether a gateway, by its admin address, is ready and has the snapshots of all its plugins.
pub(crate) fn settled(admin: SocketAddr, patience: Duration) -> bool {
    status(admin, "/readyz").is_ok_and(|status| status == 200)
        && page(admin, "/plugins", patience).is_ok_and(|page| {
            page.starts_with("HTTP/1.1 200 ") && !page.contains("until its copy is compiled")
        })
}
