//! What is written of a request, whatever the server takes at a time.

use std::task::Waker;

use http::Uri;
use http_body::{Frame, SizeHint};

use super::*;

/// Takes so many bytes at a time.
struct Narrow {
    took: Vec<u8>,
    step: usize,
}

impl AsyncWrite for Narrow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.len().min(self.step);
        self.took.extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A body that comes in these frames. `exact`: its length, where that is said.
struct Frames {
    left: std::vec::IntoIter<Frame<Bytes>>,
    exact: Option<u64>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.left.next().map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        self.exact
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn parts(parts: &[&'static str], trailers: Option<HeaderMap>, exact: Option<u64>) -> RequestBody {
    let data = parts
        .iter()
        .map(|part| Frame::data(Bytes::from_static(part.as_bytes())));
    let frames: Vec<_> = data.chain(trailers.map(Frame::trailers)).collect();
    RequestBody::Wrapped(Box::pin(Frames {
        left: frames.into_iter(),
        exact,
    }))
}

fn to(host: &HeaderValue) -> Addressee<'_> {
    Addressee { host, added: None }
}

fn written(method: Method, body: RequestBody, step: usize) -> Result<String, String> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_static("/a?b=c");
    let headers = request.headers_mut();
    headers.insert("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_static("2"));
    headers.insert("content-length", HeaderValue::from_static("999"));
    headers.insert("host", HeaderValue::from_static("other.test"));
    let mut outbox = Outbox::default();
    outbox.begin(&mut request, to(&HeaderValue::from_static("up.test")));
    let mut server = Narrow {
        took: Vec::new(),
        step,
    };
    let done = outbox.poll(&mut Context::from_waker(Waker::noop()), &mut server);
    if let Some(failed) = outbox.failed {
        return Err(failed.to_string());
    }
    assert!(matches!(done, Poll::Ready(Ok(()))) && outbox.is_done());
    let text = String::from_utf8(server.took).expect("text");
    let text = text.strip_prefix(&format!(
        "{} /a?b=c HTTP/1.1\r\nhost: up.test\r\nx-a: 1\r\nx-a: 2\r\n",
        request.method()
    ));
    Ok(text.expect("the head").to_owned())
}

#[test]
fn a_body_is_framed_by_what_is_known_of_it() {
    let trailers = || {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("digest"),
            HeaderValue::from_static("x"),
        )])
    };
    type Row = (Method, fn() -> RequestBody, &'static str);
    let rows: [Row; 5] = [
        (Method::GET, RequestBody::empty, "\r\n"),
        (
            Method::POST,
            RequestBody::empty,
            "content-length: 0\r\n\r\n",
        ),
        (
            Method::POST,
            || RequestBody::full(Bytes::from_static(b"hello")),
            "content-length: 5\r\n\r\nhello",
        ),
        (
            Method::PUT,
            || parts(&["hel", "lo"], None, Some(5)),
            "content-length: 5\r\n\r\nhello",
        ),
        (
            Method::POST,
            || parts(&["hello", "", "0123456789abcdef"], None, None),
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
        ),
    ];
    for step in [1, 2, 3, 7, 4096] {
        for (method, body, wanted) in &rows {
            let seen = written(method.clone(), body(), step);
            assert_eq!(seen.as_deref(), Ok(*wanted), "{method} in pieces of {step}");
        }
        let seen = written(Method::POST, parts(&["a"], Some(trailers()), None), step);
        let wanted = "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\ndigest: x\r\n\r\n";
        assert_eq!(seen.as_deref(), Ok(wanted));
    }
}

#[test]
fn a_body_that_is_not_as_long_as_was_said_is_not_passed_on_as_if() {
    let longer = written(Method::POST, parts(&["hello"], None, Some(4)), 4096);
    assert_eq!(
        longer,
        Err("the request body is longer than was said".to_owned())
    );
    let shorter = written(Method::POST, parts(&["hel"], None, Some(4)), 4096);
    assert_eq!(
        shorter,
        Err("the request body is shorter than was said".to_owned())
    );
}

#[test]
fn a_body_that_is_at_hand_stays_with_its_request() {
    let host = HeaderValue::from_static("up.test");
    let mut outbox = Outbox::default();
    let mut request = Request::new(RequestBody::full(Bytes::from_static(b"x")));
    outbox.begin(&mut request, to(&host));
    assert!(request.body().is_at_hand() && outbox.is_untouched());
    let mut request = Request::new(parts(&["x"], None, None));
    outbox.begin(&mut request, to(&host));
    assert!(!request.body().is_at_hand());
    outbox.give_back(&mut request);
    assert!(matches!(request.body(), RequestBody::Wrapped(_)));
}
