//! Who asks is said in more than Cookie and Authorization.

use portcullis_tests::client::{Answer, Client};
use portcullis_tests::gateway::{Setup, guest};
use portcullis_tests::tls::{Authority, connect};
use portcullis_tests::upstream::origin::{Asked, Origin, Says};

use super::{is_stored, toml};

/// Says whose it is, by all that names somebody, and of `/public` that others may see it.
async fn service() -> Origin {
    Origin::saying(|asked: &Asked| {
        let said = asked.headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            !["host", "via", "x-request-id", "traceparent"].contains(&name)
                && !name.starts_with("x-forwarded-for")
                && name != "forwarded"
        });
        let mut said: Vec<String> = said
            .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        said.sort_unstable();
        let says = Says::ok(said.join("\n"));
        match asked.target.split('?').next().unwrap_or_default() {
            "/public" => says.header("cache-control", "public, max-age=60"),
            "/aged" => says.header("cache-control", "max-age=60"),
            "/validated" => says.header("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
            _ => says,
        }
    })
    .await
}

/// In each of these somebody asks: their own key, or what a trusted proxy found out.
const SPEAKING: &[&str] = &[
    "x-api-key",
    "api-key",
    "ocp-apim-subscription-key",
    "x-auth-token",
    "x-session-id",
    "x-user-id",
    "x-forwarded-client-cert",
    "x-forwarded-user",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-ms-client-principal-id",
    "x-amzn-oidc-identity",
    "x-webauth-user",
    "remote-user",
    "cf-access-jwt-assertion",
    "tailscale-user-login",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_to_one_who_said_who_they_are_is_given_to_another() {
    let origin = service().await;
    let gateway = Setup::new(&toml(&origin, "{ ttl = \"1m\" }"))
        .listen("trusted_proxies = [\"127.0.0.0/8\"]")
        .start()
        .await;
    for name in SPEAKING {
        for path in ["/plain", "/aged", "/validated"] {
            let target = format!("{path}?{name}");
            for who in ["alice", "bob", "alice"] {
                let answer = gateway.get(&target, &[(name, who)]).await;
                let own = format!("{name}={who}");
                assert!(
                    answer.text().contains(&own) && !is_stored(&answer),
                    "{target} {own}: {answer:?}"
                );
            }
            // Nor to one who did not.
            let answer = gateway.get(&target, &[]).await;
            assert!(!answer.text().contains("alice"), "{target}: {answer:?}");
        }
        // What is for all is for all (RFC 9111 section 3.5).
        let target = format!("/public?{name}");
        gateway.get(&target, &[(name, "alice")]).await;
        assert!(is_stored(&gateway.get(&target, &[(name, "bob")]).await));
    }
    // Without any of them, the route's own time counts.
    let nobody = [("accept-language", "en"), ("user-agent", "curl")];
    gateway.get("/plain?nobody", &nobody).await;
    assert!(is_stored(&gateway.get("/plain?nobody", &nobody).await));
}

const STAMP: &str = r#"
[tls]
certificates = [{ certificate = "a.pem", key = "a.key" }]
client_ca = "ca.pem"
client_auth = "optional"

[plugin.stamp]
component = "headers.wasm"

[plugin.stamp.settings.request]
set = { x-subject = "${client.cert.subject}", x-from = "${client.ip}", x-fixed = "1" }

"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_and_what_a_plugin_says_of_a_request_keep_answers_apart() {
    let origin = service().await;
    let authority = Authority::new("authority");
    let issued = authority.issue(&["a.test"]);
    let named = |name: &str| {
        authority.issue_with(&["client.test"], |params| {
            let mut subject = rcgen::DistinguishedName::new();
            subject.push(rcgen::DnType::CommonName, name);
            params.distinguished_name = subject;
        })
    };
    let routes = toml(&origin, "{ ttl = \"1m\" }")
        .replace("public = true", "public = true\nplugins = [\"stamp\"]");
    let gateway = Setup::new(&format!("{STAMP}{routes}"))
        .listen("https = \"{https}\"")
        .listen("trusted_proxies = [\"127.0.0.0/8\"]")
        .certificate("a", &issued)
        .file("ca.pem", &authority.pem())
        .plugin("headers.wasm", guest("headers.wasm"))
        .start()
        .await;
    for who in ["alice", "bob", "alice"] {
        let config = authority.client(&[], Some(&named(who)));
        let stream = connect(gateway.listen.https, "a.test", config).await;
        let mut client = Client::over(stream.expect("a connection"));
        let answer: Answer = client
            .ask("GET", "/plain", &[], b"")
            .await
            .expect("an answer");
        let own = format!("x-subject=CN={who}");
        assert!(answer.text().contains(&own), "{who}: {answer:?}");
        assert!(!is_stored(&answer), "{who}: {answer:?}");
    }
    // What a plugin makes of an address is a part of the key; the rest of the request is not.
    for (from, stored) in [
        ("203.0.113.1", false),
        ("203.0.113.2", false),
        ("203.0.113.1", true),
        ("203.0.113.2", true),
    ] {
        let said = [("x-forwarded-for", from), ("accept-language", from)];
        let answer = gateway.get("/plain", &said).await;
        let own = format!("x-from={from}");
        assert!(answer.text().contains(&own), "{from}: {answer:?}");
        assert_eq!(is_stored(&answer), stored, "{from}: {answer:?}");
    }
}
