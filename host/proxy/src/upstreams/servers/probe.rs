//! One check of one server, over a connection of its own: that a new one can be opened is part of being well.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use portcullis_config::plan::{HealthPlan, Probe};

use super::Server;
use crate::wire::link::{self, Link, Speaks};
use crate::wire::tls::{Dialled, Stream, reach};

const AGENT: &str = "portcullis-health";
/// The most of an answer that is read.
const LIMIT: usize = 64 * 1024;
/// `HealthCheckResponse.ServingStatus.SERVING` of grpc.health.v1.
const SERVING: u64 = 1;

/// Ok: the server is well. What is wrong otherwise, in words. The caller bounds the time.
pub(super) async fn ask(plan: &HealthPlan, server: &Server) -> Result<(), String> {
    let address = match (plan.port, server.address.rsplit_once(':')) {
        (Some(port), Some((host, _))) => Cow::Owned(format!("{host}:{port}")),
        _ => Cow::Borrowed(&*server.address),
    };
    match &plan.probe {
        Probe::Tcp => reach(&address).await.map(drop).map_err(told),
        Probe::Http { path, host, status } => {
            let host = host.as_deref().unwrap_or(&server.host);
            let found = http(server, &address, path, host).await?.as_u16();
            let fits = status
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&found));
            if fits {
                Ok(())
            } else {
                Err(format!("status {found}"))
            }
        }
        Probe::Grpc { service, host } => {
            let host = host.as_deref().unwrap_or(&server.host);
            grpc(server, &address, service, host).await
        }
    }
}

async fn http(
    server: &Server,
    address: &str,
    path: &str,
    host: &str,
) -> Result<StatusCode, String> {
    let dialled = server.dial.reach(address, &server.host).await;
    let Dialled { stream, h2 } = dialled.map_err(told)?;
    let request = Request::get(path).header(USER_AGENT, AGENT);
    let (request, speaks) = if h2 {
        let uri = format!("{}://{host}{path}", server.dial.scheme());
        (request.uri(uri).version(Version::HTTP_2), Speaks::Http2)
    } else {
        (request.header(HOST, host), Speaks::Http1)
    };
    let request = request.body(Full::default()).map_err(told)?;
    let mut link = Link::over(stream, speaks).await.map_err(told)?;
    let response = link.send(request).await.map_err(told)?;
    Ok(response.status())
}

/// gRPC is HTTP/2: in clear text with prior knowledge, over TLS where the server agrees.
async fn grpc_stream(server: &Server, address: &str) -> Result<Stream, String> {
    let dialled = server
        .dial
        .reach(address, &server.host)
        .await
        .map_err(told)?;
    if !dialled.h2 && server.dial.scheme() == "https" {
        return Err("the server does not speak HTTP/2 (ALPN)".to_owned());
    }
    Ok(dialled.stream)
}

/// grpc.health.v1.Health/Check (github.com/grpc/grpc, doc/health-checking.md).
async fn grpc(server: &Server, address: &str, service: &str, host: &str) -> Result<(), String> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!(
            "{}://{host}/grpc.health.v1.Health/Check",
            server.dial.scheme()
        ))
        .version(Version::HTTP_2)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, AGENT)
        .body(Full::new(question(service)))
        .map_err(told)?;
    let stream = grpc_stream(server, address).await?;
    let link = Link::over(stream, Speaks::Http2).await;
    let mut link = link.map_err(told)?;
    let response = link.send(request).await.map_err(told)?;
    read(response).await
}

async fn read(response: http::Response<Incoming>) -> Result<(), String> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(format!("status {}", head.status.as_u16()));
    }
    // Without a message the status stands in the head.
    refused(&head.headers)?;
    let body = link::read(body, LIMIT).await.map_err(told)?;
    if let Some(trailers) = body.trailers() {
        refused(trailers)?;
    }
    match serving_status(&body.to_bytes()) {
        Some(SERVING) => Ok(()),
        Some(status) => Err(format!("serving status {status}")),
        None => Err("not an answer of grpc.health.v1".to_owned()),
    }
}

fn refused(headers: &HeaderMap) -> Result<(), String> {
    match headers.get("grpc-status") {
        Some(status) if status != "0" => Err(format!(
            "grpc-status {}",
            String::from_utf8_lossy(status.as_bytes())
        )),
        _ => Ok(()),
    }
}

/// `HealthCheckRequest { string service = 1 }`, framed (gRPC over HTTP/2: not compressed, length, message).
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(&message);
    framed.freeze()
}

/// `HealthCheckResponse { ServingStatus status = 1 }`. None: it is none.
fn serving_status(framed: &[u8]) -> Option<u64> {
    let (head, message) = framed.split_at_checked(5)?;
    let length = u32::from_be_bytes(head.get(1..)?.try_into().ok()?);
    if head[0] != 0 || u32::try_from(message.len()).ok()? != length {
        return None;
    }
    match message {
        // Nothing written is the first of the enumeration: UNKNOWN.
        [] => Some(0),
        [0x08, rest @ ..] => varint(rest),
        _ => None,
    }
}

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn varint(bytes: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_a_framed_message() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("a.B")[..], b"\0\0\0\0\x05\x0a\x03a.B");
        let long = "x".repeat(200);
        assert_eq!(&question(&long)[..8], [0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn an_answer_is_read_or_is_none() {
        let table: [(&[u8], Option<u64>); 8] = [
            (&[0, 0, 0, 0, 2, 8, 1], Some(1)),
            (&[0, 0, 0, 0, 2, 8, 2], Some(2)),
            (&[0, 0, 0, 0, 0], Some(0)),
            (&[0, 0, 0, 0, 3, 8, 1], None),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 2, 8, 0x81], None),
            (&[0, 0, 0, 0, 2, 16, 1], None),
            (&[], None),
        ];
        for (bytes, status) in table {
            assert_eq!(serving_status(bytes), status, "{bytes:?}");
        }
    }
}
