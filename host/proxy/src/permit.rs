//! Evidence that an exchange may be forwarded.
//!
//! A [`Permit`] can only be made here, from a public route or from what the authenticators and authorizers said;
//! forwarding takes one by value. Forwarding without authorization does not compile.

use std::sync::Arc;

use http::Method;
use portcullis_runtime::{Caller, Exchange, Kind, Target};

use crate::generation::Route;
use crate::refusal::{Reason, Refusal};

/// Granted for one route, method and path.
#[derive(Debug)]
pub struct Permit {
    route: Arc<Route>,
    method: Method,
    target: Target,
}

impl Permit {
    /// Authenticates and authorizes. Authenticators are asked in the order of the chain; the first that finds a
    /// credential of its kind decides. Every authorizer must agree.
    pub async fn obtain(route: &Arc<Route>, x: &mut Exchange) -> Result<Permit, Refusal> {
        if !route.public {
            let caller = authenticate(route, x).await?;
            x.caller = Some(caller.clone());
            for plugin in route.chain.of(Kind::Authorizer) {
                let answer = plugin.authorize(x, &caller).await;
                answer.map_err(|error| Refusal::from_call(plugin.name(), error))?;
            }
        }
        Ok(Permit {
            route: route.clone(),
            method: x.method.clone(),
            target: x.target.clone(),
        })
    }

    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// Says whether an exchange is still the one that was authorized. Filters come after authorization; one that
    /// rewrote the path did so by the operator's will, which the log then shows.
    pub fn rewritten_from(&self, x: &Exchange) -> Option<String> {
        let (before, now) = (self.target.canonical_path(), x.target.canonical_path());
        let same = self.method == x.method && before == now;
        (!same).then(|| format!("authorized as {} {}", self.method, self.target.path()))
    }
}

async fn authenticate(route: &Route, x: &mut Exchange) -> Result<Caller, Refusal> {
    let mut refused: Option<Refusal> = None;
    for plugin in route.chain.of(Kind::Authenticator) {
        let refusal = match plugin.authenticate(x).await {
            Ok(caller) => return Ok(caller),
            Err(error) => Refusal::from_call(plugin.name(), error),
        };
        // The first whose credential is there decides: a bad one is not a reason to look for another.
        if refusal.reason != Reason::Unauthenticated || !refusal.absent {
            return Err(refusal);
        }
        refused = Some(match refused {
            None => refusal,
            Some(first) => merge(first, refusal),
        });
    }
    Err(refused.unwrap_or_else(|| {
        Refusal::new(Reason::Unauthenticated).because("no authenticator on the route")
    }))
}

/// Several challenges in one 401 (RFC 9110 section 11.6.1).
fn merge(mut first: Refusal, second: Refusal) -> Refusal {
    for (name, value) in second.headers.iter() {
        first.headers.append(name, value.clone());
    }
    first.because = match (first.because, second.because) {
        (Some(a), Some(b)) => Some(format!("{a}; {b}")),
        (a, b) => a.or(b),
    };
    first
}
