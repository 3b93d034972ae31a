//! What an operation gets: one request, let in and read.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use portcullis_proxy::Gate;
use serde::de::DeserializeOwned;

use crate::answer::Problem;
use crate::gateway::Gateway;

pub(crate) struct Call {
    pub(crate) gateway: Arc<Gateway>,
    /// What the path of the table leaves open, by name, decoded.
    pub(crate) params: Params,
    pub(crate) body: Bytes,
}

/// By name.
pub(crate) type Params = Vec<(String, String)>;

impl Call {
    /// What serves; before that there is nothing to show.
    pub(crate) fn gate(&self) -> Result<&Arc<Gate>, Problem> {
        self.gateway.gate().ok_or_else(|| {
            let text = "configuration and plugins are being loaded; try again in a moment";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "loading", text)
        })
    }

    /// The part of the path that the table calls `{name}`.
    pub(crate) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // A list would do for an object whose members come in order.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::unreadable("the body must be a JSON object"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Problem::unreadable(format!("the body is not as expected: {error}")))
    }

    /// The body as JSON; an empty one says nothing, which is `{}`.
    pub(crate) fn read_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() {
            Ok(T::default())
        } else {
            self.read()
        }
    }
}
