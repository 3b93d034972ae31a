//! How an exchange may end before its last stage.

use http::Response;

use crate::ground::refusal::Refusal;
use crate::stages::content::Content;

/// The end of an exchange before its last stage.
pub(crate) enum Early {
    Refused(Refusal),
    /// A stage has answered: a preflight, or a redirect to https.
    Answered(Box<Response<Content>>),
}

impl From<Refusal> for Early {
    fn from(refusal: Refusal) -> Early {
        Early::Refused(refusal)
    }
}
