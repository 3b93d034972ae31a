//! Keeping clients on https: the redirect and `Strict-Transport-Security`.

use http::header::{LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use portcullis_config::plan::Hsts;
use portcullis_runtime::Exchange;

use crate::ground::refusal::{Reason, Refusal};
use crate::pipeline::generation::{Generation, Route};
use crate::stages::body::Content;
use crate::stages::forwarded::Provenance;
use crate::wire::guard::Client;

/// RFC 6797 section 6.1.
pub(super) fn hsts(hsts: Hsts) -> Option<HeaderValue> {
    let mut text = format!("max-age={}", hsts.max_age.as_secs());
    if hsts.include_subdomains {
        text.push_str("; includeSubDomains");
    }
    if hsts.preload {
        text.push_str("; preload");
    }
    HeaderValue::try_from(text).ok()
}

/// RFC 6797 section 7.2: over a secure transport only, and there in place of what a server may have said.
pub(crate) fn tell_to_come_by_https(
    client: &Client,
    generation: &Generation,
    headers: &mut HeaderMap,
) {
    let tls = client.tls.as_ref().and(generation.tls.as_ref());
    if let Some(value) = tls.and_then(|tls| tls.hsts()) {
        headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
}

/// Where a request has to go that should have come by https. RFC 9110 section 15.4.9: 308 keeps method and body.
/// Refused where there is no way there that would end.
pub(crate) fn redirect(
    route: &Route,
    generation: &Generation,
    x: &Exchange,
    provenance: &Provenance,
) -> Result<Option<Response<Content>>, Refusal> {
    if !route.redirect_https || x.scheme == "https" {
        return Ok(None);
    }
    if provenance.scheme_unclear {
        // It may well have come by https, and would come back the same.
        return Err(Refusal::new(Reason::InvalidRequest)
            .detail("the proxy in front does not say clearly whether this came by https")
            .because("X-Forwarded-Proto or Forwarded of a trusted proxy is not understood"));
    }
    if x.host.is_empty() {
        return Err(Refusal::new(Reason::InvalidRequest).detail(
            "this is served over https only, and the request names no host to be sent to",
        ));
    }
    let port = match generation.plan.listen.https_port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    let to = format!("https://{}{port}{}", x.host, x.target.as_str());
    let mut response = Response::new(Content::Full(None));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let to = HeaderValue::try_from(to).expect("host and target are visible ASCII");
    response.headers_mut().insert(LOCATION, to);
    Ok(Some(response))
}
