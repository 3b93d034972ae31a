//! How the connection to the client goes on after a response.

use http::header::{CONNECTION, HeaderValue};
use http::{Response, StatusCode, Version};

use crate::ground::refusal::Refusal;
use crate::observe::watch::Watch;
use crate::stages::content::Content;
use crate::stages::tunnel;

/// What of a request says how its exchange may end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// The version that the client speaks.
    pub(crate) version: Version,
    /// An extended CONNECT (RFC 8441): a 2xx would mean a tunnel.
    pub(crate) connects: bool,
}

impl Ending {
    /// The response after its last stage, as it may end the exchange. `watch`: the progress of the request body.
    pub(crate) fn settle(
        self,
        response: Response<Content>,
        watch: &Watch,
    ) -> Result<Response<Content>, Refusal> {
        let mut response = tunnel::settled(response, self.connects)?;
        let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if self.version < Version::HTTP_2 && !switching && !watch.has_ended() {
            // The rest of the request body will not be read: the connection cannot be used again (RFC 9112 section 9.6).
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Ok(response)
    }
}
