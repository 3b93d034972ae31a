//! `/cache`: what is stored, and what is to go.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use portcullis_proxy::audit::{Audit, Deed, Outcome};
use portcullis_proxy::{Gate, Purge, PurgeError, RouteStatistics, Statistics};
use serde::{Deserialize, Serialize};

use super::{TEXT, json, page as text};

#[derive(Serialize)]
pub(super) struct CachePage {
    #[serde(flatten)]
    store: Statistics,
    routes: BTreeMap<String, RouteStatistics>,
}

/// One of `{"url": …}`, `{"prefix": …}`, `{"tag": …}` and `{"everything": true}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Wanted {
    Url(String),
    Prefix(String),
    Tag(String),
    Everything(bool),
}

#[derive(Serialize)]
struct Purged {
    purged: usize,
}

/// A URL and its braces.
const LARGEST: usize = 64 * 1024;

pub(super) fn page(gate: &Gate) -> CachePage {
    let generation = gate.lease();
    let figures = |route: &Arc<portcullis_proxy::Route>| {
        let statistics = route.cache.as_ref()?.statistics();
        Some((route.name.to_string(), statistics))
    };
    CachePage {
        store: gate.cache.statistics(),
        routes: generation.routes.iter().filter_map(figures).collect(),
    }
}

pub(super) async fn purge(gate: &Gate, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let wanted = match wanted(request).await {
        Ok(wanted) => wanted,
        Err(why) => return text(StatusCode::BAD_REQUEST, TEXT, why + "\n"),
    };
    let cache = gate.cache.clone();
    let what = wanted.to_string();
    let audit = |outcome, detail: &str| {
        Audit {
            what: Deed::Purge,
            by: "admin",
            outcome,
            detail,
        }
        .note(&gate.archive.metrics);
    };
    // It looks through the whole store.
    match tokio::task::spawn_blocking(move || cache.purge(&wanted)).await {
        Ok(purged) => {
            audit(Outcome::Done, &format!("{what}: {purged} responses"));
            json(&Purged { purged })
        }
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("{error}\n"),
        ),
    }
}

async fn wanted(request: Request<Incoming>) -> Result<Purge, String> {
    let body = Limited::new(request.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|error| {
        format!(
            "{error}; send one of {{\"url\": \"http://host/path\"}}, {{\"prefix\": \"/path\"}}, \
             {{\"tag\": \"name\"}} and {{\"everything\": true}}"
        )
    })?;
    let purge = match wanted {
        Wanted::Url(url) => Purge::url(&url),
        Wanted::Prefix(prefix) => Purge::prefix(&prefix),
        Wanted::Tag(tag) => Ok(Purge::Tag(tag)),
        Wanted::Everything(true) => Ok(Purge::Everything),
        Wanted::Everything(false) => return Err("`everything` is true or not there".to_owned()),
    };
    purge.map_err(|error: PurgeError| error.to_string())
}
