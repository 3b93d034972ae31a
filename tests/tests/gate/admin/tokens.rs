//! Tokens: who may look, who may change something, who may not.

use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;
use serde_json::Value;

use super::toml;

const READ: &str = "read-0123456789abcdef";
const WRITE: &str = "write-0123456789abcdef";

const ADMIN: &str = "[admin]\ntokens = [\n  { name = \"looker\", token = { env = \"READ_TOKEN\" } },\n  \
                     { name = \"ci\", token = { file = \"write.token\" }, role = \"write\" },\n]\n";

fn setup(echo: &Echo, admin: &str) -> Setup {
    Setup::new(&format!("{admin}{}", toml(echo)))
        .env("READ_TOKEN", READ)
        .file("write.token", &format!("{WRITE}\n"))
}

async fn ask(gateway: &Gateway, method: &str, page: &str, token: Option<&str>) -> (u16, Value) {
    let value = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = value.iter().map(|v| ("authorization", &**v)).collect();
    let answer = gateway.ask_admin(method, page, &headers, b"").await;
    let json = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, json)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_what_its_role_says_and_a_wrong_one_nothing() {
    let echo = Echo::start("one").await;
    let gateway = setup(&echo, ADMIN).start().await;
    let wrong = WRITE.replace("abcdef", "abcdee");
    let longer = format!("{WRITE}0");
    for (token, looks, changes) in [
        (None, 401, 401),
        (Some(READ), 200, 403),
        (Some(WRITE), 200, 200),
        (Some(wrong.as_str()), 401, 401),
        (Some(longer.as_str()), 401, 401),
        (Some(&WRITE[..21]), 401, 401),
        (Some(""), 401, 401),
    ] {
        for page in [
            "/routes",
            "/metrics",
            "/config",
            "/plugins",
            "/openapi.json",
        ] {
            let (status, _) = ask(&gateway, "GET", page, token).await;
            assert_eq!(status, looks, "{token:?} {page}");
        }
        let (status, problem) = ask(&gateway, "POST", "/reload", token).await;
        assert_eq!(status, changes, "{token:?} {problem}");
        for probe in ["/livez", "/readyz"] {
            assert_eq!(ask(&gateway, "GET", probe, token).await.0, 200, "{token:?}");
        }
    }
    let unasked = gateway.admin("GET", "/routes").await;
    let challenge = unasked
        .header("www-authenticate")
        .expect("RFC 9110 section 15.5.2");
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    for scheme in ["Basic", "bearer", "BEARER", "Token"] {
        let value = format!("{scheme} {READ}");
        let answer = gateway
            .ask_admin("GET", "/routes", &[("authorization", &value)], b"")
            .await;
        let known = scheme.eq_ignore_ascii_case("bearer");
        assert_eq!(answer.status == 200, known, "{scheme}");
    }
    let good = format!("Bearer {WRITE}");
    let twice = [
        ("authorization", good.as_str()),
        ("authorization", "Bearer x"),
    ];
    assert_eq!(
        gateway
            .ask_admin("GET", "/routes", &twice, b"")
            .await
            .status,
        401
    );
    // Who did it, and who was turned away; never with what.
    gateway
        .says(r#""by":"ci at 127.0.0.1"#.trim_end_matches('"'))
        .await;
    gateway
        .says(r#""detail":"POST /reload: 403 Forbidden""#)
        .await;
    gateway
        .says(r#""detail":"POST /reload: 401 Unauthorized""#)
        .await;
    for secret in [READ, WRITE, &wrong] {
        assert!(!gateway.everything_said().contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_serves_after_a_reload_and_the_old_one_no_longer() {
    let echo = Echo::start("one").await;
    let gateway = setup(&echo, ADMIN).start().await;
    gateway.replace("write.token", "another-0123456789abcdef");
    assert_eq!(ask(&gateway, "POST", "/reload", Some(WRITE)).await.0, 200);
    assert_eq!(ask(&gateway, "POST", "/reload", Some(WRITE)).await.0, 401);
    let another = Some("another-0123456789abcdef");
    assert_eq!(ask(&gateway, "POST", "/reload", another).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_nobody_comes_in_without_a_token_whatever_a_reload_says() {
    let echo = Echo::start("one").await;
    let listen = "[listen]\nhttp = \"127.0.0.1:8080\"\nadmin = \"0.0.0.0:{admin_port}\"\n";
    let open = format!("{listen}\n{}", toml(&echo));
    let checked = Setup::whole(&open).check();
    assert_eq!(checked.status.code(), Some(2));
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        said.contains("nobody is asked who he is") && said.contains("hint"),
        "{said}"
    );
    let closed = format!("{listen}\n{ADMIN}\n{}", toml(&echo));
    let setup = Setup::whole(&closed)
        .env("READ_TOKEN", READ)
        .file("write.token", WRITE);
    let gateway = setup.start().await;
    assert_eq!(ask(&gateway, "GET", "/routes", None).await.0, 401);
    assert_eq!(ask(&gateway, "GET", "/routes", Some(READ)).await.0, 200);
    // Names are for those who say who they are.
    let value = format!("Bearer {READ}");
    let named = [("host", "gateway.internal:9901"), ("authorization", &value)];
    assert_eq!(
        gateway
            .ask_admin("GET", "/routes", &named, b"")
            .await
            .status,
        200
    );
    // On loopback from the next start on; until then the listener is where it was.
    gateway.rewrite(&open.replace("0.0.0.0:{admin_port}", "127.0.0.1:9901"));
    let (status, _) = ask(&gateway, "POST", "/reload", Some(WRITE)).await;
    assert!(
        matches!(status, 200 | 401),
        "{status}: reloaded by this, or by the file"
    );
    for page in ["/routes", "/config"] {
        assert_eq!(ask(&gateway, "GET", page, None).await.0, 401, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_who_they_are() {
    let echo = Echo::start("one").await;
    let gateway = setup(&echo, ADMIN).start().await;
    // By the configuration, which has the token.
    assert!(gateway.command("reload").expect("it runs").status.success());
    assert!(
        gateway
            .command("top --once")
            .expect("it runs")
            .status
            .success()
    );
    let admin = format!("--admin {}", gateway.listen.admin);
    let ask = |name: &str, token: &str| {
        let environment = [("PORTCULLIS_ADMIN_TOKEN", token)];
        let output = gateway
            .command_here(&format!("{name} {admin}"), &environment)
            .expect("it runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(ask("reload", WRITE).0, Some(0));
    assert_eq!(ask("top --once", READ).0, Some(0));
    let (code, said) = ask("reload", READ);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("write") && said.contains("PORTCULLIS_ADMIN_TOKEN"),
        "{said}"
    );
    let (code, said) = ask("reload", "wrong-0123456789abcdef");
    assert_eq!(code, Some(2), "{said}");
    assert!(!said.contains("wrong-0123456789abcdef"), "{said}");
}
