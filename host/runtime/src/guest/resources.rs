//! The host's types behind the contract's resources. The bindings are generated over them, so they know no contract.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use portcullis_exchange::{Call, Outbound, OutboundError};
use tokio::task::{JoinError, JoinHandle};

/// Behind `exchange.exchange`. There is one exchange per call, kept in the session, so the handle carries nothing.
#[derive(Debug)]
pub struct Handle;

/// Behind `upstream.pending`: a task of its own, which ends with the instance that began it.
#[derive(Debug)]
pub struct Pending {
    task: JoinHandle<CallResult>,
    done: Option<Result<CallResult, JoinError>>,
}

/// How a call of an upstream ended.
pub(crate) type CallResult = Result<Response<Bytes>, OutboundError>;

impl Pending {
    pub(crate) fn begin(outbound: Arc<dyn Outbound>, call: Call) -> Pending {
        Pending {
            task: tokio::spawn(async move { outbound.call(call).await }),
            done: None,
        }
    }

    /// Ready once the call has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.done.is_none() {
            let Poll::Ready(ended) = Pin::new(&mut self.task).poll(cx) else {
                return Poll::Pending;
            };
            self.done = Some(ended);
        }
        Poll::Ready(())
    }

    /// None if the task ended without a result.
    pub(crate) async fn result(mut self) -> Option<CallResult> {
        poll_fn(|cx| self.poll(cx)).await;
        self.done.take()?.ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.task.abort();
    }
}
