//! The shipped plugins that reshape messages, as components: rewrite and convert.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use portcullis_exchange::{Caller, Exchange, Outcome, RefusalReason, ResponseHead, Target};
use portcullis_runtime::{CallError, Post, Slot};
use serde_json::json;

use crate::{load, spec};

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            http::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    lines.iter().map(pair).collect()
}

/// An exchange whose request has come, its body too.
fn posted(target: &str, content_type: &'static str, body: &str) -> Exchange {
    Exchange {
        method: Method::POST,
        target: Target::parse(target).expect("a target"),
        request: headers(&[("content-type", content_type)]),
        request_body: Some(body.to_owned().into()),
        caller: Some(Caller {
            id: "7".into(),
            roles: vec!["user".into()],
            claims: vec![("tenant".into(), "blue".into())],
        }),
        params: vec![("id".into(), "9".into())],
        ..Exchange::default()
    }
}

/// Head, then body, as the request's way calls a filter that wants them.
async fn inwards(plugin: &Post, x: &mut Exchange, slot: &mut Slot) -> Result<(), CallError> {
    if plugin.phases().request {
        goes_on(plugin.on_request(x, slot).await?);
    }
    if plugin.phases().request_body {
        goes_on(plugin.on_request_body(x, slot).await?);
    }
    Ok(())
}

async fn outwards(
    plugin: &Post,
    x: &mut Exchange,
    slot: &mut Slot,
    response: (u16, &'static str, Vec<u8>),
) -> Result<(), CallError> {
    let (status, content_type, body) = response;
    x.response = Some(ResponseHead {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: headers(&[("content-type", content_type), ("etag", "\"1\"")]),
    });
    x.response_body = Some(body.into());
    if plugin.phases().response {
        goes_on(plugin.on_response(x, slot).await?);
    }
    if plugin.phases().response_body {
        goes_on(plugin.on_response_body(x, slot).await?);
    }
    Ok(())
}

fn goes_on(outcome: Outcome) {
    assert!(matches!(outcome, Outcome::Next), "{outcome:?}");
}

fn request_text(x: &Exchange) -> &str {
    let body = x.request_body.as_deref().expect("a body");
    std::str::from_utf8(body).expect("text")
}

fn response_text(x: &Exchange) -> &str {
    let body = x.response_body.as_deref().expect("a body");
    std::str::from_utf8(body).expect("text")
}

#[tokio::test]
async fn rewrite_reshapes_the_request_and_the_response_with_the_caller_in_scope() {
    let settings = json!({
        "request": {
            "method": "PUT",
            "path": "/v2/users/{params.id}",
            "query": { "remove": ["debug"], "rename": { "q": "search" }, "set": { "owner": "{caller.id}" } },
            "headers": { "remove": ["cookie"], "set": { "x-tenant": "{caller.claims.tenant}" } },
            "body": {
                "remove": ["/debug"],
                "rename": { "/userName": "name" },
                "move": { "/mail": "/contact/mail" },
                "default": { "/limit": 20 },
                "set": { "/owner": "{caller.id}" },
            },
        },
        "response": {
            "only": ["2xx"],
            "status": 201,
            "body": { "template": r#"{"items": [{% for raid in body %}{{ raid.id }}{{ "," | safe if not loop.last }}{% endfor %}], "for": {{ caller.id }}}"# },
        },
    });
    let plugin = load("rewrite.wasm", spec(&settings.to_string()))
        .await
        .expect("it loads");
    let body = r#"{"userName":"ann","mail":"a@b","debug":true,"n":12345678901234567890123}"#;
    let mut x = posted("/old/9?q=a%20b&debug=1&z=2", "application/json", body);
    x.request
        .insert("cookie", HeaderValue::from_static("crumbs"));
    let mut slot = Slot::default();
    inwards(&plugin, &mut x, &mut slot).await.expect("goes on");
    assert_eq!(x.method, Method::PUT);
    assert_eq!(x.target.as_str(), "/v2/users/9?search=a%20b&z=2&owner=7");
    assert_eq!(x.request["x-tenant"], "blue");
    assert!(!x.request.contains_key("cookie"));
    assert_eq!(
        request_text(&x),
        r#"{"name":"ann","n":12345678901234567890123,"contact":{"mail":"a@b"},"limit":20,"owner":"7"}"#
    );

    let list = br#"[{"id":1},{"id":2.50}]"#.to_vec();
    let answer = (200, "application/json", list);
    outwards(&plugin, &mut x, &mut slot, answer)
        .await
        .expect("goes on");
    let head = x.response.as_ref().expect("a response");
    assert_eq!(head.status, StatusCode::CREATED);
    assert_eq!(response_text(&x), r#"{"items":[1,2.5],"for":"7"}"#);

    // Not meant: it stays as it came.
    let answer = (404, "application/json", b"{}".to_vec());
    let mut slot = Slot::default();
    let mut x = posted("/old/9", "application/json", "{}");
    inwards(&plugin, &mut x, &mut slot).await.expect("goes on");
    outwards(&plugin, &mut x, &mut slot, answer)
        .await
        .expect("goes on");
    assert_eq!(x.response.as_ref().map(|r| r.status.as_u16()), Some(404));
    assert_eq!(response_text(&x), "{}");
}

#[tokio::test]
async fn rewrite_refuses_what_would_leave_its_segment_or_is_not_json() {
    let settings = json!({ "request": {
        "path": "/v2/{params.id}", "body": { "set": { "/owner": "{caller.id}" } } } });
    let plugin = load("rewrite.wasm", spec(&settings.to_string()))
        .await
        .expect("it loads");
    for (id, content_type, body, reason) in [
        (
            "..",
            "application/json",
            "{}",
            RefusalReason::InvalidRequest,
        ),
        ("9", "application/json", "{", RefusalReason::InvalidRequest),
        ("9", "text/plain", "x", RefusalReason::UnsupportedMediaType),
    ] {
        let mut x = posted("/old", content_type, body);
        x.params = vec![("id".into(), id.into())];
        let refused = inwards(&plugin, &mut x, &mut Slot::default()).await;
        match refused {
            Err(CallError::Refused(refusal)) => assert_eq!(refusal.reason, reason, "{id} {body}"),
            other => panic!("{id} {content_type} {body}: {other:?}"),
        }
    }
    let mut x = posted("/old", "application/json", "{}");
    x.params = vec![("id".into(), "a?b c".into())];
    inwards(&plugin, &mut x, &mut Slot::default())
        .await
        .expect("goes on");
    assert_eq!(x.target.as_str(), "/v2/a%3Fb%20c", "it fills its segment");
}

#[tokio::test]
async fn convert_carries_every_value_in_both_directions() {
    for (from, content_type, body, to, told, converted) in [
        (
            "json",
            "application/json",
            r#"{"on":true,"n":null,"who":"O'Neil","big":123456789012345678901234567890,"f":1.10}"#,
            "python",
            "text/plain; charset=utf-8",
            r#"{'on': True, 'n': None, 'who': "O'Neil", 'big': 123456789012345678901234567890, 'f': 1.1}"#,
        ),
        (
            "json",
            "application/json",
            r#"{"a":"x y","b":2}"#,
            "form",
            "application/x-www-form-urlencoded",
            "a=x+y&b=2",
        ),
        (
            "form",
            "application/x-www-form-urlencoded",
            "a=x+y&b=2",
            "json",
            "application/json",
            r#"{"a":"x y","b":"2"}"#,
        ),
        (
            "python",
            "text/plain",
            "{'a': (1, 0x10), 'b': False}",
            "json",
            "application/json",
            r#"{"a":[1,16],"b":false}"#,
        ),
    ] {
        let rule = json!({ "from": from, "to": to });
        let settings = json!({ "request": rule, "response": rule });
        let plugin = load("convert.wasm", spec(&settings.to_string()))
            .await
            .unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
        let mut x = posted("/", content_type, body);
        let mut slot = Slot::default();
        inwards(&plugin, &mut x, &mut slot).await.expect("goes on");
        assert_eq!(request_text(&x), converted, "{from} to {to}");
        assert_eq!(x.request["content-type"], told, "{from} to {to}");

        let answer = (200, content_type, body.as_bytes().to_vec());
        outwards(&plugin, &mut x, &mut slot, answer)
            .await
            .expect("goes on");
        assert_eq!(response_text(&x), converted, "{from} to {to}, back");
        let head = x.response.as_ref().expect("a response");
        assert_eq!(head.headers["content-type"], told);
        assert!(!head.headers.contains_key("etag"), "it was of the old body");
    }
}

#[tokio::test]
async fn convert_writes_messagepack_and_xml_and_reads_messagepack_back() {
    let pair = |from: &str, to: &str| json!({ "from": from, "to": to });
    let settings =
        json!({ "request": pair("json", "msgpack"), "response": pair("msgpack", "json") });
    let plugin = load("convert.wasm", spec(&settings.to_string()))
        .await
        .expect("it loads");
    let body = r#"{"a":[1,-1,true,null,"ä"],"f":0.5}"#;
    let mut x = posted("/", "application/json", body);
    let mut slot = Slot::default();
    inwards(&plugin, &mut x, &mut slot).await.expect("goes on");
    let packed = x.request_body.clone().expect("a body");
    // A map of two: its first key is the text "a".
    assert_eq!(&packed[..3], b"\x82\xa1a");
    assert_eq!(x.request["content-type"], "application/vnd.msgpack");
    let answer = (200, "application/msgpack", packed.to_vec());
    outwards(&plugin, &mut x, &mut slot, answer)
        .await
        .expect("goes on");
    assert_eq!(response_text(&x), body, "there and back");

    let too_big = r#"{"n":123456789012345678901234567890}"#;
    let mut x = posted("/", "application/json", too_big);
    match inwards(&plugin, &mut x, &mut Slot::default()).await {
        Err(CallError::Refused(refusal)) => {
            assert_eq!(refusal.reason, RefusalReason::Unprocessable);
            let pointer = ("pointer".to_owned(), "\"/n\"".to_owned());
            assert!(refusal.members.contains(&pointer), "{refusal:?}");
        }
        other => panic!("it was rounded: {other:?}"),
    }

    let settings = json!({ "response": pair("json", "xml") });
    let plugin = load("convert.wasm", spec(&settings.to_string()))
        .await
        .expect("it loads");
    let mut x = posted("/", "application/json", "{}");
    let answer = (200, "application/json", br#"{"a":"<b> & c"}"#.to_vec());
    outwards(&plugin, &mut x, &mut Slot::default(), answer)
        .await
        .expect("goes on");
    let text = response_text(&x);
    assert!(
        text.contains("<a>&lt;b&gt; &amp; c</a>") && text.contains("<root>"),
        "{text}"
    );
}
