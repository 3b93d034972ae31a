//! Answers of the services in this crate.

use std::io;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

pub type Body = BoxBody<Bytes, io::Error>;

pub fn empty(status: StatusCode) -> Response<Body> {
    bytes(status, Bytes::new())
}

pub fn json(status: StatusCode, value: &Value) -> Response<Body> {
    typed(status, "application/json", Bytes::from(value.to_string()))
}

pub fn typed(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = bytes(status, body);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn bytes(status: StatusCode, body: Bytes) -> Response<Body> {
    let body = Full::new(body).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
