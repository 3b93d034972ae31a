//! One method, whatever its case.

use portcullis_tests::client::Client;
use portcullis_tests::client::curl::curl;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;

fn toml(echo: &Echo) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n\
        [[route]]\nname = \"delete\"\npath = \"/items/{{id}}\"\nmethods = [\"DELETE\"]\npublic = true\nupstream = \"echo\"\naccess = {{ allow = [\"10.0.0.0/8\"] }}\n\n\
        [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_case_of_a_method_goes_round_a_stricter_route() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    for (method, want) in [
        ("DELETE", 403),
        ("delete", 501),
        ("Delete", 501),
        ("DeLETE", 501),
        ("post", 501),
        ("Post", 501),
        ("get", 501),
        ("propfind", 501),
        ("TRACE", 501),
        ("trace", 501),
        ("Trace", 501),
        ("TRACK", 501),
        ("track", 501),
        ("DEBUG", 501),
        ("debug", 501),
        ("connect", 501),
        ("GET", 200),
        ("POST", 200),
        ("PROPFIND", 200),
    ] {
        let mut client = Client::connect(gateway.listen.http)
            .await
            .expect("it listens");
        let bytes = format!("{method} /items/5 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        client.write(bytes.as_bytes()).await.expect("it reads");
        let answer = client.answer(method).await.expect("an answer");
        assert_eq!(answer.status, want, "{method}: {answer:?}");
        if want == 501 {
            assert_eq!(answer.json()["type"], "method_not_supported", "{method}");
        }
        // Over HTTP/2 as over HTTP/1.
        let url = format!("http://{}/items/5", gateway.listen.h2c);
        let answer = curl(&["--http2-prior-knowledge", "-X", method, &url]);
        assert_eq!(answer.status, want, "{method} over HTTP/2: {answer:?}");
    }
}
