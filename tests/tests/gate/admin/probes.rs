//! `/livez` and `/readyz` from the first moment.

use std::net::UdpSocket;

use portcullis_tests::client::Client;
use portcullis_tests::gateway::Setup;
use portcullis_tests::wait;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_loads_lives_is_not_ready_and_says_why() {
    // Names are looked up before anything is served, and nobody answers here.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let resolver = silent.local_addr().expect("it is bound");
    let gateway = Setup::new(&format!(
        "[discovery]\nresolvers = [\"{resolver}\"]\ntimeout = \"30s\"\n\n\
         [upstream.named]\nservers = [\"dns:users.test:80\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"named\"\n"
    ))
    .launch();
    wait::until("the admin listener", async || {
        Client::connect(gateway.listen.admin).await.is_ok()
    })
    .await;
    assert_eq!(gateway.admin("GET", "/livez").await.status, 200);
    for (method, page) in [("GET", "/readyz"), ("GET", "/routes"), ("POST", "/reload")] {
        let answer = gateway.admin(method, page).await;
        assert_eq!(answer.status, 503, "{page}: {answer:?}");
        assert_eq!(answer.json()["type"], "loading", "{page}");
    }
}
