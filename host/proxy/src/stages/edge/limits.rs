//! How much a request head may have, beyond what the wire already holds it to.

use http::HeaderMap;
use portcullis_config::plan::HeadLimits;
use portcullis_exchange::Exchange;

use crate::ground::refusal::{Reason, Refusal};

/// All but the size of the whole head, which the wire has measured.
pub(super) fn check(limits: &HeadLimits, x: &Exchange) -> Result<(), Refusal> {
    let uri = x.target.as_str().len();
    if uri > limits.uri {
        return Err(too_long("the request target", limits.uri));
    }
    if x.target
        .query()
        .is_some_and(|query| query.len() > limits.query)
    {
        return Err(too_long("the query", limits.query));
    }
    if x.request.len() > limits.headers {
        let detail = format!(
            "the request may have at most {} header fields",
            limits.headers
        );
        return Err(Refusal::new(Reason::HeadTooLarge).detail(detail));
    }
    Ok(())
}

pub(super) fn check_all(limits: &HeadLimits, x: &Exchange) -> Result<(), Refusal> {
    check(limits, x)?;
    if size(&x.request) > limits.head {
        let detail = format!("the header fields may have at most {} bytes", limits.head);
        return Err(Refusal::new(Reason::HeadTooLarge).detail(detail));
    }
    Ok(())
}

fn too_long(what: &str, limit: usize) -> Refusal {
    Refusal::new(Reason::UriTooLong).detail(format!("{what} may have at most {limit} bytes"))
}

fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}
