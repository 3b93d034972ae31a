//! The access log: what it tells, of which exchanges, and where.

use std::time::Duration;

use portcullis_tests::client::{Client, plain};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram;
use portcullis_tests::upstream::echo::Echo;
use rustix::process::Signal;
use serde_json::{Value, json};

/// No line, no label and no message may hold it.
const SECRET: &str = "S3CR3T-of-this-test";

fn toml(echo: &Echo, log: &str) -> String {
    format!(
        r#"
{log}

[upstream.echo]
servers = ["{}"]

[[route]]
name = "echo"
path = "/echo/**"
public = true
upstream = "echo"

[[route]]
name = "told"
path = "/told/**"
public = true
upstream = "echo"
log = {{ request_body = "64KiB", response_body = "64KiB" }}
compress = true

[[route]]
name = "heard"
path = "/heard/**"
public = true
upstream = "echo"
log = {{ request_body = "64KiB" }}

[[route]]
name = "login"
path = "/login"
public = true
respond = {{ body = '{{"token":"{SECRET}","user":7}}', headers = {{ content-type = "application/json", set-cookie = "s={SECRET}", location = "/x?code={SECRET}&n=1" }} }}
log = {{ response_body = "1KiB" }}
"#,
        echo.address()
    )
}

async fn start(log: &str) -> (Gateway, Echo) {
    let echo = Echo::start("one").await;
    (Gateway::start(&toml(&echo, log)).await, echo)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_has_the_chosen_fields_in_one_order_and_the_chosen_headers() {
    let (gateway, _echo) = start(
        "[log]\nfields = [\"status\", \"path\", \"method\", \"query\"]\n\
         request_headers = [\"User-Agent\", \"x-absent\"]\nresponse_headers = [\"content-type\"]\n",
    )
    .await;
    gateway
        .get(
            "/login?page=2&token=1",
            &[("user-agent", "tests"), ("accept", "*/*")],
        )
        .await;
    gateway.log_line(|line| line["path"] == "/login").await;
    let said = gateway.stdout();
    let line = said.lines().next().unwrap_or_default();
    let expected = concat!(
        r#"{"method":"GET","path":"/login","query":"page=2&token=[redacted]","status":200,"#,
        r#""request_headers":{"user-agent":"tests"},"response_headers":{"content-type":"application/json"},"#,
        r#""response_body":{"token":"[redacted]","user":7}}"#
    );
    assert_eq!(line, expected);
}

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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sampled_out_is_counted_and_errors_are_told_all_the_same() {
    let (gateway, echo) = start(
        "[log]\nsample = [{ route = \"login\", share = \"100%\" }, { status = \"2xx\", share = \"0%\" }]\n",
    )
    .await;
    for _ in 0..20 {
        gateway.get("/echo/quiet", &[]).await;
        gateway.get("/nowhere", &[]).await;
    }
    gateway.get("/login", &[]).await;
    gateway.log_line(|line| line["path"] == "/login").await;
    let lines = |path: &str| {
        let path = format!("\"path\":\"{path}\"");
        gateway
            .stdout()
            .lines()
            .filter(|line| line.contains(&path))
            .count()
    };
    assert_eq!((lines("/echo/quiet"), lines("/nowhere")), (0, 20));
    gateway
        .metric_is("portcullis_access_log_sampled_out_total", 20)
        .await;
    gateway
        .metric_is("portcullis_access_log_lines_total", 21)
        .await;
    gateway
        .metric_is(
            r#"portcullis_requests_total{route="echo",status="2xx"}"#,
            20,
        )
        .await;
    // The rules are those of the serving generation.
    gateway.rewrite(&toml(&echo, ""));
    gateway.admin("POST", "/reload").await;
    gateway.get("/echo/loud", &[]).await;
    gateway.log_line(|line| line["path"] == "/echo/loud").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_for_people_and_has_no_colours_in_a_pipe() {
    let (gateway, _echo) = start("[log]\nformat = \"text\"\n").await;
    gateway.get("/echo/%1B%5B31m", &[]).await;
    gateway.get("/echo/%C3%A9", &[]).await;
    gateway.get("/nowhere", &[]).await;
    let mut said = String::new();
    while said.lines().count() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        said = gateway.stdout();
    }
    assert!(!said.contains('\x1b'), "{said}");
    assert!(said.contains(" GET /nowhere 404 "), "{said}");
    assert!(said.contains(" refusal=route_not_found "), "{said}");
    assert!(said.contains(" route=echo "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_turned_over_at_its_size_and_loses_no_line() {
    const LINES: usize = 600;
    let (gateway, _echo) = start(
        "[log]\nfields = [\"path\"]\nfile = { path = \"access.log\", rotate = \"64KiB\", keep = 9 }\n",
    )
    .await;
    let padding = "x".repeat(300);
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    for n in 0..LINES {
        client
            .ask("GET", &format!("/echo/{n}-{padding}"), &[], b"")
            .await
            .expect("an answer");
    }
    let last = format!("/echo/{}-", LINES - 1);
    gateway.file_says("access.log", &last).await;
    let mut seen = Vec::new();
    let numbered = (1..9).map(|number| format!("access.log.{number}"));
    let files: Vec<String> = std::iter::once("access.log".to_owned())
        .chain(numbered)
        .collect();
    for file in files.iter().rev() {
        let Some(text) = gateway.read(file) else {
            continue;
        };
        assert!(
            text.len() <= 64 * 1024 && text.ends_with('\n'),
            "{file}: {}",
            text.len()
        );
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a whole line");
            seen.push(line["path"].as_str().unwrap_or_default().to_owned());
        }
    }
    let expected: Vec<String> = (0..LINES).map(|n| format!("/echo/{n}-{padding}")).collect();
    assert_eq!(seen, expected);
    assert!(
        gateway.read("access.log.2").is_some(),
        "it was turned over more than once"
    );
    assert_eq!(gateway.stdout(), "", "what is in the file is not on stdout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_away_is_opened_anew_on_a_signal() {
    let (gateway, _echo) = start("[log]\nfile = { path = \"access.log\" }\n").await;
    for (number, signal) in [(1, Signal::USR1), (2, Signal::HUP)] {
        gateway.get(&format!("/echo/before-{number}"), &[]).await;
        gateway
            .file_says("access.log", &format!("/echo/before-{number}"))
            .await;
        let moved = format!("moved.{number}");
        gateway.rename("access.log", &moved);
        gateway.get(&format!("/echo/moved-{number}"), &[]).await;
        gateway
            .file_says(&moved, &format!("/echo/moved-{number}"))
            .await;
        gateway.signal(signal);
        // The signal is heard some time; from then on lines are in the new file.
        while gateway.read("access.log").is_none() {
            gateway.get(&format!("/echo/after-{number}"), &[]).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        gateway
            .file_says("access.log", &format!("/echo/after-{number}"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_a_mistake_before_anything_serves() {
    let echo = Echo::start("one").await;
    let text = toml(
        &echo,
        "[log]\nfile = { path = \"no/such/directory/access.log\" }\n",
    );
    for command in ["check", "run"] {
        let output = Setup::new(&text).say(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(
            said.contains("no/such/directory") && said.contains("hint"),
            "{command}: {said}"
        );
    }
}

/// A reader of stdout that reads nothing: what waits is bounded, what is more is counted, and nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_up_no_request() {
    let echo = Echo::start("one").await;
    let gateway = Setup::new(&toml(&echo, "")).unread().start().await;
    let body = format!("{{\"pad\":\"{}\"}}", "x".repeat(60_000));
    let request = plain::request(
        "POST",
        "/told/x",
        &[("content-type", "application/json")],
        body.as_bytes(),
    );
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    let dropped = "portcullis_access_log_dropped_total";
    let mut asked = 0_u64;
    while gateway.metric(dropped).await == Some(0) {
        assert!(asked < 20_000, "nothing is ever dropped");
        for _ in 0..50 {
            client.write(&request).await.expect("it takes it");
            let answer = client.answer("POST").await.expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
            asked += 1;
        }
    }
    // Every exchange is told, dropped, or about to be.
    let told = gateway.metric("portcullis_access_log_lines_total").await;
    let lost = gateway.metric(dropped).await;
    assert!(told > Some(0) && lost > Some(0), "{told:?} {lost:?}");
    assert_eq!(told.zip(lost).map(|(told, lost)| told + lost), Some(asked));
    assert!(
        gateway.resident() < 600 * 1024,
        "{} KiB",
        gateway.resident()
    );
}
