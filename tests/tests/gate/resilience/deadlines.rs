//! Deadlines of clients and routes: they bound the exchange, and services are told what is left.

use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::mute::Mute;

use super::{refused, toml};

const HEADER: &str = "[timeouts]\ndeadline_header = \"x-timeout-ms\"\n\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_bounds_the_exchange() {
    let stuck = Mute::hangs().await;
    let grpc = ("content-type", "application/grpc");
    // (route's keys, request's headers)
    let table: [(&str, &[(&str, &str)]); 4] = [
        ("", &[("x-timeout-ms", "100")]),
        ("deadline = \"100ms\"", &[]),
        ("deadline = \"100ms\"", &[("x-timeout-ms", "60000")]),
        ("deadline = \"60s\"", &[("grpc-timeout", "100m"), grpc]),
    ];
    for (route, headers) in table {
        let text = format!("{HEADER}{}", toml(&[stuck.address()], "", route));
        let gateway = Gateway::start(&text).await;
        let answer = gateway.get("/", headers).await;
        // What speaks gRPC is refused in its own words; the log has the reason for all.
        if !headers.contains(&grpc) {
            refused(&answer, 504, "deadline_exceeded");
        }
        let line = gateway.log_line(|line| line["path"] == "/").await;
        assert_eq!(line["refusal"], "deadline_exceeded", "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_is_over_before_it_began_is_not_spent_on_a_server() {
    let echo = Echo::start("echo").await;
    let text = format!("{HEADER}{}", toml(&[echo.address()], "", ""));
    let gateway = Gateway::start(&text).await;
    let answer = gateway.get("/", &[("x-timeout-ms", "0")]).await;
    refused(&answer, 504, "deadline_exceeded");
    let answer = gateway.get("/", &[("x-timeout-ms", "soon")]).await;
    refused(&answer, 400, "invalid_request");
    assert_eq!(echo.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_what_is_left() {
    let echo = Echo::start("echo").await;
    let grpc = ("content-type", "application/grpc");
    // (route's keys, request's headers, header that the service sees, at most)
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, Option<u64>);
    let table: [Case; 5] = [
        ("", &[], "x-timeout-ms", None),
        (
            "",
            &[("x-timeout-ms", "60000")],
            "x-timeout-ms",
            Some(60_000),
        ),
        ("deadline = \"50s\"", &[], "x-timeout-ms", Some(50_000)),
        (
            "deadline = \"50s\"",
            &[("x-timeout-ms", "60000")],
            "x-timeout-ms",
            Some(50_000),
        ),
        (
            "",
            &[("grpc-timeout", "1M"), grpc],
            "grpc-timeout",
            Some(60_000),
        ),
    ];
    for (route, headers, name, most) in table {
        let text = format!("{HEADER}{}", toml(&[echo.address()], "", route));
        let gateway = Gateway::start(&text).await;
        let told = gateway.get("/", headers).await.saw(name);
        let left = told.map(|text| text.trim_end_matches('m').parse::<u64>().expect("digits"));
        match (left, most) {
            (None, None) => {}
            (Some(left), Some(most)) => {
                assert!(left <= most && left + 40_000 > most, "{left} of {most}");
            }
            _ => panic!("{left:?} of {most:?}: {route} {headers:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_plugins_are_bounded_and_told_too() {
    let echo = Echo::start("echo").await;
    let text = format!(
        "{HEADER}[plugin.all]\ncomponent = \"aggregate.wasm\"\nsnapshot = \"never\"\nlimits = {{ time = \"20s\" }}\n\
         grants = {{ upstreams = [\"u\"] }}\n\
         settings = {{ calls = {{ one = {{ upstream = \"u\", path = \"/echo?delay=700\", timeout = \"15s\" }} }} }}\n\n\
         [upstream.u]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/all\"\npublic = true\nplugins = [\"all\"]\n",
        echo.address()
    );
    let setup = Setup::new(&text).plugin("aggregate.wasm", guest("aggregate.wasm"));
    let gateway = setup.start().await;
    let answer = gateway.get("/all", &[("x-timeout-ms", "19000")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().contains("x-timeout-ms"), "{answer:?}");
    let answer = gateway.get("/all", &[("x-timeout-ms", "200")]).await;
    assert_eq!(answer.status, 504, "{answer:?}");
}
