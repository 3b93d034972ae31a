//! Mentions: a list; `/ws/mentions`, a WebSocket that sends one every second and echoes text; `/events/mentions`, the
//! same as an event stream.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt, stream};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::reply::{self, Body};
use crate::server::Server;

const PACE: Duration = Duration::from_secs(1);

/// The open sockets. Owned by the server's closure: they end with the server.
type Sockets = Arc<Mutex<JoinSet<()>>>;

pub(super) async fn start(address: SocketAddr) -> io::Result<Server> {
    let sockets = Sockets::default();
    Server::start(address, move |request| {
        let response = answer(request, &sockets);
        async { response }
    })
    .await
}

fn answer(mut request: Request<Incoming>, sockets: &Sockets) -> Response<Body> {
    match request.uri().path() {
        "/mentions" => reply::json(StatusCode::OK, &(1..=5).map(mention).collect()),
        "/events/mentions" => events(),
        "/ws/mentions" => {
            let key = request.headers().get(SEC_WEBSOCKET_KEY).cloned();
            let Some(key) = key else {
                return reply::json(
                    StatusCode::UPGRADE_REQUIRED,
                    &json!({ "error": "this is a WebSocket" }),
                );
            };
            let upgrade = hyper::upgrade::on(&mut request);
            sockets
                .lock()
                .expect("nothing panics under this lock")
                .spawn(talk(upgrade));
            switch(&key)
        }
        _ => reply::json(StatusCode::NOT_FOUND, &json!({ "error": "no such page" })),
    }
}

fn switch(key: &HeaderValue) -> Response<Body> {
    let mut response = reply::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    let accept = derive_accept_key(key.as_bytes());
    headers.insert(
        SEC_WEBSOCKET_ACCEPT,
        HeaderValue::try_from(accept).expect("base64 is a header value"),
    );
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

async fn talk(upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    // A client that leaves ends its socket; there is nothing to report.
    let _left = converse(socket).await;
}

async fn converse(
    mut socket: WebSocketStream<TokioIo<Upgraded>>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut pace = tokio::time::interval(PACE);
    for id in 1.. {
        tokio::select! {
            _ = pace.tick() => socket.send(Message::text(mention(id).to_string())).await?,
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => socket.send(Message::Text(text)).await?,
                Some(Ok(Message::Binary(bytes))) => socket.send(Message::Binary(bytes)).await?,
                // Its answer waits to be sent, which reading on does: a mention now would fail, and the answer with it.
                Some(Ok(Message::Close(_))) => {
                    while socket.next().await.is_some() {}
                    return Ok(());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
    Ok(())
}

/// One event a second, without an end.
fn events() -> Response<Body> {
    let pace = tokio::time::interval(PACE);
    let events = stream::unfold((pace, 1), |(mut pace, id)| async move {
        pace.tick().await;
        Some((reply::event(&mention(id)), (pace, id + 1)))
    });
    reply::events(events)
}

fn mention(id: u64) -> Value {
    json!({ "mention": id, "by": format!("player {}", id % 7), "text": "join the raid" })
}
