//! Header fields that speak for a proxy, or that a service could take for another one.

use portcullis_tests::client::Client;
use portcullis_tests::client::curl::curl;
use portcullis_tests::gateway::Setup;
use portcullis_tests::upstream::echo::Echo;

use super::behind_a_proxy;

fn toml(echo: &Echo) -> String {
    format!(
        "[plugin.headers]\ncomponent = \"headers.wasm\"\n\n[plugin.headers.settings.request]\nset = {{ x-user-id = \"the-real-one\" }}\n\n\
        [upstream.echo]\nservers = [\"{}\"]\n\n[[route]]\nname = \"r\"\npath = \"/**\"\npublic = true\nplugins = [\"headers\"]\nupstream = \"echo\"\n",
        echo.address()
    )
}

const SPEAKING: [&str; 47] = [
    "X-Forwarded-Prefix",
    "X-Forwarded-Ssl",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-By",
    "X-Forwarded-Client-Cert",
    "X-Forwarded",
    "X-Real-IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "True-Client-IP",
    "X-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "Front-End-Https",
    "X-Url-Scheme",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Remote-User",
    "Ssl-Client-Verify",
    "X-Webauth-Role",
    "WL-Proxy-Client-Cert",
    "Fly-Forwarded-Proto",
    "X-Appengine-Cron",
    "X-MS-Token-AAD-Id-Token",
    "X-Endpoint-API-Userinfo",
    "Remote-Roles",
    "X-Client-S-DN",
    "X-Real-Host",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "Cloudfront-Viewer-Address",
    "CF-Access-Jwt-Assertion",
    "X-Consumer-Username",
    "X-Authentik-Username",
    "Tailscale-User-Login",
    "OIDC-Claim-Sub",
    "IV-User",
    "SM-User",
    "Shib-Session-Id",
    "X-Jwt-Assertion",
    "Proxy-Remote-User",
    "X-Forwarder-For",
    "X-Custom-IP-Authorization",
    "Disguised-Host",
    "X-Azure-FDID",
];

const FOLDING: [&str; 7] = [
    "X_User_Id",
    "x-user_id",
    "X.User.Id",
    "X~User~Id",
    "X_Forwarded_For",
    "Content_Length",
    "X!User!Id",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_speak_for_a_proxy_nor_stand_where_a_plugin_s_header_stands() {
    let echo = Echo::start("one").await;
    let gateway = Setup::new(&toml(&echo)).guests().start().await;
    let sent: Vec<(&str, &str)> = SPEAKING
        .iter()
        .chain(&FOLDING)
        .map(|name| (*name, "forged"))
        .chain([("x-user-id", "forged"), ("x-kept", "1")])
        .collect();
    let answer = gateway.get("/echo", &sent).await;
    assert!(!answer.text().contains("forged"), "{answer:?}");
    assert_eq!(answer.saw_all("x-user-id"), ["the-real-one"]);
    assert_eq!(answer.saw("x-kept").as_deref(), Some("1"));
    let dropped = |kind| format!("portcullis_request_headers_dropped_total{{kind=\"{kind}\"}}");
    gateway
        .metric_is(&dropped("forwarding"), SPEAKING.len() as u64)
        .await;
    gateway
        .metric_is(&dropped("ambiguous"), FOLDING.len() as u64)
        .await;
    let line = gateway.log_line(|line| line["path"] == "/echo").await;
    let logged = line["dropped_headers"].as_array().expect("a list");
    assert_eq!(
        (logged.len(), &logged[0]),
        (8, &"x-forwarded-prefix".into())
    );
    // Over HTTP/2 as over HTTP/1.
    let lines: Vec<String> = sent
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let url = format!("http://{}/echo", gateway.listen.h2c);
    let mut arguments = vec!["--http2-prior-knowledge", &url];
    arguments.extend(lines.iter().flat_map(|line| ["-H", line]));
    let answer = curl(&arguments);
    assert_eq!(answer.saw_all("x-user-id"), ["the-real-one"]);
    assert!(!answer.text().contains("forged"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_speaks_for_its_clients_but_in_no_ambiguous_name() {
    let echo = Echo::start("one").await;
    let gateway = behind_a_proxy(&toml(&echo)).guests().start().await;
    let sent = [
        ("X-Forwarded-Prefix", "/app"),
        ("X-Original-URL", "/there"),
        ("X_User_Id", "forged"),
        ("X-User_Id", "forged"),
    ];
    let answer = gateway.get("/echo", &sent).await;
    assert_eq!(answer.saw("x-forwarded-prefix").as_deref(), Some("/app"));
    assert_eq!(answer.saw("x-original-url").as_deref(), Some("/there"));
    assert!(!answer.text().contains("forged"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lists_are_extended_and_narrowed_by_keys() {
    let echo = Echo::start("one").await;
    let keys = "remove_headers = [\"X-Internal-*\", \"x-team\"]\nkeep_headers = [\"x-http-method-override\", \"api_key\"]";
    let gateway = Setup::new(&toml(&echo)).listen(keys).guests().start().await;
    let sent = [
        ("X-Internal-Role", "a"),
        ("X-Team", "b"),
        ("X-Http-Method-Override", "PUT"),
        ("Api_Key", "c"),
        ("Api_Key2", "d"),
    ];
    let answer = gateway.get("/echo", &sent).await;
    let saw: Vec<_> = sent
        .iter()
        .map(|(name, _)| answer.saw(&name.to_ascii_lowercase()))
        .collect();
    let want = [None, None, Some("PUT"), Some("c"), None].map(|value| value.map(str::to_owned));
    assert_eq!(saw, want, "{answer:?}");
    let keep = "ambiguous_headers = \"keep\"";
    let gateway = Setup::new(&toml(&echo)).listen(keep).guests().start().await;
    let answer = gateway
        .get("/echo", &[("a_b", "1"), ("x-original-url", "/x")])
        .await;
    assert_eq!(
        (answer.saw("a_b").as_deref(), answer.saw("x-original-url")),
        (Some("1"), None)
    );
}

/// Of two lines one program takes the first, another the last.
#[tokio::test(flavor = "multi_thread")]
async fn fields_that_decide_stand_once() {
    let echo = Echo::start("one").await;
    let gateway = Setup::new(&toml(&echo)).guests().start().await;
    for name in ["content-type", "authorization", "origin"] {
        let twice = [(name, "text/plain"), (name, "application/json")];
        let answer = gateway.ask("POST", "/echo", &twice, b"{}").await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert_eq!(answer.json()["type"], "malformed_request");
        let once = gateway.ask("POST", "/echo", &twice[..1], b"{}").await;
        assert_eq!(once.status, 200, "{name}: {once:?}");
    }
}

/// A server may take a trailer for a header.
#[tokio::test(flavor = "multi_thread")]
async fn a_trailer_stands_for_no_header_either() {
    let echo = Echo::start("one").await;
    let gateway = Setup::new(&toml(&echo)).guests().start().await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    let bytes = b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\
        trailer: user_id, true-client-ip, user-id, tenant-id, my-checksum\r\n\r\n2\r\nhi\r\n0\r\n\
        user_id: forged\r\ntrue-client-ip: forged\r\nuser-id: forged\r\ntenant-id: forged\r\nmy-checksum: 1\r\n\r\n";
    client.write(bytes).await.expect("it reads");
    let answer = client.answer("POST").await.expect("an answer");
    assert_eq!(
        answer.saw("trailer").as_deref(),
        Some("my-checksum"),
        "{answer:?}"
    );
}
