//! One host, however it is spelled.

use std::time::Duration;

use portcullis_tests::client::plain;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::echo::Echo;

/// A route for one host that nobody here may take, beside one that everybody may.
fn toml(echo: &Echo, host: &str) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\npreserve_host = true\n\n\
        [[route]]\nname = \"inner\"\nhost = \"{host}\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\naccess = {{ allow = [\"10.0.0.0/8\"] }}\n\n\
        [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_host_goes_round_its_route() {
    let echo = Echo::start("one").await;
    let table: &[(&str, &[&str])] = &[
        (
            "inner.test",
            &[
                "inner.test",
                "INNER.test",
                "inner.test.",
                "Inner.Test.:80",
                "inner.test:80",
                "inner.test:0080",
            ],
        ),
        ("Inner.Test.", &["inner.test", "inner.test."]),
        (
            "*.inner.test",
            &["a.inner.test", "a.b.inner.test.", "A.INNER.TEST.:1"],
        ),
        ("*.inner.test.", &["a.inner.test", "a.inner.test."]),
        ("192.0.2.1", &["192.0.2.1", "192.0.2.1.", "192.0.2.1:80"]),
        (
            "[2001:db8::1]",
            &["[2001:db8::1]", "[2001:DB8:0:0::1]", "[2001:0db8::0001]:80"],
        ),
    ];
    for (written, spellings) in table {
        let gateway = Gateway::start(&toml(&echo, written)).await;
        for host in *spellings {
            let answer = gateway.get("/", &[("host", host)]).await;
            assert_eq!(answer.status, 403, "{host} of {written}: {answer:?}");
            let target = format!("http://{host}/");
            let answer = gateway.get(&target, &[("host", "other.test")]).await;
            assert_eq!(answer.status, 403, "{target} of {written}: {answer:?}");
        }
        let answer = gateway.get("/", &[("host", "other.test")]).await;
        assert_eq!(answer.status, 200, "{written}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_host_or_more_than_one_is_refused() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo, "inner.test")).await;
    for host in [
        "",
        ".",
        "inner.test..",
        ".inner.test",
        "a..test",
        "u@inner.test",
        "inner.test:",
        "%69nner.test",
        "inner.test,other.test",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "[::1",
        "[::ffff:1.2.3.4%25a]",
        "inner.test/x",
    ] {
        let answer = gateway.get("/", &[("host", host)]).await;
        assert_eq!(answer.status, 400, "{host:?}: {answer:?}");
    }
    assert_eq!(echo.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_asked_for_the_host_that_was_routed() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo, "inner.test")).await;
    let answer = gateway.get("/", &[("host", "Other.Test.:80")]).await;
    assert_eq!(answer.saw("host").as_deref(), Some("other.test:80"));
    assert_eq!(
        answer.saw("x-forwarded-host").as_deref(),
        Some("other.test:80")
    );
}

async fn without_host(gateway: &Gateway) -> u16 {
    let bytes = b"GET /secret HTTP/1.0\r\n\r\n";
    let raw = plain::raw(gateway.listen.http, bytes, Duration::from_secs(5)).await;
    raw.answers.first().map_or(0, |answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_host_goes_round_nothing() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo, "inner.test")).await;
    assert_eq!(
        without_host(&gateway).await,
        400,
        "there are routes for hosts"
    );
    let all = |keys: &str| {
        format!(
            "[upstream.echo]\nservers = [\"{}\"]\n\n[[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n{keys}\n",
            echo.address()
        )
    };
    let gateway = Setup::new(&all("redirect_https = true"))
        .listen("https_port = 443")
        .start()
        .await;
    assert_eq!(
        without_host(&gateway).await,
        400,
        "nothing is served in clear text"
    );
    assert_eq!(echo.served(), 0);
    let gateway = Gateway::start(&all("")).await;
    assert_eq!(
        without_host(&gateway).await,
        200,
        "nothing depends on the host"
    );
}
