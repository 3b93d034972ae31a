//! What gateway.toml says of a route.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Access, AnswerPlan, Compress, ConcurrencyPlan, Cors, Given, HeadLimits, LimitUse, Maintenance,
    MirrorPlan, RouteGuards, RouteLog, WebSocketPlan,
};
use crate::diagnostic::Span;

/// `[[route]]`
#[derive(Debug, Clone)]
pub struct RoutePlan {
    pub name: Arc<str>,
    pub span: Span,
    /// Lower case, without port; `*.example.com` matches any one or more labels. Empty: every host.
    pub hosts: Vec<String>,
    pub path: PathPattern,
    /// Empty: every method.
    pub methods: Vec<String>,
    pub headers: Vec<Condition>,
    pub query: Vec<Condition>,
    pub public: bool,
    /// In the order of the chain.
    pub plugins: Vec<PluginRef>,
    pub answer: AnswerPlan,
    pub mirror: Option<MirrorPlan>,
    pub access: Access,
    pub maintenance: Maintenance,
    /// None: pages of other origins get no permission, and `OPTIONS` is a method like any other.
    pub cors: Option<Cors>,
    pub compress: Option<Arc<Compress>>,
    pub limits: HeadLimits,
    /// Largest request body in bytes.
    pub max_body: u64,
    /// In the order they are asked.
    pub rate_limits: Vec<LimitUse>,
    pub max_concurrent: Vec<ConcurrencyPlan>,
    /// Clients that came in clear text are sent to https.
    pub redirect_https: bool,
    /// Answer with `Server-Timing`: what each plugin took.
    pub server_timing: bool,
    pub websocket: WebSocketPlan,
    pub log: RouteLog,
    /// None: nothing is stored.
    pub cache: Option<RouteCache>,
    pub guards: RouteGuards,
}

#[derive(Debug, Clone)]
pub struct PluginRef {
    pub name: Arc<str>,
    pub span: Span,
    /// What this route leaves the plugin of what it has; None: all of it.
    pub narrowed: Option<Given>,
}

/// A path of a route, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// As written; a prefix is written out, `/a/**`.
    pub text: String,
    pub segments: Vec<Segment>,
    /// Ends in `/**`: this path and everything below it.
    pub open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Literal(String),
    Param(String),
}

/// A condition on a header or a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Header names are lower case.
    pub name: String,
    pub want: Want,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    Present,
    Absent,
    Equals(String),
}

/// `cache = {}` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteCache {
    /// For successes whose freshness the upstream does not state. None: it has to, or its headers hint at it.
    pub ttl: Option<Duration>,
    /// The same for lasting failures such as 404.
    pub negative_ttl: Option<Duration>,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    pub audience: Audience,
    /// A request's own Cache-Control counts.
    pub client_directives: bool,
    /// Answer with `Cache-Status` (RFC 9211).
    pub status: bool,
    /// Take `Surrogate-Key` and `Cache-Tag` out of responses to clients.
    pub hide_tags: bool,
}

/// Who may be given a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The route is public.
    Everyone,
    /// The route has callers, and only the one it was made for gets it again.
    Caller,
    /// The route has callers; they share what the upstream says they may (RFC 9111 section 3.5).
    Callers,
}
