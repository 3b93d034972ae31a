//! HTTP/2 to servers: one connection carries many requests, and what a server ends is begun again where that is safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response, StatusCode};
use portcullis_tests::client::Client;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::reply::{self, Body};
use portcullis_tests::server::{ANY, Server, serve_h2};
use serde_json::json;

/// HTTP/2 in clear text; counts its connections and the requests at once.
struct Counting {
    server: Server,
    connections: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
}

impl Counting {
    /// At most `streams` at once on a connection; each takes `delay`.
    async fn start(streams: u32, delay: Duration) -> Counting {
        let (connections, at_once) = (Arc::default(), Arc::default());
        let (counted, most) = (Arc::clone(&connections), Arc::clone(&at_once));
        let server = Server::raw(ANY, move |stream| {
            AtomicUsize::fetch_add(&counted, 1, Ordering::Relaxed);
            let (here, most) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
            let answer =
                move |request| answer(request, Arc::clone(&here), Arc::clone(&most), delay);
            serve_h2(stream, streams, answer)
        });
        Counting {
            server: server.await.expect("loopback has free ports"),
            connections,
            at_once,
        }
    }

    fn toml(&self) -> String {
        toml(&self.server)
    }
}

fn toml(server: &Server) -> String {
    format!(
        "[upstream.h2]\nservers = [\"{}\"]\nprotocol = \"h2c\"\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"h2\"\n",
        server.address()
    )
}

async fn answer(
    request: Request<Incoming>,
    here: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    delay: Duration,
) -> Response<Body> {
    let now = here.fetch_add(1, Ordering::Relaxed) + 1;
    most.fetch_max(now, Ordering::Relaxed);
    tokio::time::sleep(delay).await;
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body");
    let trailers = body.trailers().map(names).unwrap_or_default();
    let seen = json!({
        "method": head.method.as_str(),
        "uri": head.uri.to_string(),
        "te": head.headers.get("te").map(|te| String::from_utf8_lossy(te.as_bytes())),
        "host": head.headers.contains_key("host"),
        "trailers": trailers,
        "bytes": body.to_bytes().len(),
    });
    here.fetch_sub(1, Ordering::Relaxed);
    if head.uri.path() == "/trailers" {
        return with_trailers();
    }
    reply::json(StatusCode::OK, &seen)
}

fn names(trailers: &HeaderMap) -> Vec<String> {
    trailers.keys().map(ToString::to_string).collect()
}

fn with_trailers() -> Response<Body> {
    let mut trailers = HeaderMap::new();
    for name in ["checksum", "set-cookie", "content-length"] {
        trailers.insert(name, "1".parse().expect("a value"));
    }
    let frames = [
        Frame::data(Bytes::from_static(b"body")),
        Frame::trailers(trailers),
    ];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, std::io::Error>));
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(frames)));
    let announced = "checksum, set-cookie, content-length".parse();
    response
        .headers_mut()
        .insert("trailer", announced.expect("a value"));
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_few_connections() {
    let server = Counting::start(100, Duration::from_millis(50)).await;
    let gateway = Arc::new(Gateway::start(&server.toml()).await);
    let asks = (0..60).map(|n| {
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.get(&format!("/{n}"), &[("host", "a.test")]).await })
    });
    for (n, ask) in asks.collect::<Vec<_>>().into_iter().enumerate() {
        let answer = ask.await.expect("it does not panic");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = answer.json();
        assert_eq!(seen["uri"], format!("http://a.test/{n}"));
        assert_eq!(
            (&seen["te"], &seen["host"]),
            (&json!("trailers"), &json!(false))
        );
    }
    // One for each of the two workers.
    let connections = server.connections.load(Ordering::Relaxed);
    assert!(connections <= 2, "{connections} connections");
    assert!(server.at_once.load(Ordering::Relaxed) > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_streams_are_begun_than_the_server_allows() {
    let server = Counting::start(3, Duration::from_millis(30)).await;
    let gateway = Arc::new(Gateway::start(&server.toml()).await);
    // So that its settings are known.
    assert_eq!(gateway.get("/first", &[]).await.status, 200);
    let asks = (0..30).map(|n| {
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.get(&format!("/{n}"), &[]).await.status })
    });
    for ask in asks.collect::<Vec<_>>() {
        assert_eq!(ask.await.expect("it does not panic"), 200);
    }
    assert!(server.at_once.load(Ordering::Relaxed) <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_costs_no_request() {
    // Ends each connection with GOAWAY after a few requests, with others on their way.
    let server = Server::raw(ANY, move |stream| {
        let (served, leave) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(tokio::sync::Notify::new()),
        );
        let told = leave.clone();
        let answer = move |_| {
            if served.fetch_add(1, Ordering::Relaxed) == 20 {
                told.notify_one();
            }
            async {
                tokio::time::sleep(Duration::from_millis(3)).await;
                reply::json(StatusCode::OK, &json!({}))
            }
        };
        leaving(stream, answer, leave)
    });
    let server = server.await.expect("loopback has free ports");
    let gateway = Arc::new(Gateway::start(&toml(&server)).await);
    let clients = (0..8).map(|_| {
        let address = gateway.listen.http;
        tokio::spawn(async move {
            let mut client = Client::connect(address).await.expect("it listens");
            for n in 0..60 {
                // A POST is nothing that could simply be sent twice.
                let (method, body) = if n % 2 == 0 {
                    ("GET", &b""[..])
                } else {
                    ("POST", &b"x"[..])
                };
                let answer = client.ask(method, "/", &[], body).await.expect("an answer");
                assert_eq!(answer.status, 200, "{method}: {}", answer.text());
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("it does not panic");
    }
}

async fn leaving<A, F>(stream: tokio::net::TcpStream, answer: A, leave: Arc<tokio::sync::Notify>)
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = hyper::service::service_fn(move |request| {
        let answer = answer(request);
        async { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let connection = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
        .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ended = connection.as_mut() => return,
        () = leave.notified() => connection.as_mut().graceful_shutdown(),
    }
    // A client that leaves early is no event for a test service.
    let _left = connection.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_pass_both_ways_without_what_could_be_taken_for_a_header() {
    let server = Counting::start(100, Duration::ZERO).await;
    let gateway = Gateway::start(&server.toml()).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    let request = b"POST /up HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\
        Trailer: checksum, authorization\r\n\r\n3\r\nabc\r\n0\r\n\
        checksum: 1\r\nauthorization: evil\r\nx-user-id: 1\r\n\r\n";
    client.write(request).await.expect("it is connected");
    let seen = client.answer("POST").await.expect("an answer").json();
    assert_eq!(
        (&seen["trailers"], &seen["bytes"]),
        (&json!(["checksum"]), &json!(3)),
        "{seen}"
    );

    let request =
        b"GET /trailers HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n";
    client.write(request).await.expect("it is connected");
    let mut all = Vec::new();
    while let Ok(piece) = client.piece().await {
        if piece.is_empty() {
            break;
        }
        all.extend(piece);
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.contains("\r\ntrailer: checksum\r\n"), "{text}");
    assert!(text.ends_with("\r\n0\r\nchecksum: 1\r\n\r\n"), "{text}");
}
