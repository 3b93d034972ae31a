//! Raids: a list, removal by id, and an endpoint that repeats its body as text.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::reply::{self, Body};
use crate::server::Server;

const BOSSES: [&str; 12] = [
    "Hydra",
    "Basilisk",
    "Kraken",
    "Chimera",
    "Manticore",
    "Wyvern",
    "Golem",
    "Lich",
    "Minotaur",
    "Gorgon",
    "Harpy",
    "Roc",
];

type Raids = Arc<Mutex<BTreeMap<u64, &'static str>>>;

pub(super) async fn start(address: SocketAddr) -> io::Result<Server> {
    let raids: Raids = Arc::new(Mutex::new((1..).zip(BOSSES).collect()));
    Server::start(address, move |request| answer(request, raids.clone())).await
}

async fn answer(request: Request<Incoming>, raids: Raids) -> Response<Body> {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/api/raids") => reply::json(StatusCode::OK, &list(&raids)),
        (&Method::GET, "/service/raids") => reply::json(StatusCode::OK, &summary(&raids, &request)),
        (&Method::POST, "/api/raids") => repeat(request).await,
        (&Method::DELETE, _) => remove(path, &raids),
        _ => reply::json(StatusCode::NOT_FOUND, &json!({ "error": "no such raid" })),
    }
}

fn list(raids: &Raids) -> Value {
    let raids = raids.lock().expect("nothing panics under this lock");
    raids
        .iter()
        .map(|(id, boss)| json!({ "id": id, "boss": boss }))
        .collect()
}

/// How many there are, and which service asked, as the gateway says.
fn summary(raids: &Raids, request: &Request<Incoming>) -> Value {
    let raids = raids.lock().expect("nothing panics under this lock");
    let asked = request.headers().get("x-user-id");
    let asked = asked.map(|id| String::from_utf8_lossy(id.as_bytes()));
    json!({ "raids": raids.len(), "asked": asked, "knows_key": request.headers().contains_key("x-api-key") })
}

async fn repeat(request: Request<Incoming>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(body) => reply::typed(StatusCode::OK, "text/plain; charset=utf-8", body.to_bytes()),
        Err(error) => reply::json(
            StatusCode::BAD_REQUEST,
            &json!({ "error": error.to_string() }),
        ),
    }
}

fn remove(path: &str, raids: &Raids) -> Response<Body> {
    let id: Option<u64> = path
        .strip_prefix("/api/raids/")
        .and_then(|id| id.parse().ok());
    let removed = id.and_then(|id| {
        raids
            .lock()
            .expect("nothing panics under this lock")
            .remove(&id)
    });
    match removed {
        Some(_) => reply::empty(StatusCode::NO_CONTENT),
        None => reply::json(StatusCode::NOT_FOUND, &json!({ "error": "no such raid" })),
    }
}
