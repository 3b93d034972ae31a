//! The plugin against the SDK's fake gateway.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use headers::Headers;
use portcullis_sdk::Message;
use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::Fake;

fn plugin(json: &str) -> Headers {
    Headers::configure(settings::parse(json).unwrap()).unwrap()
}

fn mistakes(json: &str) -> String {
    settings::parse(json)
        .and_then(Headers::configure)
        .unwrap_err()
}

fn all(message: Message<'_>, name: &str) -> Vec<String> {
    message
        .header_all(name)
        .into_iter()
        .map(|value| String::from_utf8(value).unwrap())
        .collect()
}

#[test]
fn the_demo_stamps_the_request_and_ends_the_credential() {
    let stamp = plugin(
        r#"{"request":{"set":{"x-user-id":"${caller.id}","x-request-id":"${request.id}"},"remove":["authorization"]},
            "response":{"set":{"x-served-by":"portcullis"}}}"#,
    );
    let fake = Fake::request("GET", "/")
        .with_header("Authorization", "tma secret")
        .with_header("x-user-id", "1")
        .with_attr("caller.id", "42")
        .with_attr("request.id", "r-7")
        .with_response(200, &[("x-served-by", "someone")], "");
    assert_eq!(stamp.on_request(&mut fake.exchange()), Ok(Verdict::Next));
    assert_eq!(
        stamp.on_response(&mut fake.exchange_back()),
        Ok(Verdict::Next)
    );
    let request = fake.exchange().request();
    assert_eq!(all(request, "x-user-id"), ["42"]);
    assert_eq!(all(request, "x-request-id"), ["r-7"]);
    assert!(all(request, "authorization").is_empty());
    assert_eq!(
        all(fake.exchange().response(), "x-served-by"),
        ["portcullis"]
    );
}

#[test]
fn a_client_cannot_say_what_the_gateway_does_not_know() {
    let stamp = plugin(
        r#"{"request":{"set":{"X-User-Id":"${caller.id}","x-tenant":"${claim.tenant:-none}"}}}"#,
    );
    let fake = Fake::request("GET", "/")
        .with_header("x-user-id", "1")
        .with_header("X-Tenant", "root");
    stamp.on_request(&mut fake.exchange()).unwrap();
    assert!(all(fake.exchange().request(), "x-user-id").is_empty());
    assert_eq!(all(fake.exchange().request(), "x-tenant"), ["none"]);
}

#[test]
fn a_value_that_fits_no_header_is_left_out() {
    let stamp = plugin(
        r#"{"request":{"set":{"x-name":"${claim.first_name}"},"add":{"x-also":"${claim.first_name}"}}}"#,
    );
    let fake = Fake::request("GET", "/")
        .with_header("x-name", "root")
        .with_attr("claim.first_name", "A\r\nb: c");
    assert_eq!(stamp.on_request(&mut fake.exchange()), Ok(Verdict::Next));
    assert!(fake.exchange().request().headers().is_empty());
}

#[test]
fn remove_comes_first_then_set_then_add() {
    let stamp =
        plugin(r#"{"request":{"remove":["a"],"set":{"a":"1"},"add":{"a":"2","b":"${param.id}"}}}"#);
    let fake = Fake::request("GET", "/")
        .with_header("a", "0")
        .with_header("b", "0");
    stamp.on_request(&mut fake.exchange()).unwrap();
    assert_eq!(all(fake.exchange().request(), "a"), ["1", "2"]);
    assert_eq!(all(fake.exchange().request(), "b"), ["0"]);
}

#[test]
fn only_phases_with_rules_are_entered() {
    let rule = r#"{"set":{"a":"1"}}"#;
    assert_eq!(plugin("{}").phases(), Phases::NONE);
    assert_eq!(
        plugin(&format!(r#"{{"request":{rule}}}"#)).phases(),
        Phases::REQUEST
    );
    assert_eq!(
        plugin(&format!(r#"{{"response":{rule}}}"#)).phases(),
        Phases::RESPONSE
    );
    let both = plugin(&format!(r#"{{"request":{rule},"response":{rule}}}"#));
    assert_eq!(both.phases(), Phases::REQUEST.and(Phases::RESPONSE));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let told = mistakes(
        r#"{"request":{"set":{"a b":"1","x-u":"${user.id}","Host":"x"},"remove":["Content-Length"]},
            "response":{"add":{"X-A":"1","x-a":"2","b":"$"}}}"#,
    );
    for place in [
        "request.set: \"a b\" is no header name",
        "request.set.x-u: there is no ${user.id}; there are caller.id",
        "request.set: host is the gateway's own",
        "request.remove: content-length is the gateway's own",
        "response.add: x-a is there twice",
        "response.add.b: a `$` starts",
    ] {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(mistakes(r#"{"request":{"sett":{}}}"#).starts_with("request.sett: unknown field"));
}
