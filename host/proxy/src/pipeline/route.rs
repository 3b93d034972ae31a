//! A route with everything it names resolved.

use std::sync::Arc;
use std::time::Duration;

use portcullis_config::plan::{Priority, RouteLog};

use crate::observe::exchanges::RouteMetrics;
use crate::stages::answer::Answer;
use crate::stages::cache::RouteStore;
use crate::stages::chain::Chain;
use crate::stages::edge::Entry;
use crate::stages::forward::ForwardRules;
use crate::stages::limits::RouteLimits;
use crate::stages::permit::Door;
use crate::stages::tunnel::SocketRules;
use crate::upstreams::shield::Bulkhead;

/// A route: each stage has its own part.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// As it is written: `/api/users/{id}`.
    pub path: Arc<str>,
    pub chain: Chain,
    pub(crate) door: Door,
    pub(crate) entry: Entry,
    pub(crate) priority: Priority,
    pub(crate) bulkhead: Option<Arc<Bulkhead>>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) limits: RouteLimits,
    /// Bytes of a request body.
    pub(crate) max_body: u64,
    pub(crate) answer: Answer,
    pub(crate) forward: Arc<ForwardRules>,
    pub(crate) sockets: SocketRules,
    /// None: nothing of this route is stored.
    pub cache: Option<Arc<RouteStore>>,
    pub(crate) metrics: RouteMetrics,
    pub(crate) log: RouteLog,
    /// Responses carry `Server-Timing`.
    pub(crate) server_timing: bool,
}
