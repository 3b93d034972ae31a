//! The port through which plugins call upstreams. The proxy implements it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

/// One call that the runtime has checked: the upstream is granted; method, path and headers are valid.
#[derive(Debug)]
pub struct Call {
    pub upstream: String,
    /// The URI is in origin form.
    pub request: Request<Bytes>,
    pub timeout: Duration,
    /// Largest answer body in bytes.
    pub max_response: usize,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum OutboundError {
    #[error("the upstream did not answer in time")]
    Timeout,
    #[error("no server of the upstream could be reached: {0}")]
    Connect(String),
    #[error("the answer is larger than allowed")]
    TooLarge,
    #[error("{0}")]
    Other(String),
}

pub type OutboundFuture =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, OutboundError>> + Send>>;

/// Implemented by the proxy for the generation that the exchange leases.
pub trait Outbound: Send + Sync {
    fn call(&self, call: Call) -> OutboundFuture;
}
