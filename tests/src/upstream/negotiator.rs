//! An upstream that gives what a request asks for: one small document in the coding, charset, part or type of the
//! client's choice.
//!
//! | of the request | answer |
//! |---|---|
//! | `Accept-Encoding` that allows gzip, or none at all | gzip |
//! | `Range`, `Request-Range` | 206, the first [`PART`] bytes |
//! | `A-IM` | 226 |
//! | `Accept-Charset: utf-16` | UTF-16 |
//! | `Accept: text/html` | the same as a page |
//! | `?anyhow=gzip` | gzip, whatever was asked for |
//! | `?type=TEXT`, more than once | these lines of content-type; `+` stands for a space |
//! | `?status=CODE` | another one than 200 |
//! | `?body=TEXT` | another body than [`DOCUMENT`] |

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};

use crate::reply::Body;
use crate::server::{ANY, Server};

pub const DOCUMENT: &str = r#"{"secret":1,"x":2}"#;
pub const PART: usize = 11;

#[derive(Debug)]
pub struct Negotiator {
    server: Server,
    served: Arc<AtomicUsize>,
}

/// What becomes of the document, step by step.
struct Said {
    status: u16,
    lines: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Negotiator {
    pub async fn start() -> Self {
        let served = Arc::new(AtomicUsize::new(0));
        let count = served.clone();
        let server = Server::start(ANY, move |request: Request<Incoming>| {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = answer(request.uri().query().unwrap_or_default(), request.headers());
            async move { answer }
        });
        Self {
            server: server.await.expect("loopback has free ports"),
            served,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many requests came so far.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

fn answer(query: &str, asked: &HeaderMap) -> Response<Body> {
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
    let all = |name: &'static str| pairs().filter(move |(n, _)| *n == name).map(|(_, v)| v);
    let says = |name: &str, text: &str| {
        let mut lines = asked.get_all(name).iter();
        lines.any(|line| line.to_str().is_ok_and(|line| line.contains(text)))
    };
    let mut said = Said {
        status: all("status")
            .find_map(|code| code.parse().ok())
            .unwrap_or(200),
        lines: vec![
            ("vary", "accept, accept-encoding, accept-charset".to_owned()),
            ("cache-control", "max-age=60".to_owned()),
        ],
        body: all("body").next().unwrap_or(DOCUMENT).as_bytes().to_vec(),
    };
    let mut types: Vec<String> = all("type").map(|t| t.replace('+', " ")).collect();
    if types.is_empty() && says("accept", "text/html") {
        said.body = b"<p>secret</p>".to_vec();
        types.push("text/html".to_owned());
    } else if says("accept-charset", "utf-16") {
        let text = String::from_utf8_lossy(&said.body).into_owned();
        said.body = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        types.push("application/json; charset=utf-16".to_owned());
    } else if types.is_empty() {
        types.push("application/json".to_owned());
    }
    said.lines
        .extend(types.into_iter().map(|text| ("content-type", text)));
    let silent = !asked.contains_key("accept-encoding");
    if silent || says("accept-encoding", "gzip") || all("anyhow").any(|how| how == "gzip") {
        said.body = gzip(&said.body);
        said.lines.push(("content-encoding", "gzip".to_owned()));
    } else if asked.contains_key("range") || asked.contains_key("request-range") {
        let whole = said.body.len();
        said.body.truncate(PART);
        said.status = 206;
        said.lines
            .push(("content-range", format!("bytes 0-{}/{whole}", PART - 1)));
    } else if asked.contains_key("a-im") {
        said.status = 226;
        said.lines.push(("im", "vcdiff".to_owned()));
    }
    said.response()
}

impl Said {
    fn response(self) -> Response<Body> {
        let body = Full::new(Bytes::from(self.body));
        let never = |never: Infallible| match never {};
        let mut response = Response::new(body.map_err(never).boxed());
        *response.status_mut() = StatusCode::from_u16(self.status).expect("tests write statuses");
        for (name, value) in self.lines {
            let value = HeaderValue::from_str(&value).expect("tests write good values");
            let name = HeaderName::from_static(name);
            response.headers_mut().append(name, value);
        }
        response
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
