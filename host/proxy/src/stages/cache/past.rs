//! What goes past the store, and what it makes invalid there.

use http::{HeaderMap, Response};
use portcullis_runtime::{Exchange, What};

use super::key::Place;
use super::status::{Told, Why};
use super::way::dress;
use super::{Cache, Outcome};
use crate::ground::refusal::Refusal;
use crate::observe::trace;
use crate::stages::body::{Content, RequestBody};
use crate::stages::forward::{Forwarding, forward};
use crate::stages::permit::Permit;

/// Forwards what is neither stored nor looked up; a change of something makes what is stored of it invalid.
pub(super) async fn past(
    permit: Permit,
    x: &mut Exchange,
    body: RequestBody,
    f: Forwarding<'_>,
) -> Result<Response<Content>, Refusal> {
    let (cache, route) = (f.worker.gate.cache.clone(), permit.route().clone());
    let changes = (!x.method.is_safe()).then(|| Place::of(x, &f.provenance));
    if let Some(store) = &route.cache {
        f.journal.cache = Some(Outcome::Bypass);
        store.figures.count(Outcome::Bypass);
        trace::ended(trace::step(x, What::Cache, &route.name), "bypass");
    }
    let mut response = forward(permit, x, body, f).await?;
    if let Some(place) = &changes
        && (response.status().is_success() || response.status().is_redirection())
    {
        cache.changed(place, response.headers());
    }
    let why = match changes {
        Some(_) => Why::Method,
        None => Why::Bypass,
    };
    if let Some(store) = &route.cache {
        dress(&mut response, store, Told::Forwarded(why, false));
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
