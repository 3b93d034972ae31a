//! Requests that bypass the store, and what it makes invalid there.

use http::{HeaderMap, Response};
use portcullis_exchange::{Exchange, What};

use super::Cache;
use super::key::Place;
use super::status::{Told, Why};
use super::way::{Caching, dress};
use crate::ground::refusal::Refusal;
use crate::observe::record::CacheOutcome;
use crate::observe::trace;
use crate::stages::clearance::Clearance;
use crate::stages::content::Content;
use crate::stages::forward::{Forwarding, forward};
use crate::upstreams::request_body::RequestBody;

/// Forwards what is neither stored nor looked up, on a route that stores.
pub(super) async fn bypass(
    clearance: Clearance,
    x: &mut Exchange,
    body: RequestBody,
    f: Forwarding<'_>,
    caching: Caching<'_>,
) -> Result<Response<Content>, Refusal> {
    let Caching { cache, store } = caching;
    f.journal.record.cache = Some(CacheOutcome::Bypass);
    store.counters.count(CacheOutcome::Bypass);
    trace::ended(trace::step(x, What::Cache, &store.route), "bypass");
    let (mut response, why) = if x.method.is_safe() {
        (forward(clearance, x, body, f).await?, Why::Bypass)
    } else {
        let response = forward_and_invalidate(clearance, x, body, f, cache).await?;
        (response, Why::Method)
    };
    dress(&mut response, store, Told::Forwarded(why, false));
    Ok(response)
}

/// Forwards a request with an unsafe method. Once it has changed something, what is stored of that is invalid, on
/// whichever route.
pub(crate) async fn forward_and_invalidate(
    clearance: Clearance,
    x: &mut Exchange,
    body: RequestBody,
    f: Forwarding<'_>,
    cache: &Cache,
) -> Result<Response<Content>, Refusal> {
    let place = Place::of(x, &f.provenance);
    let response = forward(clearance, x, body, f).await?;
    if response.status().is_success() || response.status().is_redirection() {
        cache.changed(&place, response.headers());
    }
    Ok(response)
}

impl Cache {
    /// Something was changed by a request: what is stored of it, and of what the response points to on the same
    /// host, is not asked for any more (RFC 9111 section 4.4).
    fn changed(&self, place: &Place, response: &HeaderMap) {
        self.invalidate(place);
        for name in [http::header::LOCATION, http::header::CONTENT_LOCATION] {
            for value in response.get_all(name) {
                if let Some(other) = value.to_str().ok().and_then(|text| place.resolve(text)) {
                    self.invalidate(&other);
                }
            }
        }
    }
}
