//! TLS towards servers: who is believed, who we are, and what is spoken.

use std::sync::Arc;

use portcullis_tests::gateway::Setup;
use portcullis_tests::reply;
use portcullis_tests::server::{ANY, Server, serve_tls};
use portcullis_tests::tls::Authority;
use serde_json::json;

const ROUTE: &str =
    "[[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"secure\"\n";

/// A server that says which version of HTTP it was asked in.
async fn versions(config: Arc<tokio_rustls::rustls::ServerConfig>) -> Server {
    let answer = |request: hyper::Request<hyper::body::Incoming>| async move {
        let version = format!("{:?}", request.version());
        let authority = request.uri().authority().map(ToString::to_string);
        let host = request
            .headers()
            .get("host")
            .and_then(|host| host.to_str().ok());
        let host = host.map(str::to_owned).or(authority);
        reply::json(
            hyper::StatusCode::OK,
            &json!({ "version": version, "host": host }),
        )
    };
    let connection = move |stream| serve_tls(stream, config.clone(), answer);
    Server::raw(ANY, connection)
        .await
        .expect("loopback has free ports")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_by_its_certificate_only() {
    let ours = Authority::new("ours");
    let strangers = Authority::new("strangers");
    let issued = ours.issue(&["users.test"]);
    let shown = ours.issue(&["gateway.test"]);
    let open = versions(ours.server(&issued, &["h2", "http/1.1"], false)).await;
    let closed = versions(ours.server(&issued, &["http/1.1"], true)).await;
    let old = versions(ours.server(&issued, &[], false)).await;
    let cases = [
        // The address is not a name of the certificate.
        (&open, "tls = { ca = \"ours.pem\" }", None),
        (
            &open,
            "tls = { ca = \"ours.pem\", server_name = \"users.test\" }",
            Some("HTTP/2.0"),
        ),
        (
            &open,
            "tls = { ca = \"ours.pem\", server_name = \"raids.test\" }",
            None,
        ),
        (
            &open,
            "tls = { ca = \"strangers.pem\", server_name = \"users.test\" }",
            None,
        ),
        // The roots of the system do not know it.
        (&open, "tls = { server_name = \"users.test\" }", None),
        (&open, "tls = { verify = false }", Some("HTTP/2.0")),
        (
            &open,
            "tls = { verify = false }\nprotocol = \"http1\"",
            Some("HTTP/1.1"),
        ),
        (
            &open,
            "tls = { verify = false }\nprotocol = \"h2\"",
            Some("HTTP/2.0"),
        ),
        (&old, "tls = { verify = false }", Some("HTTP/1.1")),
        (&old, "tls = { verify = false }\nprotocol = \"h2\"", None),
        // The server asks who we are.
        (
            &closed,
            "tls = { ca = \"ours.pem\", server_name = \"users.test\" }",
            None,
        ),
        (
            &closed,
            "tls = { ca = \"ours.pem\", server_name = \"users.test\", certificate = \"us.pem\", key = \"us.key\" }",
            Some("HTTP/1.1"),
        ),
    ];
    for (server, tls, want) in cases {
        let toml = format!(
            "[upstream.secure]\nservers = [\"{}\"]\n{tls}\n\n{ROUTE}",
            server.address()
        );
        let gateway = Setup::new(&toml)
            .file("ours.pem", &ours.pem())
            .file("strangers.pem", &strangers.pem())
            .certificate("us", &shown)
            .start()
            .await;
        for _ in 0..2 {
            let answer = gateway.get("/who", &[("host", "a.test")]).await;
            match want {
                Some(version) => {
                    assert_eq!(answer.status, 200, "{tls}: {}", answer.text());
                    let said = answer.json();
                    assert_eq!(
                        said,
                        json!({ "version": version, "host": "a.test" }),
                        "{tls}"
                    );
                }
                None => {
                    assert_eq!(answer.status, 502, "{tls}: {}", answer.text());
                    assert_eq!(answer.json()["type"], "upstream_unreachable", "{tls}");
                }
            }
        }
    }
}
