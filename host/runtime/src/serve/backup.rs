//! A message as it was before a filter changed it, for filters that fail open.

use bytes::Bytes;
use http::{HeaderMap, Method};
use portcullis_exchange::{Exchange, ResponseHead, Side, Target};

/// One message as it was before a filter saw it. Bodies are shared, not copied.
pub(crate) enum MessageBackup {
    Request {
        method: Method,
        target: Target,
        headers: HeaderMap,
        body: Option<Bytes>,
    },
    Response {
        head: Option<ResponseHead>,
        body: Option<Bytes>,
    },
}

impl MessageBackup {
    pub(crate) fn of(x: &Exchange, side: Side) -> MessageBackup {
        match side {
            Side::Request => MessageBackup::Request {
                method: x.method.clone(),
                target: x.target.clone(),
                headers: x.request.clone(),
                body: x.request_body.clone(),
            },
            Side::Response => MessageBackup::Response {
                head: x.response.clone(),
                body: x.response_body.clone(),
            },
        }
    }

    pub(crate) fn restore(self, x: &mut Exchange) {
        match self {
            MessageBackup::Request {
                method,
                target,
                headers,
                body,
            } => {
                x.method = method;
                x.target = target;
                x.request = headers;
                x.request_body = body;
            }
            MessageBackup::Response { head, body } => {
                x.response = head;
                x.response_body = body;
            }
        }
    }
}
