//! TLS on the admin listener, and clients that are known by their certificates.

use std::sync::Arc;

use portcullis_tests::client::{Answer, Client};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::tls::{Authority, Issued, connect};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::wait;
use tokio_rustls::rustls::ClientConfig;

use super::toml;

const TOKEN: &str = "token-0123456789abcdef";

fn setup(echo: &Echo, shown: &Issued, clients: &Authority, tls: &str) -> Setup {
    let admin =
        format!("[admin]\ntokens = [{{ name = \"ci\", token = \"{TOKEN}\", role = \"write\" }}]\n");
    let tls = format!(
        "[admin.tls]\ncertificate = \"admin.pem\"\nkey = \"admin.key\"\nclient_ca = \"clients.pem\"\n{tls}\n"
    );
    Setup::new(&format!("{admin}{tls}{}", toml(echo)))
        .certificate("admin", shown)
        .file("clients.pem", &clients.pem())
}

async fn ask(
    gateway: &Gateway,
    config: &Arc<ClientConfig>,
    (method, page): (&str, &str),
    token: Option<&str>,
) -> std::io::Result<Answer> {
    let stream = connect(gateway.listen.admin, "127.0.0.1", config.clone()).await?;
    let value = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("host", "127.0.0.1")];
    headers.extend(value.iter().map(|value| ("authorization", &**value)));
    Client::over(stream).ask(method, page, &headers, b"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_authority_may_look_and_one_of_another_may_nothing() {
    let echo = Echo::start("one").await;
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let shown = servers.issue(&["127.0.0.1"]);
    let (good, bad) = (clients.issue(&["ops.test"]), servers.issue(&["ops.test"]));
    let gateway = setup(&echo, &shown, &clients, "").start().await;
    let [known, unknown] = [&good, &bad].map(|issued| servers.client(&["http/1.1"], Some(issued)));
    let nobody = servers.client(&["http/1.1"], None);
    let looked = ask(&gateway, &known, ("GET", "/routes"), None)
        .await
        .expect("it is known");
    assert_eq!(looked.status, 200);
    let changed = ask(&gateway, &known, ("POST", "/reload"), None)
        .await
        .expect("it is known");
    assert_eq!(changed.status, 403, "client_role is read");
    let both = ask(&gateway, &known, ("POST", "/reload"), Some(TOKEN))
        .await
        .expect("it is known");
    assert_eq!(both.status, 200, "{both:?}");
    let wrong = ask(&gateway, &known, ("GET", "/routes"), Some("x"))
        .await
        .expect("it is known");
    assert_eq!(
        wrong.status, 401,
        "a bad token is refused whatever else there is"
    );
    for config in [&unknown, &nobody] {
        let answer = ask(&gateway, config, ("GET", "/livez"), Some(TOKEN)).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    // Clear text is no HTTP here.
    let mut clear = Client::connect(gateway.listen.admin)
        .await
        .expect("it accepts");
    assert!(clear.ask("GET", "/livez", &[], b"").await.is_err());
    let ports = format!("--admin https://{} --admin-ca ca.pem", gateway.listen.admin);
    gateway.replace("ca.pem", &servers.pem());
    gateway.replace("me.pem", &good.certificate);
    gateway.replace("me.key", &good.key);
    let command = format!("reload {ports} --admin-cert me.pem --admin-key me.key");
    let output = gateway
        .command_here(&command, &[("PORTCULLIS_ADMIN_TOKEN", TOKEN)])
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_certificates_are_optional_a_token_is_as_good_and_renewal_needs_no_restart() {
    let echo = Echo::start("one").await;
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let shown = servers.issue(&["127.0.0.1"]);
    let gateway = setup(
        &echo,
        &shown,
        &clients,
        "client_auth = \"optional\"\nclient_role = \"write\"",
    )
    .start()
    .await;
    let nobody = servers.client(&["h2", "http/1.1"], None);
    for (token, status) in [(None, 401), (Some(TOKEN), 200)] {
        let answer = ask(&gateway, &nobody, ("POST", "/reload"), token)
            .await
            .expect("TLS");
        assert_eq!(answer.status, status, "{token:?}");
    }
    let known = servers.client(&["http/1.1"], Some(&clients.issue(&["ops.test"])));
    let answer = ask(&gateway, &known, ("POST", "/reload"), None)
        .await
        .expect("TLS");
    assert_eq!(answer.status, 200, "client_role is write");
    let renewed = servers.issue(&["127.0.0.1"]);
    gateway.replace("admin.key", &renewed.key);
    gateway.replace("admin.pem", &renewed.certificate);
    wait::until("the renewed certificate", async || {
        let stream = connect(gateway.listen.admin, "127.0.0.1", nobody.clone())
            .await
            .expect("TLS");
        renewed.is_of(&stream)
    })
    .await;
}
