//! How much at once: from the request's head to the response's last byte.

use futures_util::StreamExt;
use portcullis_tests::client::{Client, plain};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;
use tokio::net::TcpStream;

use super::{decisions, refused, toml};

const ONE: &str = "max_concurrent = [{ per = \"client_ip\", limit = 1 }]";
const UNDER_WAY: &str = "portcullis_limit_under_way{limit=\"client_ip-concurrent\",route=\"echo\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_taken_until_the_last_byte() {
    let echo = Echo::start("one").await;
    let text = toml(&echo.address().to_string(), ONE).replace("/echo/**", "/**");
    let gateway = Gateway::start(&text).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    // More than all buffers between the server and a client that does not read.
    let much = plain::request("GET", "/source?bytes=200000000", &[], b"");
    client.write(&much).await.expect("it is connected");
    let head = client.head("GET").await.expect("a head");
    assert_eq!(head.answer.status, 200);
    let told = head.answer.header("ratelimit-policy");
    assert_eq!(
        told,
        Some("\"client_ip-concurrent\";q=1;qu=\"concurrent-requests\"")
    );
    let answer = gateway.get("/echo", &[]).await;
    refused(&answer, "too_many_at_once", "client_ip-concurrent");
    assert_eq!(
        answer.header("ratelimit"),
        Some("\"client_ip-concurrent\";r=0")
    );
    gateway.metric_is(UNDER_WAY, 1).await;
    drop(client);
    gateway.metric_is(UNDER_WAY, 0).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/echo", &[]).await.status, 200);
        // The client has the last byte a moment before the gateway knows.
        gateway.metric_is(UNDER_WAY, 0).await;
    }
    let refused = decisions("echo", "client_ip-concurrent", "refused");
    gateway.metric_is(&refused, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_forgets_nobody_who_is_under_way() {
    let echo = Echo::start("one").await;
    let text = toml(&echo.address().to_string(), ONE);
    let gateway = Gateway::start(&text).await;
    let address = gateway.listen.http;
    let slow =
        tokio::spawn(
            async move { plain::once(address, "GET", "/echo?delay=60000", &[], b"").await },
        );
    gateway.metric_is(UNDER_WAY, 1).await;
    gateway.rewrite(&text.replace("limit = 1 }", "limit = 2 }"));
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    let told = gateway.get("/echo", &[]).await;
    assert_eq!(
        (told.status, told.header("ratelimit")),
        (200, Some("\"client_ip-concurrent\";r=0"))
    );
    slow.abort();
    gateway.metric_is(UNDER_WAY, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_has_its_place_until_it_ends() {
    let demo = Demo::start().await;
    let text = toml(&demo.addresses().mentions.to_string(), ONE).replace("/echo/**", "/**");
    let gateway = Gateway::start(&text).await;
    let open = async || {
        let stream = TcpStream::connect(gateway.listen.http)
            .await
            .expect("the gateway listens");
        tokio_tungstenite::client_async("ws://gate.test/ws/mentions", stream).await
    };
    let (mut socket, _) = open().await.expect("the handshake is accepted");
    assert!(socket.next().await.is_some(), "it talks");
    gateway.metric_is(UNDER_WAY, 1).await;
    let second = open().await.map(|_| ()).expect_err("there is one already");
    assert!(second.to_string().contains("429"), "{second}");
    drop(socket);
    gateway.metric_is(UNDER_WAY, 0).await;
    open().await.map(|_| ()).expect("its place is free");
}
