//! A cookie keeps a client on its server, and tells nothing of it.

use portcullis_tests::client::Answer;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::moody::Moody;

use super::toml;

const SECRET: &str = "0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_keeps_a_client_on_its_server() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let gateway = Gateway::start(&pair(&one, &two)).await;
    for _ in 0..4 {
        let first = gateway.get("/echo", &[]).await;
        let cookie = cookie(&first).expect("a first answer sets it");
        let (name, value) = cookie.split_once('=').expect("a cookie");
        assert_eq!(name, "gw");
        assert!(
            value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit()),
            "{value}"
        );
        let line = first.header("set-cookie").expect("it is set");
        assert!(
            line.ends_with("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"),
            "{line}"
        );
        let sent = format!("other=1; {cookie}; more=2");
        for _ in 0..4 {
            let again = gateway.get("/echo", &[("cookie", &sent)]).await;
            assert_eq!(again.json()["server"], first.json()["server"]);
            assert_eq!(again.header("set-cookie"), None, "it has it already");
        }
    }
    assert!(one.served() > 0 && two.served() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_server_that_is_gone_gets_another_and_its_cookie() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let gateway = Gateway::start(&pair(&one, &two)).await;
    let first = gateway.get("/echo", &[]).await;
    let old = cookie(&first).expect("a first answer sets it");
    let (gone, stays) = if first.json()["server"] == "one" {
        (one, two)
    } else {
        (two, one)
    };
    gone.kill().await;
    let moved = gateway.get("/echo", &[("cookie", &old)]).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let new = cookie(&moved).expect("it is set anew");
    assert_ne!(new, old);
    let served = stays.served();
    for _ in 0..4 {
        let again = gateway.get("/echo", &[("cookie", &new)]).await;
        assert_eq!((again.status, again.header("set-cookie")), (200, None));
    }
    assert_eq!(stays.served(), served + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_the_same_for_gateways_with_one_secret_and_another_for_another() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let text = pair(&one, &two);
    let first = Gateway::start(&text).await;
    let second = Setup::new(&text.replace(&format!("\"{SECRET}\""), "{ env = \"STICKY\" }"))
        .env("STICKY", SECRET)
        .start()
        .await;
    let third = Gateway::start(&text.replace(SECRET, "another-secret-of-16")).await;
    let answer = first.get("/echo", &[]).await;
    let cookie = cookie(&answer).expect("a first answer sets it");
    let there = second.get("/echo", &[("cookie", &cookie)]).await;
    assert_eq!(there.header("set-cookie"), None);
    assert_eq!(there.json()["server"], answer.json()["server"]);
    let elsewhere = third.get("/echo", &[("cookie", &cookie)]).await;
    assert!(elsewhere.header("set-cookie").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_cookie_is_no_cookie() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let gateway = Gateway::start(&pair(&one, &two)).await;
    let forged = [
        "gw=".to_owned(),
        format!("gw={}", "0".repeat(32)),
        format!("gw={}", one.address()),
        format!("gw={}", "f".repeat(4000)),
        "gw=+0000000000000000000000000000000".to_owned(),
        "gw".to_owned(),
    ];
    for forged in forged {
        let answer = gateway.get("/echo", &[("cookie", &forged)]).await;
        assert_eq!(answer.status, 200, "{forged}");
        assert!(answer.header("set-cookie").is_some(), "{forged}");
    }
}

fn cookie(answer: &Answer) -> Option<String> {
    let line = answer.header("set-cookie")?;
    line.split(';').next().map(str::to_owned)
}

fn pair(one: &Moody, two: &Moody) -> String {
    let servers = format!("\"{}\", \"{}\"", one.address(), two.address());
    let sticky = format!("sticky = {{ cookie = \"gw\", secret = \"{SECRET}\", max_age = \"1h\" }}");
    toml(&servers, &sticky)
}
