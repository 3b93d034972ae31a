//! Where lines go: a file that is turned over and opened anew, and a pipe that nobody reads.

use portcullis_tests::client::{Client, plain};
use portcullis_tests::gateway::Setup;
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::wait;
use rustix::process::Signal;
use serde_json::Value;

use super::{start, toml};

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
        wait::until("a new access.log", async || {
            gateway.get(&format!("/echo/after-{number}"), &[]).await;
            gateway.read("access.log").is_some()
        })
        .await;
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
