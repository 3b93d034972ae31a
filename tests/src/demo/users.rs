//! Who plays: `/public/hello`, `/public/news`, `/public/limited`, `/api/users/{id}` and `/health`. Each answer names its
//! instance and shows the headers it saw, so that a person sees what the gateway and its plugins did.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::reply::{self, Body};
use crate::server::Server;

/// The headers an answer shows, when they came.
const SHOWN: [&str; 8] = [
    "host",
    "via",
    "x-user-id",
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-proto",
    "forwarded",
    "authorization",
];

/// What PUT stored, by id: one database behind all instances.
#[derive(Debug, Clone, Default)]
pub(super) struct Registry {
    users: Arc<Mutex<BTreeMap<u64, Value>>>,
    /// How often the news were told, by any instance.
    told: Arc<AtomicU64>,
}

/// The headers of [`SHOWN`] that a request had.
#[derive(Debug)]
pub struct Seen(Map<String, Value>);

impl Seen {
    fn of(headers: &HeaderMap) -> Self {
        let line = |name: &str| {
            let values: Vec<_> = headers
                .get_all(name)
                .iter()
                .map(|v| String::from_utf8_lossy(v.as_bytes()))
                .collect();
            (!values.is_empty()).then(|| (name.to_owned(), Value::from(values.join(" | "))))
        };
        Self(SHOWN.into_iter().filter_map(line).collect())
    }
}

impl Registry {
    fn read(&self, id: u64) -> Option<Value> {
        self.users
            .lock()
            .expect("nothing panics under this lock")
            .get(&id)
            .cloned()
    }

    fn write(&self, id: u64, user: Value) {
        self.users
            .lock()
            .expect("nothing panics under this lock")
            .insert(id, user);
    }
}

pub(super) async fn start(
    address: SocketAddr,
    instance: String,
    registry: Registry,
) -> io::Result<Server> {
    let instance: Arc<str> = instance.into();
    Server::start(address, move |request| {
        answer(request, instance.clone(), registry.clone())
    })
    .await
}

async fn answer(
    request: Request<Incoming>,
    instance: Arc<str>,
    registry: Registry,
) -> Response<Body> {
    let path = request.uri().path();
    if path == "/public/limited" {
        let limited = json!({ "limited": "five of these in ten seconds", "instance": &*instance });
        return reply::json(StatusCode::OK, &limited);
    }
    if path == "/public/hello" {
        let hello = json!({ "hello": "whoever you are", "instance": &*instance });
        return reply::json(StatusCode::OK, &hello);
    }
    if path == "/health" {
        return reply::json(StatusCode::OK, &json!({ "well": true }));
    }
    if path == "/public/news" {
        let told = registry.told.fetch_add(1, Ordering::Relaxed) + 1;
        let news = json!({ "news": "the gate stands", "told": told, "instance": &*instance });
        return reply::json(StatusCode::OK, &news);
    }
    let id = path
        .strip_prefix("/api/users/")
        .and_then(|id| id.parse().ok());
    let Some(id) = id else {
        return reply::json(StatusCode::NOT_FOUND, &json!({ "error": "no such user" }));
    };
    let seen = Seen::of(request.headers());
    let target = request.uri().to_string();
    let method = request.method().clone();
    if method == Method::PUT {
        let Some(user) = read_user(request).await else {
            return reply::json(
                StatusCode::BAD_REQUEST,
                &json!({ "error": "send a JSON object" }),
            );
        };
        registry.write(id, user);
    } else if method != Method::GET {
        return reply::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let stored = registry
        .read(id)
        .unwrap_or_else(|| json!({ "name": format!("player {id}") }));
    reply::json(
        StatusCode::OK,
        &profile(id, stored, &instance, &target, seen),
    )
}

async fn read_user(request: Request<Incoming>) -> Option<Value> {
    let body = request.into_body().collect().await.ok()?.to_bytes();
    serde_json::from_slice(&body).ok().filter(Value::is_object)
}

fn profile(id: u64, mut user: Value, instance: &str, target: &str, seen: Seen) -> Value {
    user["id"] = json!(id);
    user["instance"] = json!(instance);
    user["target"] = json!(target);
    user["saw"] = Value::Object(seen.0);
    user
}
