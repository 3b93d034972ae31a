//! How requests are admitted: whom the gateway believes, and what it drops or refuses.

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
    /// The one that is present. If both are, they must name the same client.
    #[default]
    Either,
    XForwardedFor,
    Forwarded,
}

/// Which header fields the gateway drops.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderRules {
    /// `remove_headers`: dropped from clients that are not trusted proxies, besides the built-in list.
    pub remove: NamePatterns,
    /// `keep_headers`: exceptions from both lists.
    pub keep: NamePatterns,
    /// `ambiguous_headers = "keep"`
    pub keep_ambiguous: bool,
}
