//! Servers that answer badly are left alone by what the requests themselves tell.

use std::time::Duration;

use portcullis_tests::client::load::Load;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::moody::Moody;

use super::{ask, servers_of, state, toml, until};

#[tokio::test(flavor = "multi_thread")]
async fn failures_in_a_row_leave_a_server_alone_and_each_time_longer() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    two.answer_with(500);
    let keys = "eject = { base = \"1s\", max = \"30s\", failures = 3 }";
    let gateway = Gateway::start(&toml(&addresses(&[&one, &two]), keys)).await;
    let ejected = "portcullis_ejections_total{reason=\"failures\",upstream=\"pair\"}";
    // Asked until the third time: each time takes three failures.
    let mut times = 0;
    while times < 3 {
        until("it is left alone", async || {
            gateway.get("/echo", &[]).await;
            gateway.metric(ejected).await.unwrap_or(0) > times
        })
        .await;
        times += 1;
        assert_eq!(state(&gateway, two.address()).await, "ejected");
        let (served, left_alone) = (two.served(), Duration::from_millis(500 << (times - 1)));
        let end = tokio::time::Instant::now() + left_alone;
        while tokio::time::Instant::now() < end {
            assert_eq!(gateway.get("/echo", &[]).await.status, 200);
        }
        assert_eq!(two.served(), served, "time {times}");
    }
    assert_eq!(two.served(), 9);
    let shown = servers_of(&gateway, "pair").await;
    assert_eq!(
        shown[&two.address().to_string()]["why"],
        "3 failures in a row"
    );
    gateway.says("left alone for 4s: 3 failures in a row").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_in_time_is_left_alone() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    two.take(Duration::from_secs(20));
    let keys = "timeouts = { first_byte = \"150ms\" }\neject = { base = \"1m\", failures = 2 }";
    let gateway = Gateway::start(&toml(&addresses(&[&one, &two]), keys)).await;
    until("two is left alone", async || {
        gateway.ask("POST", "/echo", &[], b"").await;
        state(&gateway, two.address()).await == "ejected"
    })
    .await;
    assert_eq!(two.served(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_more_often_than_the_others_is_left_alone() {
    let servers = [Moody::start("one").await, Moody::start("two").await];
    let keys = "eject = { base = \"1m\", failures = 1000, success_rate = \"90%\", requests = 20, window = \"1h\" }";
    let gateway = Gateway::start(&toml(&addresses(&[&servers[0], &servers[1]]), keys)).await;
    for round in 0..40 {
        // A third fails, never two in a row.
        servers[1].answer_with(if round % 3 == 0 { 503 } else { 200 });
        for _ in 0..2 {
            gateway.get("/echo", &[]).await;
        }
    }
    let reason = "portcullis_ejections_total{reason=\"success_rate\",upstream=\"pair\"}";
    assert!(gateway.metric(reason).await.unwrap_or(0) == 1);
    assert_eq!(state(&gateway, servers[1].address()).await, "ejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_servers_fail_none_is_to_blame() {
    let servers = [Moody::start("one").await, Moody::start("two").await];
    servers.iter().for_each(|server| server.answer_with(503));
    let keys = "eject = { base = \"1m\", failures = 1000, success_rate = \"90%\", requests = 5, window = \"1h\" }";
    let gateway = Gateway::start(&toml(&addresses(&[&servers[0], &servers[1]]), keys)).await;
    for _ in 0..40 {
        gateway.get("/echo", &[]).await;
    }
    for server in &servers {
        assert_eq!(state(&gateway, server.address()).await, "up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_servers_are_left_alone_than_the_cap_says() {
    let mut servers = Vec::new();
    for name in ["one", "two", "three", "four"] {
        servers.push(Moody::start(name).await);
    }
    servers[1..]
        .iter()
        .for_each(|server| server.answer_with(500));
    let keys = "panic = \"0%\"\neject = { base = \"1m\", failures = 1, share = \"50%\" }";
    let all: Vec<&Moody> = servers.iter().collect();
    let gateway = Gateway::start(&toml(&addresses(&all), keys)).await;
    for _ in 0..40 {
        gateway.get("/echo", &[]).await;
    }
    let ejected = "portcullis_servers{state=\"ejected\",upstream=\"pair\"}";
    assert!(gateway.metric(ejected).await.unwrap_or(0) == 2);
    assert!(servers[0].served() >= 15, "{}", servers[0].served());
    assert_eq!(servers.iter().map(Moody::served).sum::<usize>(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_too_few_servers_are_left_all_are_used() {
    let mut servers = Vec::new();
    for name in ["one", "two", "three", "four"] {
        servers.push(Moody::start(name).await);
    }
    let all: Vec<&Moody> = servers.iter().collect();
    // What the checks say is not what requests find: the case that panic is for.
    servers[1..].iter().for_each(|server| server.health(500));
    let health = "health = { path = \"/health\", every = \"50ms\", timeout = \"5s\" }";
    for (panic, used) in [("30%", 4), ("20%", 1)] {
        let keys = format!("{health}\npanic = \"{panic}\"");
        let gateway = Gateway::start(&toml(&addresses(&all), &keys)).await;
        let down = "portcullis_servers{state=\"down\",upstream=\"pair\"}";
        until("three are down", async || {
            gateway.metric(down).await.unwrap_or(0) == 3
        })
        .await;
        let seen = super::counts(&gateway, 40).await;
        assert_eq!(seen.len(), used, "{panic}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_every_server_in_turn_fails_no_request() {
    let (mut one, mut two) = (Moody::start("one").await, Moody::start("two").await);
    let keys = "eject = { base = \"200ms\", max = \"200ms\" }";
    let gateway = Gateway::start(&toml(&addresses(&[&one, &two]), keys)).await;
    let load = Load::start(3, &ask(&gateway));
    for round in 0..4 {
        load.goes_on(20).await;
        let restarted = if round % 2 == 0 { &mut one } else { &mut two };
        let address = restarted.address();
        let old = std::mem::replace(restarted, Moody::start("nobody").await);
        old.kill().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        *restarted = Moody::start_at(address, "again")
            .await
            .expect("its port is free again");
        until("it serves again", async || restarted.served() > 0).await;
    }
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
}

fn addresses(servers: &[&Moody]) -> String {
    let quoted: Vec<String> = servers
        .iter()
        .map(|s| format!("\"{}\"", s.address()))
        .collect();
    quoted.join(", ")
}
