//! The body of a server's response, together with the connection that it comes over.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use portcullis_exchange::Side;
use tokio::time::Sleep;

use crate::ground::body::BoxError;
use crate::ground::trailers;
use crate::upstreams::connection::Connection;
use crate::upstreams::servers::Ticket;

/// A response body, together with the connection that it comes over.
pub struct UpstreamBody {
    incoming: Incoming,
    /// None once the response has ended and the connection went back.
    connection: Option<Connection>,
    ticket: Ticket,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    last: Instant,
    deadline: Instant,
}

impl UpstreamBody {
    /// `deadline` ends the whole exchange, `idle` a silence in it.
    pub(crate) fn new(
        incoming: Incoming,
        connection: Connection,
        ticket: Ticket,
        timer: Pin<Box<Sleep>>,
        idle: Duration,
        deadline: Instant,
    ) -> UpstreamBody {
        let mut body = UpstreamBody {
            incoming,
            connection: Some(connection),
            ticket,
            idle,
            timer,
            last: Instant::now(),
            deadline,
        };
        if body.incoming.is_end_stream() {
            body.recycle();
        }
        body
    }

    /// Gives the connection back if it can serve another request.
    fn recycle(&mut self) {
        let idle = self.connection.take().and_then(Connection::into_idle);
        if let Some(connection) = idle {
            self.ticket.keep(connection);
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<BoxError> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let deadline = self.deadline.min(self.last + self.idle);
            if deadline <= Instant::now() {
                return Poll::Ready("the server stopped sending".into());
            }
            self.timer.as_mut().reset(deadline.into());
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
        let mut frame = Pin::new(&mut this.incoming).poll_frame(cx);
        if frame.is_pending()
            && let Some(connection) = &mut this.connection
        {
            // Asking for a frame is what makes the driver read one.
            if connection.poll_driver(cx).is_ready() {
                this.connection = None;
            }
            frame = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        match frame {
            Poll::Pending => this.poll_timer(cx).map(|error| Some(Err(error))),
            Poll::Ready(None) => {
                this.recycle();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.connection = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                this.last = Instant::now();
                if this.incoming.is_end_stream() {
                    this.recycle();
                }
                Poll::Ready(Some(Ok(trailers::checked(frame, Side::Response))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
