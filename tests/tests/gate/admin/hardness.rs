//! Clients that hold the admin listener up keep nobody else out of it.

use portcullis_tests::client::Client;

use super::gateway;

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing_keep_nobody_out() {
    let (gateway, _echo) = gateway().await;
    let at = gateway.listen.admin;
    let mut slow = Vec::new();
    for round in 0..400 {
        let mut client = Client::connect(at).await.expect("the kernel accepts");
        let piece: &[u8] = match round % 4 {
            0 => b"",
            1 => b"GET /livez HTTP/1.1\r\nx-slow: ",
            2 => b"POST /reload HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
            // Asks, and reads nothing of what comes.
            _ => &b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100),
        };
        // The gateway may have shown it out already.
        let _sent = client.write(piece).await;
        slow.push(client);
    }
    for page in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(gateway.admin("GET", page).await.status, 200, "{page}");
    }
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_no_json_is_refused() {
    let (gateway, _echo) = gateway().await;
    let at = gateway.listen.admin;
    let json = [("content-type", "application/json")];
    let large = format!("{{\"url\": \"{}\"}}", "a".repeat(70_000));
    let answer = gateway
        .ask_admin("POST", "/cache/purge", &json, large.as_bytes())
        .await;
    assert_eq!(
        (answer.status, answer.json()["type"].as_str()),
        (413, Some("body_too_large"))
    );
    // The same without saying so before.
    let mut client = Client::connect(at).await.expect("it accepts");
    let head = "POST /cache/purge HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    client.write(head.as_bytes()).await.expect("it reads");
    // It may close before all of it is sent.
    let _sent = client.write(chunk.as_bytes()).await;
    assert_eq!(client.answer("POST").await.expect("an answer").status, 413);
    let field = "a".repeat(20_000);
    let headers = [("x-large", field.as_str())];
    let answer = gateway.ask_admin("GET", "/livez", &headers, b"").await;
    assert!(matches!(answer.status, 400 | 431), "{answer:?}");
    assert_eq!(gateway.admin("GET", "/livez").await.status, 200);
}
