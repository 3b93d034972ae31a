//! Standard guest of the tests: a `wasi:http/proxy` component that knows nothing of the gateway. The last segment of
//! the path says what it does.

// Natively there is no host to link against.
#![cfg(target_family = "wasm")]

use std::io::{Read, Write};

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};

const PIECE: usize = 4000;
const STREAMED: usize = 3 << 20;

struct Standard;

wasip2::http::proxy::export!(Standard);

impl Guest for Standard {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path.rsplit('/').next().unwrap_or_default() {
            "hello" => answer(out, [hello(&request, &target).as_bytes()]),
            "fetch" => answer(out, [fetched(query).as_bytes()]),
            "stream" => {
                let piece = [b'x'; PIECE];
                let rest = &piece[..STREAMED % PIECE];
                let pieces = std::iter::repeat_n(&piece[..], STREAMED / PIECE);
                answer(out, pieces.chain([rest]));
            }
            "never" => {}
            "half" => half(out, drop),
            "leak" => half(out, std::mem::forget),
            "error" => ResponseOutparam::set(out, Err(ErrorCode::ConfigurationError)),
            "loop" => loop {
                std::hint::black_box(());
            },
            "trap" => panic!("as asked"),
            "scream" => {
                scream(query.parse().unwrap_or(1));
                answer(out, [b"hoarse".as_slice()]);
            }
            "waste" => {
                (0..query.parse().unwrap_or(1)).for_each(|_: u32| drop(Fields::new()));
                answer(out, [b"done".as_slice()]);
            }
            other => answer(out, ["no such thing: ".as_bytes(), other.as_bytes()]),
        }
    }
}

/// A stream of its own for each of so many pieces.
fn scream(times: u32) {
    for _ in 0..times {
        let stream = wasip2::cli::stderr::get_stderr();
        stream.write(&[b'A'; PIECE]).expect("the host takes it");
    }
}

fn hello(request: &IncomingRequest, target: &str) -> String {
    let method = method_name(&request.method());
    let name = request.headers().get("x-name").pop().unwrap_or_default();
    let body = request
        .consume()
        .map(|body| text(&body))
        .unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    format!("{method} {target}\nx-name: {name}\n{body}")
}

/// `times=N&method=M&to=URL`: the last answer.
fn fetched(query: &str) -> String {
    let (options, url) = query.split_once("to=").unwrap_or(("", query));
    let option = |name: &str| {
        let mut pairs = options.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(n, _)| *n == name).map(|(_, value)| value)
    };
    let times = option("times").and_then(|n| n.parse().ok()).unwrap_or(1);
    let method = option("method").unwrap_or("GET");
    let mut last = String::new();
    for _ in 0..times {
        last = match fetch(method, url) {
            Ok((status, body)) => format!("{status} {body}"),
            Err(code) => format!("{code:?}"),
        };
    }
    last
}

fn fetch(method: &str, url: &str) -> Result<(u16, String), ErrorCode> {
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpProtocolError)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = if scheme == "https" {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let request = OutgoingRequest::new(Fields::new());
    let set = request
        .set_method(&Method::Other(method.to_owned()))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    set.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    let future = outgoing_handler::handle(request, None)?;
    future.subscribe().block();
    let response = match future.get() {
        Some(Ok(answer)) => answer?,
        _ => return Err(ErrorCode::InternalError(None)),
    };
    let body = response
        .consume()
        .map(|body| text(&body))
        .unwrap_or_default();
    Ok((response.status(), body))
}

fn text(body: &IncomingBody) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut stream) = body.stream()
        && let Err(error) = stream.read_to_end(&mut bytes)
    {
        return error.to_string();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer<'a>(out: ResponseOutparam, pieces: impl IntoIterator<Item = &'a [u8]>) {
    let headers = Fields::new();
    let of_ours = headers.append("x-standard", b"yes");
    of_ours.expect("a valid header");
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("taken once");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().expect("taken once");
    for piece in pieces {
        stream.write_all(piece).expect("the host takes it");
    }
    stream.flush().expect("the host takes it");
    drop(stream);
    OutgoingBody::finish(body, None).expect("it is whole");
}

/// A response whose body nobody finishes.
fn half(out: ResponseOutparam, leave: fn(OutgoingBody)) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("taken once");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().expect("taken once");
    stream.write_all(b"half").expect("the host takes it");
    drop(stream);
    leave(body);
}

fn method_name(method: &Method) -> String {
    match method {
        Method::Get => "GET".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Other(name) => name.clone(),
        other => format!("{other:?}"),
    }
}
