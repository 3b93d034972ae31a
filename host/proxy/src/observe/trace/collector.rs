//! One connection to the collector, and a request on it: OTLP over HTTP/1.1 (OTLP specification, OTLP/HTTP) or over
//! HTTP/2 as gRPC.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use portcullis_config::plan::{Protocol, TraceProtocol, TracesPlan};
use prost::Message;

use crate::wire::link::{self, Link, Speaks};
use crate::wire::tls::{Dial, DialParts, TlsParts};

pub(super) struct Collector {
    dial: Dial,
    address: String,
    protocol: TraceProtocol,
    uri: String,
    headers: HeaderMap,
    link: Option<Link>,
}

/// A batch was not taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) text: String,
    pub(super) may_be_taken_later: bool,
}

const SERVICE: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Bytes of an answer.
const MOST: usize = 64 * 1024;

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collector({})", self.address)
    }
}

impl Collector {
    pub(super) fn new(plan: &TracesPlan) -> Result<Collector, String> {
        let endpoint = &plan.endpoint;
        let (grpc, tls) = (plan.protocol == TraceProtocol::Grpc, endpoint.tls);
        let tls = if tls {
            Some(TlsParts::of_the_system().map_err(|error| error.to_string())?)
        } else {
            None
        };
        let protocol = if grpc {
            Protocol::Http2
        } else {
            Protocol::Http1
        };
        let scheme = if endpoint.tls { "https" } else { "http" };
        Ok(Collector {
            dial: Dial::new(DialParts { protocol, tls })?,
            address: endpoint.address.clone(),
            protocol: plan.protocol,
            uri: if grpc {
                format!("{scheme}://{}{SERVICE}", endpoint.address)
            } else {
                endpoint.path.clone()
            },
            headers: headers(plan),
            link: None,
        })
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.protocol == TraceProtocol::Grpc
    }

    pub(super) async fn post(
        &mut self,
        message: Bytes,
    ) -> Result<ExportTraceServiceResponse, Refused> {
        let mut request = Request::new(Full::new(message));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.parse().map_err(Refused::for_good)?;
        *request.headers_mut() = self.headers.clone();
        let mut link = match self.link.take() {
            Some(link) if link.is_open() => link,
            _ => self.connect().await?,
        };
        let response = link.send(request).await.map_err(Refused::for_now)?;
        let (head, body) = response.into_parts();
        let body = link::read(body, MOST).await.map_err(Refused::for_now)?;
        // A body that came whole leaves a connection that can be used again.
        self.link = Some(link);
        let trailers = body.trailers().cloned().unwrap_or_default();
        let bytes = body.to_bytes();
        match self.protocol {
            TraceProtocol::Grpc => judge_grpc(head.status, &head.headers, &trailers, &bytes),
            TraceProtocol::Http => judge_http(head.status, &bytes),
        }
    }

    async fn connect(&self) -> Result<Link, Refused> {
        let dialled = self.dial.reach(&self.address, &self.address).await;
        let speaks = match self.protocol {
            TraceProtocol::Http => Speaks::Http1,
            TraceProtocol::Grpc => Speaks::Http2,
        };
        let stream = dialled.map_err(Refused::for_now)?.stream;
        Link::over(stream, speaks).await.map_err(Refused::for_now)
    }
}

fn headers(plan: &TracesPlan) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &plan.headers {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value.expose())) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    let own = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(own));
    let media = match plan.protocol {
        TraceProtocol::Grpc => {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            "application/grpc"
        }
        TraceProtocol::Http => {
            if let Ok(host) = HeaderValue::from_str(&plan.endpoint.address) {
                headers.insert(HOST, host);
            }
            "application/x-protobuf"
        }
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers
}

/// OTLP/HTTP: these four may be tried again.
fn judge_http(status: StatusCode, body: &[u8]) -> Result<ExportTraceServiceResponse, Refused> {
    if status.is_success() {
        return Ok(ExportTraceServiceResponse::decode(body).unwrap_or_default());
    }
    Err(Refused {
        text: format!("it answered {status}"),
        may_be_taken_later: matches!(status.as_u16(), 429 | 502 | 503 | 504),
    })
}

/// The status stands in the trailers, or in the head where there is no message. OTLP/gRPC names those that may be tried
/// again.
fn judge_grpc(
    status: StatusCode,
    head: &HeaderMap,
    trailers: &HeaderMap,
    body: &[u8],
) -> Result<ExportTraceServiceResponse, Refused> {
    const LATER: [&str; 7] = ["1", "4", "8", "10", "11", "14", "15"];
    let code = trailers.get(GRPC_STATUS).or(head.get(GRPC_STATUS));
    let code = code.and_then(|code| code.to_str().ok());
    match code {
        Some("0") => {
            let message = body.get(5..).unwrap_or_default();
            Ok(ExportTraceServiceResponse::decode(message).unwrap_or_default())
        }
        Some(code) => Err(Refused {
            text: format!("it answered with the gRPC status {code}"),
            may_be_taken_later: LATER.contains(&code),
        }),
        None => Err(Refused {
            text: format!("it answered {status} and does not speak gRPC"),
            may_be_taken_later: matches!(status.as_u16(), 429 | 502 | 503 | 504),
        }),
    }
}

// === impl Refused ===

impl Refused {
    pub(super) fn for_now(text: impl ToString) -> Refused {
        Refused {
            text: text.to_string(),
            may_be_taken_later: true,
        }
    }

    fn for_good(text: impl ToString) -> Refused {
        Refused {
            text: text.to_string(),
            may_be_taken_later: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of the OTLP specification (OTLP/HTTP and OTLP/gRPC, failures).
    #[test]
    fn a_batch_is_sent_again_only_where_the_protocol_says_that_it_may() {
        let http = [
            (400, false),
            (404, false),
            (429, true),
            (500, false),
            (502, true),
            (503, true),
            (504, true),
        ];
        for (status, later) in http {
            let status = StatusCode::from_u16(status).expect("a status");
            let refused = judge_http(status, b"").expect_err("no success");
            assert_eq!(refused.may_be_taken_later, later, "{status}");
        }
        assert!(judge_http(StatusCode::OK, b"no protobuf at all").is_ok());
        for (code, later) in [
            ("3", false),
            ("7", false),
            ("12", false),
            ("14", true),
            ("4", true),
            ("?", false),
        ] {
            let headers: HeaderMap = [(GRPC_STATUS, HeaderValue::from_static(code))]
                .into_iter()
                .collect();
            let none = HeaderMap::new();
            // In the trailers, or in the head where there is nothing else.
            for (head, trailers) in [(&none, &headers), (&headers, &none)] {
                let refused = judge_grpc(StatusCode::OK, head, trailers, b"");
                assert_eq!(
                    refused.expect_err("no success").may_be_taken_later,
                    later,
                    "{code}"
                );
            }
        }
        let good: HeaderMap = [(GRPC_STATUS, HeaderValue::from_static("0"))]
            .into_iter()
            .collect();
        assert!(judge_grpc(StatusCode::OK, &HeaderMap::new(), &good, b"\0\0\0\0\0").is_ok());
        let silent = judge_grpc(
            StatusCode::NOT_FOUND,
            &HeaderMap::new(),
            &HeaderMap::new(),
            b"",
        );
        assert!(!silent.expect_err("no gRPC").may_be_taken_later);
    }
}
