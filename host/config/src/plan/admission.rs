//! What of a request is believed, and what is not let in.

use portcullis_syntax::PathRules;
use portcullis_syntax::headers::NamePatterns;

/// The keys of `[listen]` that say how a request is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    pub paths: PathRules,
    pub client_from: ClientFrom,
    pub headers: HeaderRules,
}

/// `client_address`: where trusted proxies say who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientFrom {
    /// The one that is there. Where both are, they must name the same client.
    #[default]
    Either,
    XForwardedFor,
    Forwarded,
}

/// Which header fields of clients go no further.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderRules {
    /// `remove_headers`: taken from peers that are no trusted proxies, besides those that always are.
    pub remove: NamePatterns,
    /// `keep_headers`: let in although they would be taken out.
    pub keep: NamePatterns,
    /// `ambiguous_headers = "keep"`
    pub keep_ambiguous: bool,
}
