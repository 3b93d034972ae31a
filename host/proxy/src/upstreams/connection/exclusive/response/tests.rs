//! What servers send, read in pieces of every length: a response reads the same however it is cut.

use super::*;

/// Reads `bytes` in pieces of `step`, then a close; says what came of it in one line.
fn read(bytes: &[u8], method: &Method, step: usize) -> String {
    let mut input = BytesMut::new();
    let mut pieces = bytes.chunks(step);
    let mut last = LastHead::default();
    let (head, mut payload, persists) = loop {
        let Some(piece) = pieces.next() else {
            return "no head".to_owned();
        };
        let looked = input.len();
        input.extend_from_slice(piece);
        match parse(&mut input.clone(), method, &mut last) {
            Ok(Some(_)) => assert!(end_of_head(&input, looked).is_some()),
            Ok(None) => assert!(end_of_head(&input, looked).is_none()),
            Err(_) => {}
        }
        match parse(&mut input, method, &mut last) {
            Ok(Some(parsed)) => break parsed,
            Ok(None) => {}
            Err(broken) => return broken.to_string(),
        }
    };
    let mut said = format!("{}", head.status().as_u16());
    let mut body = Vec::new();
    loop {
        match payload.take(&mut input) {
            Err(broken) => return format!("{said}, then {broken}"),
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    trailers.iter().for_each(|(name, value)| {
                        said += &format!(" {name}={}", value.to_str().unwrap_or("?"));
                    });
                }
            },
            Ok(None) if payload.has_ended() => break,
            Ok(None) => match pieces.next() {
                Some(piece) => input.extend_from_slice(piece),
                None if payload.close() => break,
                None => return format!("{said}, cut"),
            },
        }
    }
    let rest: usize = input.len() + pieces.map(<[u8]>::len).sum::<usize>();
    let again = if persists { "again" } else { "close" };
    let body = String::from_utf8_lossy(&body);
    format!(
        "{said} {body:?} {again}{}",
        if rest > 0 { " +" } else { "" }
    )
}

#[test]
fn a_response_reads_the_same_however_it_is_cut() {
    let rows = [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            r#"200 "hello" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            r#"200 "" again"#,
        ),
        (
            "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi",
            r#"200 "hi" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nhi",
            r#"200 "hi" again"#,
        ),
        (
            "HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
            r#"200 "hi" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi!",
            r#"200 "hi" again +"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
            "200, cut",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x, Close\r\n\r\nhi",
            r#"200 "hi" close"#,
        ),
        (
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            r#"200 "hi" close"#,
        ),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
            r#"200 "hi" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nto the end",
            r#"200 "to the end" close"#,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", r#"204 "" again"#),
        (
            "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
            r#"204 "" again"#,
        ),
        (
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 70\r\n\r\n",
            r#"304 "" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
            r#"200 "abc0123456789abcdef" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n003 ; x=\"y\"\r\nabc\r\n0;last\r\n\r\n",
            r#"200 "abc" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            r#"200 "" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\ngrpc-status: 0\r\nx: y\r\n\r\n",
            r#"200 grpc-status=0 x=y "a" again"#,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
            "200, cut",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            "200, cut",
        ),
    ];
    for (bytes, wanted) in rows {
        for step in [1, 2, 3, 5, 7, 16, 4096] {
            let seen = read(bytes.as_bytes(), &Method::GET, step);
            assert_eq!(seen, wanted, "{bytes:?} in pieces of {step}");
        }
    }
}

#[test]
fn what_two_readers_could_read_differently_is_no_response() {
    let chunk = "200, then the response has a chunk that is not valid";
    let length = "the response has a Content-Length that is not valid, or two that differ";
    let coding = "the response has a Transfer-Encoding other than chunked";
    let trailers = "200, then the response has trailers that are not valid, or too long";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let rows = [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi!".to_owned(),
            length,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nhi!".to_owned(),
            length,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nhi".to_owned(),
            length,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2a\r\n\r\nhi".to_owned(),
            length,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\nhi".to_owned(),
            length,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nhi".to_owned(),
            length,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nhi"
                .to_owned(),
            "the response has both Transfer-Encoding and Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n".to_owned(),
            coding,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_owned(),
            coding,
        ),
        (
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            coding,
        ),
        (
            "HTTP/1.1 200 OK\r\nx y: z\r\n\r\n".to_owned(),
            "the head of the response is not valid: invalid header name",
        ),
        (
            "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n".to_owned(),
            "the head of the response is not valid: invalid header name",
        ),
        (
            "ICY 200 OK\r\n\r\n".to_owned(),
            "the head of the response is not valid: invalid HTTP version",
        ),
        (
            "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
            "the head of the response is not valid: invalid response status",
        ),
        (format!("{chunked}g\r\n"), chunk),
        (format!("{chunked}\r\n"), chunk),
        (format!("{chunked}-1\r\n"), chunk),
        (format!("{chunked}1 x\r\na\r\n0\r\n\r\n"), chunk),
        (format!("{chunked}1\na\r\n0\r\n\r\n"), chunk),
        (format!("{chunked}1\r\nab\r\n0\r\n\r\n"), chunk),
        (format!("{chunked}10000000000000000\r\n"), chunk),
        (format!("{chunked}1;{}\r\n", "x".repeat(5000)), chunk),
        (format!("{chunked}0\r\nx y\r\n\r\n"), trailers),
        (format!("{chunked}0\r\nx: {}", "y".repeat(20_000)), trailers),
    ];
    for (bytes, wanted) in rows {
        let seen = read(bytes.as_bytes(), &Method::GET, 4096);
        assert_eq!(seen, wanted, "{bytes:?}");
    }
}

#[test]
fn the_response_to_head_has_no_body() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 70\r\n\r\n";
    assert_eq!(read(bytes, &Method::HEAD, 4096), r#"200 "" again"#);
    let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(read(bytes, &Method::HEAD, 4096), r#"200 "" again"#);
}

/// The head alone.
fn head(fields: &str, last: &mut LastHead) -> HeaderMap {
    let mut input = BytesMut::from(format!("HTTP/1.1 {fields}\r\n\r\n").as_bytes());
    let parsed = parse(&mut input, &Method::GET, last).expect("it is valid");
    let (response, ..) = parsed.expect("it is whole");
    response.headers().clone()
}

#[test]
fn repeated_fields_keep_their_order_and_bytes_that_are_no_text() {
    let fields = "200 OK\r\nSet-Cookie: a\r\nX: \u{e4}\r\nset-cookie:b ";
    let headers = head(fields, &mut LastHead::default());
    let all = headers.get_all("set-cookie").iter();
    assert_eq!(all.collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(headers["x"].as_bytes(), "\u{e4}".as_bytes());
}

#[test]
fn what_belongs_to_the_connection_stays_there() {
    let rows = [
        (
            "200 OK\r\nconnection: keep-alive\r\nkeep-alive: timeout=5\r\nx: 1",
            "x",
        ),
        (
            "200 OK\r\nconnection: close, X-Gone\r\nx-gone: 1\r\ncontent-length: 2\r\ntrailer: digest",
            "content-length trailer",
        ),
        (
            "200 OK\r\ntransfer-encoding: chunked\r\nupgrade: h2c\r\nproxy-authenticate: x\r\nx: 1",
            "x",
        ),
        (
            "101 Switching\r\nconnection: upgrade\r\nupgrade: websocket",
            "connection upgrade",
        ),
    ];
    for (fields, wanted) in rows {
        let headers = head(fields, &mut LastHead::default());
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), wanted, "{fields}");
    }
}

#[test]
fn names_that_are_remembered_are_those_that_came() {
    let mut last = LastHead::default();
    for fields in [
        "A: 1\r\nb: 2",
        "a: 1\r\nc: 2\r\nd: 3",
        "c: 1\r\na: 2",
        "b: 0",
    ] {
        let headers = head(&format!("204 No Content\r\n{fields}"), &mut last);
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().expect("text"))
        };
        let seen: Vec<String> = headers.iter().map(line).collect();
        assert_eq!(seen.join("\r\n"), fields.to_lowercase());
    }
}
