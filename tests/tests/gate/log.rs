//! The access log: what it tells, of which exchanges, and where.

mod files;
mod secrets;

use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::wait;

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
    let said = wait::found("three lines", async || {
        let said = gateway.stdout();
        if said.lines().count() >= 3 {
            Ok(said)
        } else {
            Err(said)
        }
    })
    .await;
    assert!(!said.contains('\x1b'), "{said}");
    assert!(said.contains(" GET /nowhere 404 "), "{said}");
    assert!(said.contains(" refusal=route_not_found "), "{said}");
    assert!(said.contains(" route=echo "), "{said}");
}
