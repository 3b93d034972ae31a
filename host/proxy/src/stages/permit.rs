//! Evidence that an exchange was authorized.
//!
//! A [`Permit`] can only be made here, from a public route or from what the authenticators and authorizers said.
//! Running a handler and forwarding take a [`crate::stages::clearance::Clearance`], which takes a permit.

use http::Method;
use portcullis_exchange::{Caller, Exchange, Target};
use portcullis_runtime::Kind;

use crate::ground::refusal::{Reason, Refusal};
use crate::stages::chain::Chain;

/// Who may ask on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Everybody.
    Public,
    /// Callers that an authenticator knows and every authorizer agrees to.
    Callers,
}

/// Granted for one exchange, by its method and path.
#[derive(Debug)]
pub(crate) struct Permit {
    method: Method,
    target: Target,
}

impl Permit {
    /// Authenticates and authorizes. Authenticators are asked in the order of the chain; the first that finds a
    /// credential of its kind decides. Every authorizer must agree.
    pub(crate) async fn obtain(
        door: Door,
        chain: &Chain,
        x: &mut Exchange,
    ) -> Result<Permit, Refusal> {
        if door == Door::Callers {
            // Boxed, so that no request of a public route carries its size.
            Box::pin(ask(chain, x)).await?;
        }
        Ok(Permit {
            method: x.method.clone(),
            target: x.target.clone(),
        })
    }

    /// Says whether an exchange is still the one that was authorized. Filters come after authorization; one that
    /// rewrote the path did so by the operator's will, which the log then shows.
    pub(crate) fn rewritten_from(&self, x: &Exchange) -> Option<String> {
        let (before, now) = (self.target.canonical_path(), x.target.canonical_path());
        let same = self.method == x.method && before == now;
        (!same).then(|| format!("authorized as {} {}", self.method, self.target.path()))
    }
}

/// Asks the plugins who the caller is, and whether the caller may.
async fn ask(chain: &Chain, x: &mut Exchange) -> Result<(), Refusal> {
    let caller = authenticate(chain, x).await?;
    x.caller = Some(caller.clone());
    for plugin in chain.of(Kind::Authorizer) {
        let answer = plugin.authorize(x, &caller).await;
        answer.map_err(|error| Refusal::from_call(plugin.name(), error))?;
    }
    Ok(())
}

async fn authenticate(chain: &Chain, x: &mut Exchange) -> Result<Caller, Refusal> {
    let mut refused: Option<Refusal> = None;
    for plugin in chain.of(Kind::Authenticator) {
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
