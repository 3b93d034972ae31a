//! Who asks, behind a trusted proxy.

use portcullis_tests::upstream::echo::Echo;

use super::behind_a_proxy;

type Lines<'a> = &'a [(&'a str, &'a str)];

const XFF: &str = "x-forwarded-for";
const XFP: &str = "x-forwarded-proto";
const FORWARDED: &str = "forwarded";

fn route(echo: &Echo, keys: &str) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n[[route]]\nname = \"r\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n{keys}\n",
        echo.address()
    )
}

/// The proxy is in the list, and whoever is behind it is not.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_is_never_taken_for_the_proxy() {
    let echo = Echo::start("one").await;
    let inside = "access = { allow = [\"127.0.0.0/8\", \"192.0.2.0/24\", \"2001:db8:1::/48\"] }";
    let gateway = behind_a_proxy(&route(&echo, inside)).start().await;
    let rows: &[(Lines<'_>, u16)] = &[
        (&[], 200),
        (&[(XFF, "203.0.113.9")], 403),
        (&[(XFF, "203.0.113.9:4711")], 403),
        (&[(XFF, "\"203.0.113.9:4711\"")], 403),
        (&[(XFF, "[2001:db8::1]:5")], 403),
        (&[(XFF, "[2001:db8::1]")], 403),
        (&[(XFF, " 203.0.113.9 ")], 403),
        (&[(XFF, "unknown")], 403),
        (&[(XFF, "_hidden")], 403),
        (&[(XFF, "")], 403),
        (&[(XFF, "192.0.2.1, unknown")], 403),
        (&[(XFF, "192.0.2.1,")], 403),
        (&[(XFF, "192.0.2.1, , 127.0.0.5")], 403),
        (&[(XFF, "192.0.2.1"), (XFF, "")], 403),
        (&[(FORWARDED, "for=192.0.2.1,")], 403),
        (&[(XFF, ",192.0.2.1")], 200),
        (&[(XFF, "203.0.113.9, 127.0.0.5:1")], 403),
        (&[(FORWARDED, "for=9.9.9.9")], 403),
        (&[(FORWARDED, "for=\"[2001:db8::1]:4711\"")], 403),
        (&[(FORWARDED, "for=unknown")], 403),
        (&[(FORWARDED, "nonsense")], 403),
        (&[(XFF, "203.0.113.9"), (FORWARDED, "for=192.0.2.1")], 403),
        (&[(FORWARDED, "for=203.0.113.9"), (XFF, "192.0.2.1")], 403),
        (&[(XFF, "192.0.2.1:4711")], 200),
        (&[(XFF, "[2001:db8:1::5]:80")], 200),
        (&[(FORWARDED, "for=\"192.0.2.1:4711\";proto=https")], 200),
        (&[(XFF, "192.0.2.1:1"), (FORWARDED, "for=192.0.2.1")], 200),
    ];
    for (lines, want) in rows {
        let answer = gateway.get("/", lines).await;
        assert_eq!(answer.status, *want, "{lines:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_may_be_the_one_who_is_denied() {
    let echo = Echo::start("one").await;
    let toml = route(&echo, "access = { deny = [\"203.0.113.0/24\"] }");
    let gateway = behind_a_proxy(&toml).start().await;
    for (from, want) in [
        ("203.0.113.9:80", 403),
        ("unknown", 403),
        ("192.0.2.1:80", 200),
    ] {
        assert_eq!(
            gateway.get("/", &[(XFF, from)]).await.status,
            want,
            "{from}"
        );
    }
    let line = gateway
        .log_line(|line| line["not_understood"].is_string())
        .await;
    assert_eq!(line["not_understood"], "x-forwarded-for: unknown");
    assert_eq!(
        (&line["client_ip"], &line["status"]),
        (&serde_json::Value::Null, &403.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_has_a_count_of_its_own_and_the_unknown_share_one() {
    let echo = Echo::start("one").await;
    let toml = route(
        &echo,
        "rate_limit = [{ per = \"client_ip\", limit = \"1/1h\" }]",
    );
    let gateway = behind_a_proxy(&toml).start().await;
    let rows: &[(Lines<'_>, u16)] = &[
        (&[(XFF, "203.0.113.1:1")], 200),
        (&[(XFF, "203.0.113.2:1")], 200),
        (&[(XFF, "203.0.113.3:1")], 200),
        (&[(XFF, "203.0.113.3:2")], 429),
        (&[(XFF, "203.0.113.3")], 429),
        (&[(FORWARDED, "for=203.0.113.3")], 429),
        (&[(XFF, "unknown")], 200),
        (&[(XFF, "_x")], 429),
        (&[], 200),
        (&[], 429),
    ];
    for (lines, want) in rows {
        assert_eq!(gateway.get("/", lines).await.status, *want, "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_the_client_and_never_the_proxy_for_it() {
    let echo = Echo::start("one").await;
    let gateway = behind_a_proxy(&route(&echo, "")).start().await;
    let rows: &[(Lines<'_>, &str)] = &[
        (&[(XFF, "203.0.113.9:4711")], "203.0.113.9, 127.0.0.1"),
        (&[(XFF, "[2001:db8::1]:5")], "2001:db8::1, 127.0.0.1"),
        (&[(XFF, "unknown")], "unknown, 127.0.0.1"),
        (&[(FORWARDED, "for=9.9.9.9")], "9.9.9.9, 127.0.0.1"),
    ];
    for (lines, want) in rows {
        let answer = gateway.get("/", lines).await;
        assert_eq!(answer.saw(XFF).as_deref(), Some(*want), "{lines:?}");
    }
}

/// A client that comes back the same is not sent away again.
#[tokio::test(flavor = "multi_thread")]
async fn no_scheme_makes_an_endless_redirect() {
    let echo = Echo::start("one").await;
    let gateway = behind_a_proxy(&route(&echo, "redirect_https = true"))
        .start()
        .await;
    let rows: &[(Lines<'_>, u16)] = &[
        (&[], 308),
        (&[(XFP, "http")], 308),
        (&[(XFP, "https")], 200),
        (&[(XFP, "HTTPS")], 200),
        (&[(XFP, "https,http")], 200),
        (&[(XFP, "https, http")], 200),
        (&[(XFP, "wss")], 200),
        (&[(FORWARDED, "for=9.9.9.9;proto=https")], 200),
        (&[(FORWARDED, "for=9.9.9.9;proto=\"HTTPS\"")], 200),
        (&[(FORWARDED, "for=9.9.9.9;proto=http")], 308),
        (&[(XFP, "on")], 400),
        (&[(XFP, "https/1.1")], 400),
        (&[(XFP, "")], 400),
        (
            &[(XFP, "http"), (FORWARDED, "for=9.9.9.9;proto=https")],
            400,
        ),
    ];
    for (lines, want) in rows {
        let answer = gateway.get("/", lines).await;
        assert_eq!(answer.status, *want, "{lines:?}: {answer:?}");
    }
}

/// The proxy writes `Forwarded` and leaves the older headers as its client wrote them.
#[tokio::test(flavor = "multi_thread")]
async fn host_and_scheme_are_read_where_the_client_is() {
    const XFH: &str = "x-forwarded-host";
    let echo = Echo::start("one").await;
    let said: Lines<'_> = &[
        (FORWARDED, "for=9.9.9.9;host=real.test;proto=http"),
        (XFH, "evil.test"),
        (XFP, "https"),
    ];
    for (from, redirected, host) in [
        ("forwarded", 308, "real.test"),
        ("x-forwarded-for", 200, "evil.test"),
        ("either", 400, "gate.test"),
    ] {
        let key = format!("client_address = \"{from}\"");
        let start = async |keys: &str| {
            behind_a_proxy(&route(&echo, keys))
                .listen(&key)
                .start()
                .await
        };
        let gateway = start("redirect_https = true").await;
        assert_eq!(gateway.get("/", said).await.status, redirected, "{from}");
        let gateway = start("").await;
        let lines = [said, &[("host", "gate.test")]].concat();
        let answer = gateway.get("/", &lines).await;
        assert_eq!(answer.saw(XFH).as_deref(), Some(host), "{from}: {answer:?}");
    }
}

/// A network has one form, whoever writes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_mapped_addresses_holds_its_clients() {
    let echo = Echo::start("one").await;
    for (keys, want) in [
        ("access = { deny = [\"::ffff:127.0.0.1\"] }", 403),
        ("access = { deny = [\"::ffff:127.0.0.0/104\"] }", 403),
        ("access = { deny = [\"::ffff:0:0/96\"] }", 403),
        ("access = { allow = [\"::ffff:127.0.0.0/104\"] }", 200),
        ("access = { deny = [\"::/0\"] }", 200),
        (
            "maintenance = { on = true, allow = [\"::ffff:127.0.0.1\"] }",
            200,
        ),
    ] {
        let gateway = portcullis_tests::gateway::Gateway::start(&route(&echo, keys)).await;
        assert_eq!(gateway.get("/", &[]).await.status, want, "{keys}");
    }
    let inside = route(&echo, "access = { allow = [\"127.0.0.0/8\"] }");
    let gateway = portcullis_tests::gateway::Setup::new(&inside)
        .listen("trusted_proxies = [\"::ffff:127.0.0.0/104\"]")
        .start()
        .await;
    assert_eq!(gateway.get("/", &[(XFF, "203.0.113.9")]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_word_counts_for_nothing() {
    let echo = Echo::start("one").await;
    let keys = "redirect_https = true\naccess = { allow = [\"127.0.0.0/8\"] }";
    let gateway = portcullis_tests::gateway::Gateway::start(&route(&echo, keys)).await;
    for lines in [
        [(XFP, "https")],
        [(FORWARDED, "for=9.9.9.9;proto=https")],
        [(XFF, "203.0.113.9")],
        [(XFP, "on")],
    ] {
        assert_eq!(gateway.get("/", &lines).await.status, 308, "{lines:?}");
    }
}
