//! The body of a server's response: the connection that it comes over, until it has ended.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use portcullis_exchange::Side;

use crate::ground::body::BoxError;
use crate::ground::trailers;
use crate::upstreams::connection::Connection;
use crate::upstreams::servers::Ticket;

/// A response body, which is the connection that it comes over.
pub struct UpstreamBody {
    /// None once the response has ended and the connection went back.
    connection: Option<Connection>,
    ticket: Ticket,
    idle: Duration,
    deadline: Instant,
}

impl UpstreamBody {
    /// `deadline` ends the whole exchange, `idle` a silence in it.
    pub(crate) fn new(
        connection: Connection,
        ticket: Ticket,
        idle: Duration,
        deadline: Instant,
    ) -> UpstreamBody {
        let mut body = UpstreamBody {
            connection: Some(connection),
            ticket,
            idle,
            deadline,
        };
        body.heard(Instant::now());
        body
    }

    /// The server said something. Where that was the last, the connection goes back if it can serve another request.
    fn heard(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        if !connection.has_ended() {
            connection.alarm().set(self.deadline.min(now + self.idle));
        } else if let Some(connection) = self.connection.take() {
            self.ticket.keep(connection, now);
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        match connection.poll_frame(cx) {
            Poll::Pending => {
                let late = connection.alarm().poll(cx);
                late.map(|()| Some(Err("the server stopped sending".into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                this.heard(Instant::now());
                Poll::Ready(Some(Ok(trailers::checked(frame, Side::Response))))
            }
            Poll::Ready(None) => {
                this.heard(Instant::now());
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.connection = None;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.connection {
            Some(connection) => connection.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
