//! What a plugin answers with.

use serde::Serialize;

use crate::Fault;

/// What a filter decides when it refuses nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Next,
    /// Answer with this; neither later filters nor the upstream see the request.
    Respond(Reply),
}

/// A whole response. The gateway adds framing and content-length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

// === impl Reply ===

impl Reply {
    /// Without headers and body.
    #[must_use]
    pub fn new(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A plain text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Reply {
        Reply::new(status)
            .header("content-type", "text/plain; charset=utf-8")
            .body(text.into())
    }

    /// A value as JSON. Fails only for values that JSON cannot hold, such as maps with keys that are no text.
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Reply, Fault> {
        let body = serde_json::to_vec(value)
            .map_err(|e| Fault::failed(format!("the reply is not JSON: {e}")))?;
        Ok(Reply::new(status)
            .header("content-type", "application/json")
            .body(body))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

impl From<Reply> for Verdict {
    fn from(reply: Reply) -> Verdict {
        Verdict::Respond(reply)
    }
}
