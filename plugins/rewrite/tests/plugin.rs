//! The plugin against the SDK's fake gateway.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::Fake;
use rewrite::Rewrite;

fn plugin(json: &str) -> Rewrite {
    Rewrite::configure(settings::parse(json).unwrap()).unwrap()
}

fn mistakes(json: &str) -> String {
    settings::parse(json)
        .and_then(Rewrite::configure)
        .unwrap_err()
}

fn request() -> Fake {
    Fake::request("POST", "/api/users/7/x?debug=1&q=a+b&tag=1&tag=2")
        .with_attr("caller.id", "4/2")
        .with_attr("caller.roles", "user,admin")
        .with_attr("claim.tenant", "t")
        .with_attr("param.id", "7")
        .with_attr("param.evil", "a/admin?x=1#y")
        .with_attr("param.dots", "..")
        .with_attr("param.up", "a/../../admin")
        .with_attr("param.lines", "a\r\nset-cookie: b")
        .with_header("x-old", "1")
        .with_header("x-old", "2")
        .with_header("x-other", "o")
}

fn on_request(settings: &str, fake: &Fake) -> Result<(), String> {
    let plugin = plugin(&format!(r#"{{"request":{settings}}}"#));
    let phases = plugin.phases();
    let told = |fault: Fault| match fault {
        Fault::Refuse(refusal) => refusal.reason().to_owned(),
        Fault::Failed(why) => format!("failed: {why}"),
    };
    if phases.contains(Phases::REQUEST) {
        plugin.on_request(&mut fake.exchange()).map_err(told)?;
    }
    if phases.contains(Phases::REQUEST_BODY) {
        plugin.on_request_body(&mut fake.exchange()).map_err(told)?;
    }
    Ok(())
}

fn body(settings: &str, from: &str) -> Result<String, String> {
    let fake = request()
        .with_header("content-type", "application/json; charset=utf-8")
        .with_body(from);
    on_request(&format!(r#"{{"body":{settings}}}"#), &fake)?;
    let body = fake.exchange().request().body().unwrap();
    Ok(String::from_utf8(body).unwrap())
}

#[test]
fn method_path_and_query_are_reshaped() {
    for (settings, wanted) in [
        (
            r#"{"path":"/v2/users/{params.id}"}"#,
            "/v2/users/7?debug=1&q=a+b&tag=1&tag=2",
        ),
        (
            r#"{"path":"/v2/{params.evil}?only={query.q}"}"#,
            "/v2/a%2Fadmin%3Fx%3D1%23y?only=a%20b",
        ),
        (r#"{"path":"/v2?"}"#, "/v2"),
        (
            r#"{"path":"{path | raw}/more","query":{"remove":["q","tag","debug"]}}"#,
            "/api/users/7/x/more",
        ),
        (
            r#"{"query":{"remove":["debug"],"rename":{"q":"se arch"},"default":{"page":"1","q":"none"},"set":{"tag":"{caller.id}"}}}"#,
            "/api/users/7/x?se%20arch=a+b&tag=4%2F2&page=1&q=none",
        ),
        (
            r#"{"query":{"set":{"debug":"{query.none | default(none)}","q":"","new":"{'&='}"}}}"#,
            "/api/users/7/x?q=&tag=1&tag=2&new=%26%3D",
        ),
    ] {
        let fake = request();
        on_request(settings, &fake).unwrap();
        assert_eq!(fake.exchange().target(), wanted, "{settings}");
    }
    let fake = request();
    on_request(
        r#"{"method":"{'PUT' if 'admin' in caller.roles else 'POST'}"}"#,
        &fake,
    )
    .unwrap();
    assert_eq!(fake.exchange().method(), "PUT");
}

#[test]
fn what_a_client_sends_gets_no_further_than_its_place() {
    for settings in [
        r#"{"path":"/v2/{params.dots}/x"}"#,
        r#"{"path":"/v2/{params.up}"}"#,
        r#"{"path":"/v2/{params.up | path}"}"#,
        r#"{"path":"/v2/{query.none}"}"#,
        r#"{"path":"/v2/{query.tag}"}"#,
        r#"{"headers":{"set":{"x-a":"{params.lines}"}}}"#,
        r#"{"headers":{"default":{"x-a":"{headers['x-none']}"}}}"#,
        r#"{"method":"{query.q}"}"#,
        r#"{"method":"{'TRACE'}"}"#,
    ] {
        assert_eq!(
            on_request(settings, &request()),
            Err("invalid-request".to_owned()),
            "{settings}"
        );
    }
    let anonymous = on_request(r#"{"path":"/{caller.id}"}"#, &Fake::request("GET", "/"));
    assert!(anonymous.unwrap_err().contains("authenticates nobody"));
    let broken = on_request(r#"{"path":"/{query.q + 1}"}"#, &request());
    assert!(
        broken
            .unwrap_err()
            .starts_with("failed: path: {query.q + 1}: ")
    );
}

#[test]
fn headers_are_reshaped_in_order() {
    let fake = request();
    let settings = r#"{"headers":{"remove":["X-Other"],"rename":{"x-old":"x-new"},
        "default":{"x-old":"{caller.claims.tenant}","x-new":"not this"},
        "set":{"x-roles":"{caller.roles | join(' ')}","x-none":"{none}"}}}"#;
    on_request(settings, &fake).unwrap();
    let message = fake.exchange().request();
    assert_eq!(message.header_all("x-new"), [b"1".to_vec(), b"2".to_vec()]);
    assert_eq!(fake.header_text("x-old").as_deref(), Some("t"));
    assert_eq!(fake.header_text("x-roles").as_deref(), Some("user admin"));
    assert_eq!(
        (fake.header_text("x-other"), fake.header_text("x-none")),
        (None, None)
    );
}

#[test]
fn a_body_is_changed_by_pointers() {
    let from =
        r#"{"userName":"x","n":1.10,"big":9007199254740993,"list":[1,2,3],"a":{"b":1,"c":2}}"#;
    for (settings, wanted) in [
        (
            r#"{"rename":{"/userName":"name"}}"#,
            r#"{"name":"x","n":1.10,"big":9007199254740993,"list":[1,2,3],"a":{"b":1,"c":2}}"#,
        ),
        (
            r#"{"remove":["/list/0","/list/1","/a","/none"]}"#,
            r#"{"userName":"x","n":1.10,"big":9007199254740993,"list":[3]}"#,
        ),
        (
            r#"{"move":{"/a/b":"/a/c","/a/c":"/a/b","/n":"/x/y","/none":"/z"}}"#,
            r#"{"userName":"x","big":9007199254740993,"list":[1,2,3],"a":{"b":2,"c":1},"x":{"y":1.10}}"#,
        ),
        (
            r#"{"move":{"/a":"/z","/a/b":"/b"},"remove":["/list","/n","/big"]}"#,
            r#"{"userName":"x","b":1,"z":{"c":2}}"#,
        ),
        (
            r#"{"remove":["/list","/n","/big","/a"],"default":{"/userName":"no","/page":1,"/o/p":["{params.id}"]},"set":{"/owner":"{caller.id}"}}"#,
            r#"{"userName":"x","page":1,"o":{"p":["7"]},"owner":"4/2"}"#,
        ),
        (
            r#"{"remove":["/n","/a"],"set":{"/big":"{body.big}","/list/-":"{body.list | length}","/text":"n={body#/n}"}}"#,
            r#"{"userName":"x","big":9007199254740993,"list":[1,2,3,3],"text":"n=1.1"}"#,
        ),
        (
            r#"{"set":{"":{"all":"{body.a}"}}}"#,
            r#"{"all":{"b":1,"c":2}}"#,
        ),
    ] {
        assert_eq!(body(settings, from).as_deref(), Ok(wanted), "{settings}");
    }
    let unfit = body(r#"{"set":{"/userName/x":1}}"#, from);
    assert_eq!(unfit, Err("invalid-request".to_owned()));
    assert_eq!(
        body(r#"{"set":{"/a":1}}"#, "{"),
        Err("invalid-request".to_owned())
    );
    assert_eq!(body(r#"{"set":{"/a":1}}"#, "").as_deref(), Ok(""));
}

#[test]
fn a_body_is_made_by_a_template() {
    let from = r#"{"items":[{"n":"a\"b","v":1.50},{"n":"c","v":2}]}"#;
    let template = r#"{"template":"{\"all\": [{% for i in body['items'] %}{\"name\": {{ i.n }}}{{ ',' | safe if not loop.last }}{% endfor %}], \"by\": {{ caller.id }}}"}"#;
    let wanted = r#"{"all":[{"name":"a\"b"},{"name":"c"}],"by":"4/2"}"#;
    assert_eq!(body(template, from).as_deref(), Ok(wanted));
    let told = body(r#"{"template":"{\"a\": \"{{ caller.id }}\"}"}"#, from).unwrap_err();
    assert!(
        told.starts_with("failed: body.template: the template made no JSON: "),
        "{told}"
    );
    let fake = request().with_body("old").with_header("content-md5", "x");
    let settings = r#"{"body":{"template":"id={{ params.id }}","content_type":"text/plain"}}"#;
    on_request(settings, &fake).unwrap();
    assert_eq!(fake.exchange().request().body().unwrap(), b"id=7");
    assert_eq!(
        fake.header_text("content-type").as_deref(),
        Some("text/plain")
    );
    assert_eq!(fake.header_text("content-md5"), None);
}

#[test]
fn the_head_may_take_from_the_body() {
    let fake = request().with_body(r#"{"kind":"a/b"}"#);
    let settings = r#"{"path":"/{body.kind}?","headers":{"set":{"x-kind":"{body.kind}"}},"body":{"remove":["/kind"]}}"#;
    on_request(settings, &fake).unwrap();
    assert_eq!(fake.exchange().target(), "/a%2Fb");
    assert_eq!(fake.header_text("x-kind").as_deref(), Some("a/b"));
    assert_eq!(fake.exchange().request().body().unwrap(), b"{}");
}

#[test]
fn a_body_that_is_no_json_is_refused_on_its_way_in() {
    for (name, value) in [("content-type", "text/html"), ("content-encoding", "gzip")] {
        let fake = request().with_header(name, value).with_body("{}");
        let refused = on_request(r#"{"body":{"set":{"/a":1}}}"#, &fake);
        assert_eq!(refused, Err("unsupported-media-type".to_owned()));
    }
}

#[test]
fn a_response_is_reshaped_where_it_is_meant() {
    let plugin = plugin(
        r#"{"response":{"only":["2xx",404],"status":"{200 if response.status == 201 else response.status}",
        "headers":{"remove":["server"],"set":{"x-was":"{response.status} {response.headers['Content-Type']}","x-for":"{caller.id}"}},
        "body":{"rename":{"/user_name":"name"},"remove":["/password"],"set":{"/was":"{response.status}"}}}}"#,
    );
    assert_eq!(plugin.phases(), Phases::RESPONSE.and(Phases::RESPONSE_BODY));
    let run = |status, media: &str, body: &str| {
        let fake =
            request().with_response(status, &[("content-type", media), ("server", "x")], body);
        plugin.on_response(&mut fake.exchange_back()).unwrap();
        let done = plugin.on_response_body(&mut fake.exchange_back());
        let body = String::from_utf8(fake.exchange().response().body().unwrap()).unwrap();
        (
            done.is_ok(),
            fake.exchange().status(),
            fake.response_header_text("x-was"),
            body,
        )
    };
    let body = r#"{"user_name":"x","password":"y","n":1.0}"#;
    let done = run(201, "application/vnd.a+json", body);
    let was = Some("201 application/vnd.a+json".to_owned());
    // The body's rules run later: they see the status as it is by then.
    assert_eq!(
        done,
        (
            true,
            Some(200),
            was,
            r#"{"name":"x","n":1.0,"was":200}"#.to_owned()
        )
    );
    assert_eq!(
        run(500, "application/json", body),
        (true, Some(500), None, body.to_owned())
    );
    let page = run(404, "text/html", "<p>");
    assert_eq!((page.0, page.3.as_str()), (true, "<p>"));
    assert!(!run(200, "text/html", "<p>").0);
    assert!(!run(206, "application/json", "{}").0);
    assert!(!run(200, "application/json", "{").0);
    assert_eq!(run(200, "application/json", "").3, "");
}

#[test]
fn only_what_is_asked_for_is_entered() {
    for (settings, wanted) in [
        ("{}", Phases::NONE),
        (r#"{"request":{"path":"/"}}"#, Phases::REQUEST),
        (r#"{"request":{"path":"/{body.x}"}}"#, Phases::REQUEST_BODY),
        (
            r#"{"request":{"path":"/","body":{"remove":["/a"]}}}"#,
            Phases::REQUEST.and(Phases::REQUEST_BODY),
        ),
        (r#"{"response":{"status":204}}"#, Phases::RESPONSE),
        (
            r#"{"response":{"body":{"template":"1"}}}"#,
            Phases::RESPONSE_BODY,
        ),
    ] {
        assert_eq!(plugin(settings).phases(), wanted, "{settings}");
    }
    assert_eq!(plugin(r#"{"max_body":"64KiB"}"#).body_limit(), 64 << 10);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let told = mistakes(
        r#"{"request":{"method":"put","path":"v2/{param.id}","query":{"set":{"a":"{query.b"}},
            "headers":{"set":{"host":"x","x-a":"a\nb","X-B":"1","x-b":"2"},"rename":{"a":"x","b":"x"}},
            "body":{"remove":["a",""],"rename":{"/a":"/b"},"move":{"/a":"/a/b","/c":"/x","/d":"/x"},
                "set":{"/a":{"b":["{caller.idd}"]}},"content_type":"x"}},
        "response":{"status":700,"body":{"template":"{{ respnse.status }}","remove":["/a"]}}}"#,
    );
    for place in [
        "request.method: it is no method to change to",
        "request.path: {param.id}: there is no `param` (did you mean `params`?)",
        "request.path: the path starts with a slash",
        "request.query.set.a: a `{` starts",
        "request.headers.set: host is the gateway's own",
        "request.headers.set.x-a: the value holds a control character",
        "request.headers.set: x-b is there twice",
        "request.headers.rename: x is there twice",
        "request.body.remove: \"a\" is no JSON Pointer",
        "request.body.remove: \"\" is the whole body",
        "request.body.rename: \"/b\" is a pointer",
        "request.body.move: /a cannot move into itself",
        "request.body.move: two values move to /x",
        "request.body.set./a: {caller.idd}: there is no `caller.idd` (did you mean `id`?)",
        "request.body.content_type: it says what",
        "response.status: it is no status",
        "response.body.template: there is no `respnse` (did you mean `response`?)",
        "response.body.template: it makes the whole body",
    ] {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(mistakes(r#"{"request":{"paht":"/"}}"#).starts_with("request.paht: unknown field"));
    assert!(
        mistakes(r#"{"response":{"only":["20x"]}}"#)
            .starts_with("response.only: \"20x\" is no status")
    );
}
