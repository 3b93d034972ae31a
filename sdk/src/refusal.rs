//! What a plugin says when it does not let something pass.

use std::borrow::Cow;

use crate::{Denied, upstream::CallError};

/// A decision against the request, by name. The gateway turns it into a status and a problem document
/// (RFC 9457) that carries the request id.
///
/// ```
/// use portcullis_sdk::Refusal;
///
/// let refusal = Refusal::unauthenticated()
///     .detail("credentials have expired")          // the client reads this
///     .because("auth_date is 90000 s old")          // only the log does
///     .header("www-authenticate", "tma");
/// # let _ = refusal;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) reason: Cow<'static, str>,
    pub(crate) detail: Option<String>,
    pub(crate) because: Option<String>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) members: Vec<(String, String)>,
}

/// Why a callback did not succeed: a decision, or a fault of the plugin's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The request is refused.
    Refuse(Refusal),
    /// The plugin could not do its work: a 500 for the client, the text for the log.
    Failed(String),
}

macro_rules! reasons {
    ($($name:ident = $reason:literal, $status:literal;)*) => {
        $(
            #[doc = concat!("`", $reason, "`, answered with ", $status, ".")]
            #[must_use]
            pub fn $name() -> Refusal {
                Refusal::named($reason)
            }
        )*
    };
}

// === impl Refusal ===

impl Refusal {
    reasons! {
        invalid_request = "invalid-request", "400";
        unauthenticated = "unauthenticated", "401";
        forbidden = "forbidden", "403";
        not_found = "not-found", "404";
        conflict = "conflict", "409";
        too_large = "too-large", "413";
        unsupported_media_type = "unsupported-media-type", "415";
        unprocessable = "unprocessable", "422";
        rate_limited = "rate-limited", "429";
        bad_gateway = "bad-gateway", "502: the upstream's response is not what it has to be, and the client must not get it";
        unavailable = "unavailable", "503";
    }

    /// `unauthenticated`, because the request carries no credential of this authenticator's kind: where a route has
    /// several authenticators, the next one is asked. A credential that is there and wrong is `unauthenticated`.
    #[must_use]
    pub fn absent() -> Refusal {
        Refusal::unauthenticated()
            .detail("credentials are missing")
            .member("absent", true)
    }

    /// By a name that a later gateway knows; today's names have a function each.
    #[must_use]
    pub fn named(reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal {
            reason: reason.into(),
            detail: None,
            because: None,
            headers: Vec::new(),
            members: Vec::new(),
        }
    }

    /// A sentence for the client.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Some(text.into());
        self
    }

    /// A sentence for the gateway's log, never for the client.
    #[must_use]
    pub fn because(mut self, text: impl Into<String>) -> Self {
        self.because = Some(text.into());
        self
    }

    /// A header of the refusal, such as `www-authenticate` or `retry-after`.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// An extension member of the problem document.
    #[must_use]
    pub fn member(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.members.push((name.into(), value.into().to_string()));
        self
    }

    /// The name.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What the client is told, if anything beyond the name.
    pub fn told(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The first header of this name.
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        headers
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_slice())
    }

    /// What the log is told.
    pub fn logged(&self) -> Option<&str> {
        self.because.as_deref()
    }
}

// === impl Fault ===

impl Fault {
    /// The plugin could not do its work.
    pub fn failed(why: impl Into<String>) -> Fault {
        Fault::Failed(why.into())
    }

    /// The refusal, when it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Fault::Refuse(refusal) => Some(refusal),
            Fault::Failed(_) => None,
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::Refuse(refusal)
    }
}

/// A denied change is the plugin's mistake, not the client's.
impl From<Denied> for Fault {
    fn from(denied: Denied) -> Fault {
        Fault::failed(format!("the gateway denied a change: {}", denied.name()))
    }
}

/// An upstream that cannot be had is a 503; a call that should not have been made is the plugin's mistake.
impl From<CallError> for Fault {
    fn from(error: CallError) -> Fault {
        match error {
            CallError::NotGranted | CallError::Budget | CallError::Invalid(_) => {
                Fault::failed(error.to_string())
            }
            CallError::Timeout
            | CallError::Connect(_)
            | CallError::TooLarge
            | CallError::Cancelled
            | CallError::Other(_) => Refusal::unavailable().because(error.to_string()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_what_it_was_told() {
        let refusal = Refusal::rate_limited()
            .detail("slower")
            .because("7/s")
            .header("retry-after", "3")
            .member("n", 7);
        assert_eq!(refusal.reason(), "rate-limited");
        assert_eq!(
            (refusal.told(), refusal.logged()),
            (Some("slower"), Some("7/s"))
        );
        assert_eq!(refusal.headers, [("retry-after".to_owned(), b"3".to_vec())]);
        assert_eq!(refusal.members, [("n".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn a_denied_change_is_the_plugins_fault() {
        assert_eq!(
            Fault::from(Denied::Forbidden),
            Fault::failed("the gateway denied a change: forbidden")
        );
    }

    #[test]
    fn an_upstream_that_cannot_be_had_is_unavailable() {
        assert_eq!(
            Fault::from(CallError::Timeout)
                .refusal()
                .map(Refusal::reason),
            Some("unavailable")
        );
        assert_eq!(Fault::from(CallError::NotGranted).refusal(), None);
    }
}
