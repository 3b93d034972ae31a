//! Secrets, and bodies, which have most of them.

use portcullis_tests::telegram;
use serde_json::json;

use super::{SECRET, start};

/// Everything that can be told is asked for, and every place has the secret.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_wherever_it_stands() {
    let (gateway, _echo) = start(
        "[log]\nfields = [\"path\", \"query\", \"because\", \"host\"]\n\
         request_headers = [\"authorization\", \"Cookie\", \"referer\", \"x-own\", \"x-data\", \"x-telegram-init-data\", \"proxy-authorization\"]\n\
         response_headers = [\"set-cookie\", \"location\"]\n\
         redact = { headers = [\"X-Own\"], parameters = [\"Phone\"], members = [\"Card-Number\"] }\n",
    )
    .await;
    let init_data = format!("query_id=A&user=%7B%22id%22%3A7%7D&auth_date=1&hash={SECRET}");
    let encoded = telegram::query_value(&init_data);
    let twice = encoded.replace('%', "%25");
    let mut queries = vec![
        format!("tma={encoded}"),
        format!("anything={encoded}"),
        format!("anything={twice}"),
        format!("a=1&next=/x?token={SECRET}"),
        format!("a=1&next=%2Fx%3Ftoken%3D{SECRET}"),
        format!("a[password]={SECRET}"),
    ];
    for name in [
        "tma",
        "TMA",
        "t%6Da",
        "%74%6d%61",
        "%2574ma",
        "initData",
        "init-data",
        "tgWebAppData",
        "token",
        "access_token",
        "API_KEY",
        "x;tma",
        "code",
        "signature",
        "phone",
        "PHONE",
    ] {
        queries.push(format!("a=1&{name}={SECRET}&b=2"));
    }
    let bearer = format!("Bearer {SECRET}");
    let tma = format!("tma {init_data}");
    let cookie = format!("a=1; session={SECRET}");
    for query in &queries {
        let target = format!("/echo/x?{query}");
        let referer = format!("https://app.test/?{query}#tgWebAppData={encoded}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("proxy-authorization", tma.as_str()),
            ("cookie", cookie.as_str()),
            ("referer", referer.as_str()),
            ("x-own", SECRET),
            ("x-data", init_data.as_str()),
            ("x-telegram-init-data", init_data.as_str()),
        ];
        assert_eq!(gateway.get(&target, &headers).await.status, 200, "{target}");
        gateway.get(&format!("/nowhere?{query}"), &headers).await;
    }
    let bodies = [
        (
            "application/json",
            format!(
                r#"{{"a":{{"password":"{SECRET}"}},"card_number":"{SECRET}","b":"{init_data}"}}"#
            ),
        ),
        (
            "application/problem+json; charset=utf-8",
            format!(r#"[{{"TOKEN":["{SECRET}"]}}]"#),
        ),
        ("application/json", format!(r#"{{"password":"{SECRET}"#)),
        (
            "application/x-www-form-urlencoded",
            format!("a=1&password={SECRET}&%70assword={SECRET}"),
        ),
        ("text/plain", format!("password: {SECRET}")),
        (
            "multipart/form-data; boundary=x",
            format!("--x\r\n\r\n{SECRET}"),
        ),
        (
            "application/json",
            format!(
                "{{\"pad\":\"{}\",\"password\":\"{SECRET}\"}}",
                "x".repeat(70_000)
            ),
        ),
    ];
    for (number, (kind, body)) in bodies.iter().enumerate() {
        // The echo tells in JSON what it heard, text included, in which nobody finds a secret.
        let target = match number {
            0..4 => "/told/x",
            _ => "/heard/x",
        };
        let headers = [("content-type", *kind)];
        gateway.ask("POST", target, &headers, body.as_bytes()).await;
    }
    gateway.get("/login", &[]).await;
    gateway.get("/echo/last", &[]).await;
    gateway.log_line(|line| line["path"] == "/echo/last").await;
    let said = gateway.everything_said() + &gateway.admin("GET", "/metrics").await.text();
    let lines = said
        .lines()
        .filter(|line| line.contains("\"path\""))
        .count();
    assert_eq!(lines, 2 * queries.len() + bodies.len() + 2);
    let shown: Vec<_> = said.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert!(
        said.contains("\"location\":\"/x?code=[redacted]&n=1\""),
        "{said}"
    );
    assert!(
        said.contains("a=1&tma=[redacted]&b=2"),
        "what is no secret is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_told_only_where_a_route_asks_and_what_they_say_goes_on_unchanged() {
    let (gateway, _echo) = start("").await;
    let headers = [
        ("content-type", "application/json"),
        ("accept-encoding", "gzip"),
    ];
    let body = br#"{"title":"raid","password":"x","n":1}"#;
    let answer = gateway.ask("POST", "/told/a", &headers, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let line = gateway.log_line(|line| line["path"] == "/told/a").await;
    let expected = json!({"title": "raid", "password": "[redacted]", "n": 1});
    assert_eq!(line["request_body"], expected, "{line}");
    assert!(line["response_body"].is_object(), "{line}");
    let other = gateway.ask("POST", "/echo/a", &headers, body).await;
    assert_eq!(other.status, 200, "{other:?}");
    let line = gateway.log_line(|line| line["path"] == "/echo/a").await;
    assert!(
        line.get("request_body").is_none() && line.get("response_body").is_none(),
        "{line}"
    );
    let large = format!("{{\"pad\":\"{}\"}}", "x".repeat(70_000));
    gateway
        .ask("POST", "/told/large", &headers, large.as_bytes())
        .await;
    let line = gateway.log_line(|line| line["path"] == "/told/large").await;
    assert_eq!(
        line["request_body"],
        json!({"untold": "more than 65536 bytes"}),
        "{line}"
    );
    assert_eq!(line["bytes_in"], large.len(), "{line}");
}
