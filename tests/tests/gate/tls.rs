//! TLS towards clients: what they are shown, what is asked of them, and what a file that changes does.

use std::process::Command;
use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::tls::{Authority, connect};
use portcullis_tests::upstream::echo::Echo;
use serde_json::Value;

const CERTIFICATE: &str = "[tls]\ncertificates = [{ certificate = \"a.pem\", key = \"a.key\" }]\n";

fn setup(echo: &Echo, tls: &str) -> Setup {
    let routes = format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    );
    Setup::new(&format!("{tls}\n{routes}")).listen("https = \"{https}\"")
}

/// A header as the echo saw it.
fn header(seen: &Value, name: &str) -> Option<String> {
    let headers = seen["headers"].as_array().expect("a list of headers");
    let found = headers.iter().find(|header| header[0] == name)?;
    found[1].as_str().map(str::to_owned)
}

/// A request over TLS on a connection of its own.
async fn get(
    gateway: &Gateway,
    config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>,
    target: &str,
) -> std::io::Result<portcullis_tests::client::Answer> {
    let stream = connect(gateway.listen.https, "a.test", config).await?;
    Client::over(stream).ask("GET", target, &[], b"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let echo = Echo::start("one").await;
    let authority = Authority::new("authority");
    let first = authority.issue(&["first.test"]);
    let exact = authority.issue(&["a.test", "also-a.test"]);
    let below = authority.issue(&["*.b.test"]);
    let tls = "[tls]\ncertificates = [\n  { certificate = \"first.pem\", key = \"first.key\" },\n  \
               { certificate = \"exact.pem\", key = \"exact.key\" },\n  \
               { certificate = \"below.pem\", key = \"below.key\" },\n]\n";
    let setup = setup(&echo, tls)
        .certificate("first", &first)
        .certificate("exact", &exact)
        .certificate("below", &below);
    let gateway = setup.start().await;
    let cases = [
        ("first.test", &first),
        ("a.test", &exact),
        ("A.TEST", &exact),
        ("also-a.test", &exact),
        ("x.b.test", &below),
    ];
    for (name, want) in cases {
        let config = authority.client(&[], None);
        let stream = connect(gateway.listen.https, name, config).await;
        let stream = stream.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(want.is_of(&stream), "{name}");
    }
    // A star stands for one label; whoever asks for a stranger is shown the first, which has another name.
    for name in ["x.y.b.test", "b.test", "stranger.test"] {
        let config = authority.client(&[], None);
        let refused = connect(gateway.listen.https, name, config).await;
        let error = refused.expect_err(name).to_string();
        assert!(error.contains("not valid for name"), "{name}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_is_what_the_client_offers() {
    let echo = Echo::start("one").await;
    let authority = Authority::new("authority");
    let issued = authority.issue(&["a.test"]);
    let gateway = setup(&echo, CERTIFICATE)
        .certificate("a", &issued)
        .start()
        .await;
    let cases: [(&[&str], Option<&[u8]>); 4] = [
        (&["h2", "http/1.1"], Some(b"h2")),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ];
    for (offered, want) in cases {
        let config = authority.client(offered, None);
        let stream = connect(gateway.listen.https, "a.test", config).await;
        let stream = stream.unwrap_or_else(|error| panic!("{offered:?}: {error}"));
        assert_eq!(stream.get_ref().1.alpn_protocol(), want, "{offered:?}");
    }
    let strange = authority.client(&["spdy/3"], None);
    assert!(
        connect(gateway.listen.https, "a.test", strange)
            .await
            .is_err()
    );
    // The last offered nothing: HTTP/1.1 it is.
    let answer = get(&gateway, authority.client(&[], None), "/plain").await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(
        header(&answer.json(), "x-forwarded-proto"),
        Some("https".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_speaks_both_versions() {
    let echo = Echo::start("one").await;
    let tls = "[tls]\nself_signed = [\"localhost\", \"127.0.0.1\"]\n";
    let gateway = setup(&echo, tls).start().await;
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let url = format!("https://{}/curl", gateway.listen.https);
        let curl = Command::new("curl")
            .args(["-sk", flag, "-w", "\n%{http_version} %{http_code}", &url])
            .output()
            .expect("curl is installed");
        let said = String::from_utf8_lossy(&curl.stdout).into_owned();
        let (body, last) = said.rsplit_once('\n').expect("a line of ours is last");
        assert_eq!(last, format!("{version} 200"), "{said}");
        let seen: Value = serde_json::from_str(body).expect("the echo is JSON");
        assert_eq!(header(&seen, "x-forwarded-proto"), Some("https".into()));
    }
    gateway.says("it is for development").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_and_no_connection_is_closed() {
    let echo = Echo::start("one").await;
    let authority = Authority::new("authority");
    let (old, new) = (authority.issue(&["a.test"]), authority.issue(&["a.test"]));
    let gateway = setup(&echo, CERTIFICATE)
        .certificate("a", &old)
        .start()
        .await;
    let config = authority.client(&[], None);
    let stream = connect(gateway.listen.https, "a.test", config.clone())
        .await
        .expect("TLS");
    assert!(old.is_of(&stream));
    let mut before = Client::over(stream);
    assert_eq!(
        before
            .ask("GET", "/1", &[], b"")
            .await
            .expect("an answer")
            .status,
        200
    );

    // First the certificate alone: its key is not there yet, so the old pair goes on to serve.
    gateway.replace("a.pem", &new.certificate);
    gateway
        .says("the last good content serves on: this is not the key of the certificate")
        .await;
    let stream = connect(gateway.listen.https, "a.test", config.clone())
        .await
        .expect("TLS");
    assert!(old.is_of(&stream));
    let page = gateway.admin("GET", "/certs").await.json();
    assert_eq!(page["certificates"][0]["names"][0], "a.test", "{page}");
    let errors = page["errors"].as_object().expect("a table of errors");
    assert!(errors.keys().any(|file| file.ends_with("a.key")), "{page}");

    gateway.replace("a.key", &new.key);
    gateway
        .says("new handshakes see what the files of TLS say now")
        .await;
    let stream = connect(gateway.listen.https, "a.test", config)
        .await
        .expect("TLS");
    assert!(new.is_of(&stream));
    let page = gateway.admin("GET", "/certs").await.json();
    assert_eq!(page["errors"], serde_json::json!({}), "{page}");
    // Who came before all of it is still served.
    assert_eq!(
        before
            .ask("GET", "/2", &[], b"")
            .await
            .expect("an answer")
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_verified_and_told_to_plugins() {
    let echo = Echo::start("one").await;
    let authority = Authority::new("authority");
    let stranger = Authority::new("stranger");
    let issued = authority.issue(&["a.test"]);
    let told = |params: &mut rcgen::CertificateParams| {
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::OrganizationName, "Example, Inc.");
        name.push(rcgen::DnType::CommonName, "raids");
        params.distinguished_name = name;
        let uri = "spiffe://example.test/raids".try_into().expect("ASCII");
        params.subject_alt_names.push(rcgen::SanType::URI(uri));
    };
    let good = authority.issue_with(&["raids.example.test"], told);
    let bad = stranger.issue(&["raids.example.test"]);
    for (mode, may_come_without) in [("required", false), ("optional", true)] {
        let tls = format!("{CERTIFICATE}client_ca = \"ca.pem\"\nclient_auth = \"{mode}\"\n");
        let toml = format!(
            "{tls}\n[upstream.echo]\nservers = [\"{}\"]\n\n[plugin.stamp]\ncomponent = \"headers.wasm\"\n\n\
             [plugin.stamp.settings.request.set]\nx-subject = \"${{client.cert.subject}}\"\n\
             x-names = \"${{client.cert.dns}} ${{client.cert.uri}}\"\n\n\
             [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nplugins = [\"stamp\"]\nupstream = \"echo\"\n",
            echo.address()
        );
        let gateway = Setup::new(&toml)
            .listen("https = \"{https}\"")
            .certificate("a", &issued)
            .file("ca.pem", &authority.pem())
            .plugin("headers.wasm", guest("headers.wasm"))
            .start()
            .await;
        let answer = get(&gateway, authority.client(&[], Some(&good)), "/good").await;
        let seen = answer.expect("an answer").json();
        let subject = r"CN=raids,O=Example\, Inc.".to_owned();
        assert_eq!(header(&seen, "x-subject"), Some(subject), "{seen}");
        let names = "raids.example.test spiffe://example.test/raids".to_owned();
        assert_eq!(header(&seen, "x-names"), Some(names), "{seen}");
        assert!(
            get(&gateway, authority.client(&[], Some(&bad)), "/bad")
                .await
                .is_err(),
            "{mode}"
        );
        // What a client says itself is not believed: without a certificate the header is gone.
        let without = connect(gateway.listen.https, "a.test", authority.client(&[], None)).await;
        let answer = match without {
            Ok(stream) => {
                let claim = [("x-subject", "CN=raids")];
                Client::over(stream)
                    .ask("GET", "/without", &claim, b"")
                    .await
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) if may_come_without => {
                assert_eq!(header(&answer.json(), "x-subject"), None);
            }
            Err(_) if !may_come_without => {}
            other => panic!("{mode}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let echo = Echo::start("one").await;
    let tls = "[tls]\nself_signed = [\"localhost\"]\nhandshake = \"200ms\"\n";
    let gateway = setup(&echo, tls).start().await;
    for said in [
        &b""[..],
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Client::connect(gateway.listen.https)
            .await
            .expect("it listens");
        client.write(said).await.expect("it is connected");
        let mut ended = false;
        while let Ok(Ok(piece)) =
            tokio::time::timeout(Duration::from_secs(10), client.piece()).await
        {
            // An alert may come first.
            ended = piece.is_empty();
            if ended {
                break;
            }
        }
        assert!(ended, "{said:?}");
    }
    for (outcome, count) in [("timeout", 2), ("failed", 1)] {
        let sample = format!("portcullis_tls_handshakes_total{{outcome=\"{outcome}\"}}");
        gateway.metric_is(&sample, count).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clear_text_is_sent_to_https_and_browsers_are_told_to_stay() {
    let echo = Echo::start("one").await;
    let authority = Authority::new("authority");
    let issued = authority.issue(&["a.test"]);
    let tls = format!("{CERTIFICATE}hsts = {{ max_age = \"365d\", include_subdomains = true }}\n");
    let health = format!(
        "{tls}\n[upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n\n\
         [[route]]\nname = \"health\"\npath = \"/health\"\npublic = true\nupstream = \"echo\"\nredirect_https = false\n",
        echo.address()
    );
    let gateway = Setup::new(&health)
        .listen("https = \"{https}\"\nredirect_https = true")
        .certificate("a", &issued)
        .start()
        .await;
    let answer = gateway
        .ask("POST", "/a%20b?c=d", &[("host", "a.test:80")], b"body")
        .await;
    let want = format!("https://a.test:{}/a%20b?c=d", gateway.listen.https.port());
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some(want.as_str()))
    );
    assert_eq!(answer.header("strict-transport-security"), None);
    assert_eq!(gateway.get("/health", &[]).await.status, 200);
    let secure = get(&gateway, authority.client(&[], None), "/a")
        .await
        .expect("an answer");
    assert_eq!(secure.status, 200);
    let hsts = secure.header("strict-transport-security");
    assert_eq!(hsts, Some("max-age=31536000; includeSubDomains"));
}

#[test]
fn a_bad_file_is_told_with_its_place() {
    let authority = Authority::new("authority");
    let good = authority.issue(&["a.test"]);
    let other = authority.issue(&["a.test"]);
    let expired = authority.issue_with(&["a.test"], |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let early = authority.issue_with(&["a.test"], |params| {
        params.not_before = rcgen::date_time_ymd(3001, 1, 1);
        params.not_after = rcgen::date_time_ymd(3002, 1, 1);
    });
    let cases = [
        (
            "no.pem",
            "good.key",
            "2:34: error: ",
            "no.pem: the file cannot be read: No such file",
        ),
        (
            "good.pem",
            "other.key",
            "2:52: error: ",
            "this is not the key of the certificate",
        ),
        (
            "good.pem",
            "good.pem",
            "2:52: error: ",
            "there is no private key in it",
        ),
        (
            "good.key",
            "good.key",
            "2:34: error: ",
            "there is no certificate in it",
        ),
        (
            "expired.pem",
            "expired.key",
            "2:34: error: ",
            "the certificate expired on ",
        ),
        (
            "early.pem",
            "early.key",
            "2:34: error: ",
            "the certificate is not valid before ",
        ),
    ];
    for (certificate, key, place, message) in cases {
        let toml = format!(
            "[tls]\ncertificates = [{{ certificate = \"{certificate}\", key = \"{key}\" }}]\n\n\
             [upstream.u]\nservers = [\"127.0.0.1:3000\"]\n\n\
             [[route]]\nname = \"r\"\npath = \"/\"\npublic = true\nupstream = \"u\"\n\n\
             [listen]\nhttp = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n"
        );
        let setup = Setup::whole(&toml)
            .certificate("good", &good)
            .certificate("other", &other)
            .certificate("expired", &expired)
            .certificate("early", &early);
        let output = setup.check();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains(place) && told.contains(message),
            "{certificate} {key}:\n{told}"
        );
        assert!(told.contains("\n   hint: "), "{told}");
    }
}
