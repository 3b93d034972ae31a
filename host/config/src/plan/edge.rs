//! What is decided at the edge: who may come in, what is answered here, and what is done to answers that leave.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::{Condition, Listen, RoutePlan};

/// Who answers the requests of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerPlan {
    /// A handler among its plugins; checked when the plugins are known.
    Plugin,
    Upstream(Arc<str>),
    Split(SplitPlan),
    Redirect(RedirectPlan),
    Respond(RespondPlan),
}

/// `split = []`, `split_by`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitPlan {
    pub by: SplitBy,
    /// At least two; at least one has a weight.
    pub sides: Vec<SidePlan>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitBy {
    /// A caller stays on one side; where there is none, an address does.
    Caller,
    ClientIp,
    /// Each request anew.
    Request,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidePlan {
    pub upstream: Arc<str>,
    pub weight: u32,
    pub headers: Vec<Condition>,
    pub cookies: Vec<Condition>,
}

/// `redirect = {}`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectPlan {
    pub to: Vec<Piece>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    pub keep_query: bool,
}

/// A piece of the target of a redirect. Scheme and host are always text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// The value of a parameter of the route's path.
    Param(String),
    /// What the `/**` of the route's path stands for.
    Rest,
}

/// `respond = {}`
#[derive(Clone, PartialEq, Eq)]
pub struct RespondPlan {
    pub status: u16,
    /// Valid names in lower case with valid values; with a content type where there is a body.
    pub headers: Vec<(String, String)>,
    pub body: Arc<[u8]>,
}

impl std::fmt::Debug for RespondPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RespondPlan({}, {} bytes)", self.status, self.body.len())
    }
}

/// `access = {}`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Empty: everybody.
    pub allow: Vec<IpNet>,
    /// Wins over `allow`.
    pub deny: Vec<IpNet>,
}

/// `maintenance = {}`; of a route, that of the gateway where it has none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    pub on: bool,
    pub retry_after: Duration,
    /// For clients.
    pub message: Option<String>,
    /// For whom everything is open.
    pub allow: Vec<IpNet>,
}

/// `cors = {}`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    pub origins: Vec<Origin>,
    /// Empty: those of the route.
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    pub expose: Vec<String>,
    /// Never together with [`Origin::Any`].
    pub credentials: bool,
    pub max_age: Duration,
}

/// Whose pages; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Any,
    /// `https://app.example`
    Exact(String),
    /// `https://*.example:8443`: the scheme with `://`, and what follows the star.
    Below(String, String),
    /// `http://localhost:*`: everything up to the star.
    AnyPort(String),
}

/// `[compress]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compress {
    /// The gateway's order of preference.
    pub encodings: Vec<Encoding>,
    pub types: Vec<TypePattern>,
    pub min_size: u64,
    pub level: Level,
    /// Answers being compressed at once.
    pub concurrent: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    Brotli,
    Zstd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Fast,
    Balanced,
    Small,
}

/// A content type with at most one `*`, as what precedes and what follows it; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypePattern {
    Exact(String),
    Around(String, String),
}

/// What a request head may have, of a route or of `[listen]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Names and values of all header fields together, in bytes.
    pub head: usize,
    /// Path and query.
    pub uri: usize,
    pub query: usize,
    /// Header fields.
    pub headers: usize,
}

/// `mirror = {}`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorPlan {
    pub upstream: Arc<str>,
    /// In per cent, 1 to 100.
    pub share: u32,
    pub max_body: usize,
    pub in_flight: usize,
}

impl Listen {
    pub fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            head: self.max_head,
            uri: self.max_uri,
            query: self.max_query,
            headers: self.max_headers,
        }
    }
}

impl AnswerPlan {
    /// Where requests are forwarded, at a split its first side.
    pub(crate) fn first_upstream(&self) -> Option<&str> {
        match self {
            AnswerPlan::Upstream(name) => Some(name),
            AnswerPlan::Split(split) => split.sides.first().map(|side| &*side.upstream),
            AnswerPlan::Plugin | AnswerPlan::Redirect(_) | AnswerPlan::Respond(_) => None,
        }
    }
}

impl RoutePlan {
    /// Where requests are forwarded, in words; None where the route answers itself or a plugin does.
    pub fn upstream(&self) -> Option<String> {
        match &self.answer {
            AnswerPlan::Upstream(name) => Some(name.to_string()),
            AnswerPlan::Split(split) => {
                let names: Vec<&str> = split.sides.iter().map(|side| &*side.upstream).collect();
                Some(names.join("|"))
            }
            AnswerPlan::Plugin | AnswerPlan::Redirect(_) | AnswerPlan::Respond(_) => None,
        }
    }

    /// The key that says who answers; None where it is a plugin.
    pub fn answered_by(&self) -> Option<&'static str> {
        match &self.answer {
            AnswerPlan::Plugin => None,
            AnswerPlan::Upstream(_) => Some("upstream"),
            AnswerPlan::Split(_) => Some("split"),
            AnswerPlan::Redirect(_) => Some("redirect"),
            AnswerPlan::Respond(_) => Some("respond"),
        }
    }
}
