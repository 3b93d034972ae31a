//! Answers that come piece by piece, over HTTP/1.1 or HTTP/2.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A piece that does not come fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
pub enum Version {
    Http1,
    Http2,
}

/// An answer whose body is still coming. Dropped: the connection is closed.
#[derive(Debug)]
pub struct Stream {
    pub head: Response<()>,
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Stream {
    /// GETs `target` on a connection of its own.
    pub async fn get(
        address: SocketAddr,
        version: Version,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let tcp = TcpStream::connect(address)
            .await
            .expect("the gateway listens");
        let mut request = Request::get(format!("http://gate.test{target}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request
            .body(Empty::<Bytes>::new())
            .expect("a valid request");
        let (answer, connection) = match version {
            Version::Http1 => {
                let host = request.headers_mut().entry("host");
                host.or_insert("gate.test".parse().expect("a value"));
                *request.uri_mut() = target.parse().expect("a target");
                let (mut sender, driver) = http1::handshake(TokioIo::new(tcp)).await.expect("TCP");
                let connection = tokio::spawn(async { drop(driver.await) });
                (
                    timeout(PATIENCE, sender.send_request(request)).await,
                    connection,
                )
            }
            Version::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp));
                let (mut sender, driver) = handshake.await.expect("TCP");
                let connection = tokio::spawn(async { drop(driver.await) });
                (
                    timeout(PATIENCE, sender.send_request(request)).await,
                    connection,
                )
            }
        };
        let (parts, body) = answer.expect("in time").expect("an answer").into_parts();
        Self {
            head: Response::from_parts(parts, ()),
            body,
            connection,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name)?.to_str().ok()
    }

    /// The next piece as text; None at the end, Err when it broke off.
    pub async fn piece(&mut self) -> Result<Option<String>, String> {
        loop {
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("in time");
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(String::from_utf8_lossy(&data).into_owned()));
                    }
                }
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
