//! The signed debug header: who signed is told the trail, and for everybody else the header is not there.

use portcullis_tests::client::websocket::Socket;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::sockets::Sockets;
use serde_json::Value;

use super::{KEY, routes, stdout};

const HEADER: &str = "portcullis-debug";
const TRAIL: &str = "portcullis-trail";

/// What `--sign` writes for a request, without the header's name.
fn signed(setup: &Setup, method: &str, path: &str) -> String {
    let said = stdout(&setup.say(&format!("explain --sign {method} http://gate.test{path}")));
    let value = said.trim().strip_prefix("portcullis-debug: ");
    value.expect("a header").to_owned()
}

fn trail(header: Option<&str>) -> Value {
    serde_json::from_str(header.expect("the trail")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_signed_for_this_method_and_path_is_told_the_trail() {
    let server = Echo::start("u").await;
    let setup = Setup::new(&routes(&server));
    let other = setup.clone().env("DEBUG_KEY", "another key of the tests");
    let gateway = setup.clone().start().await;
    let good = signed(&setup, "GET", "/api/a");
    let told = gateway.get("/api/a?b=c", &[(HEADER, &good)]).await;
    let seen = trail(told.header(TRAIL));
    assert_eq!(
        (&seen["route"], &seen["status"]),
        (&"rest".into(), &200.into())
    );
    assert_eq!(seen["request_id"], told.saw("x-request-id").expect("an id"));
    assert_eq!(told.saw(HEADER), None, "it is for the gateway alone");

    let (expiry, signature) = good.split_once('.').expect("two parts");
    let broken = format!("{expiry}.{}", signature.replace(['0', '1'], "2"));
    let foreign = signed(&other, "GET", "/api/a");
    let twice = [(HEADER, good.as_str()), (HEADER, good.as_str())];
    let table: [(&str, &[(&str, &str)]); 6] = [
        ("/api/b", &[(HEADER, &good)]),
        ("/api/a", &[(HEADER, &broken)]),
        ("/api/a", &[(HEADER, &foreign)]),
        ("/api/a", &[(HEADER, "1.00")]),
        ("/api/a", &[(HEADER, "")]),
        ("/api/a", &twice),
    ];
    for (target, headers) in table {
        let answer = gateway.get(target, headers).await;
        assert_eq!(
            (answer.status, answer.header(TRAIL)),
            (200, None),
            "{headers:?}"
        );
        assert_eq!(answer.saw(HEADER), None, "{headers:?}");
    }
    let put = gateway.ask("PUT", "/api/a", &[(HEADER, &good)], b"x").await;
    assert_eq!((put.status, put.header(TRAIL)), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nobody_is_told_and_the_header_goes_nowhere() {
    let server = Echo::start("u").await;
    let setup = Setup::new(&routes(&server));
    let good = signed(&setup, "GET", "/api/a");
    let text = routes(&server);
    let keyless = text.replace("[debug]", "").replace(
        &format!("key = {{ env = \"DEBUG_KEY\", default = \"{KEY}\" }}"),
        "",
    );
    let gateway = Gateway::start(&keyless).await;
    let answer = gateway.get("/api/a", &[(HEADER, &good)]).await;
    assert_eq!((answer.status, answer.header(TRAIL)), (200, None));
    assert_eq!(answer.saw(HEADER), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_retries_and_sockets_have_a_trail_too() {
    let sockets = Sockets::start().await;
    let server = Echo::start("u").await;
    let gone = Echo::start("gone").await;
    let nobody = gone.address();
    gone.kill().await;
    let toml = format!(
        r#"
        [debug]
        key = "{KEY}"

        [upstream.sockets]
        servers = ["{}"]

        [upstream.two]
        servers = ["{nobody}", "{}"]

        [[route]]
        name = "socket"
        path = "/echo"
        public = true
        upstream = "sockets"

        [[route]]
        name = "two"
        path = "/two"
        methods = ["GET"]
        public = true
        upstream = "two"
        "#,
        sockets.address(),
        server.address()
    );
    let setup = Setup::new(&toml);
    let gateway = setup.clone().start().await;

    let sign = |path| signed(&setup, "GET", path);
    let (_, answer) = Socket::ask(gateway.listen.http, "/echo", &[(HEADER, &sign("/echo"))]).await;
    assert_eq!(answer.status, 101);
    let seen = trail(answer.header(TRAIL));
    assert_eq!(
        (&seen["route"], &seen["steps"][1]["status"]),
        (&"socket".into(), &101.into())
    );
    assert!(!sockets.seen().concat().contains(HEADER));

    let refused = gateway
        .get("/nowhere", &[(HEADER, &sign("/nowhere"))])
        .await;
    let seen = trail(refused.header(TRAIL));
    assert_eq!(
        (refused.status, &seen["refusal"]),
        (404, &"route_not_found".into())
    );
    assert_eq!(seen["steps"][0]["outcome"], "refused", "{seen}");

    // One of the two begins with the server that is gone, and says why there is a second try.
    let mut second = None;
    for _ in 0..4 {
        let answer = gateway.get("/two", &[(HEADER, &sign("/two"))]).await;
        assert_eq!(answer.status, 200);
        let seen = trail(answer.header(TRAIL));
        let steps = seen["steps"].as_array().expect("steps").clone();
        second = second.or_else(|| steps.iter().find(|step| step["number"] == 2).cloned());
    }
    let second = second.expect("a second try");
    assert_eq!(
        (&second["because"], &second["status"], &second["server"]),
        (
            &"unreachable".into(),
            &200.into(),
            &server.address().to_string().into()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_is_cut_where_a_header_would_get_too_long() {
    let server = Echo::start("u").await;
    // Names may have 64 letters.
    let name = "u".repeat(64);
    let calls: Vec<String> = (0..32)
        .map(|n| format!("[\"{name}\", \"/c{n}\"]"))
        .collect();
    let toml = format!(
        r#"
        [debug]
        key = "{KEY}"

        [upstream.{name}]
        servers = ["{}"]

        [plugin.relay]
        component = "relay.wasm"
        grants = {{ upstreams = [{{ name = "{name}", paths = ["/**"] }}], calls = 200 }}
        settings.calls = [{}]

        [[route]]
        name = "all"
        path = "/all"
        public = true
        plugins = ["relay"]
        "#,
        server.address(),
        calls.join(", ")
    );
    let setup =
        Setup::new(&toml).plugin("relay.wasm", portcullis_tests::gateway::guest("relay.wasm"));
    let gateway = setup.clone().start().await;
    let header = signed(&setup, "GET", "/all");
    let answer = gateway.get("/all", &[(HEADER, &header)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.header(TRAIL).expect("the trail");
    assert!(text.len() <= 6 * 1024, "{} bytes", text.len());
    let seen = trail(Some(text));
    let steps = seen["steps"].as_array().expect("steps").len() as u64;
    // find, handle and 32 calls.
    assert_eq!(
        steps + seen["left_out"].as_u64().expect("a number"),
        34,
        "{seen}"
    );
    assert!(steps > 10 && steps < 34, "{steps}");
}
