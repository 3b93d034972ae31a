//! Every frame ends as it does without a gateway: a table of good and bad ones, sent to a server of the `websockets`
//! package directly, through the gateway over HTTP/1.1, and over HTTP/2 by the `h2` package.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use portcullis_tests::client::websocket::{CLOSE, Frame, Socket};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::peer;
use serde_json::{Value, json};

use super::http2::{connect, hex, received, speak_h2};
use super::table::{Case, cases};

/// The largest message that the server takes.
pub(super) const LARGEST: usize = 2000;
const DEFLATE: (&str, &str) = ("sec-websocket-extensions", "permessage-deflate");

/// A server of the `websockets` package; it ends when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_ends_as_it_does_without_a_gateway() {
    let server = Server::start(LARGEST);
    // Once the server is the one that finds a message too big, once the gateway.
    let lax = Gateway::start(&toml(&server, "10MiB")).await;
    let strict = Gateway::start(&toml(&server, "2000B")).await;
    let cases = cases();
    let over_h2 = verdicts_h2(&lax, &cases);
    let mut differences = Vec::new();
    for (case, over_h2) in cases.iter().zip(over_h2) {
        let direct = verdict(server.address, case).await;
        assert!(
            direct.last().is_some_and(|last| last.starts_with("close")),
            "{direct:?}"
        );
        let others = [
            ("HTTP/1.1", verdict(lax.listen.http, case).await),
            (
                "HTTP/1.1, limit in the gateway",
                verdict(strict.listen.http, case).await,
            ),
            ("HTTP/2", over_h2),
        ];
        for (way, other) in others {
            if other != direct {
                differences.push(format!(
                    "{} over {way}: {other:?}, not {direct:?}",
                    case.what
                ));
            }
        }
    }
    println!("{} cases, 3 ways each", cases.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_websockets_package_notices_no_gateway() {
    let server = Server::start(10_000_000);
    let gateway = Gateway::start(&toml(&server, "10MiB")).await;
    let found = |address: SocketAddr| {
        let mut client = Command::new(peer::python());
        client
            .arg(peer::script("sockets_client.py"))
            .arg(format!("ws://{address}/"));
        let output = client.output().expect("python runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"))
    };
    let expected = json!({
        "extensions": ["permessage-deflate"], "texts": [true, true, true], "bytes": true,
        "fragments": "one two three", "latency": true, "code": 1000,
    });
    assert_eq!(found(server.address), expected, "without a gateway");
    assert_eq!(found(gateway.listen.http), expected, "through it");
}

// --- verdicts ---

async fn verdict(address: SocketAddr, case: &Case) -> Vec<String> {
    let headers = if case.compressed { &[DEFLATE][..] } else { &[] };
    let mut socket = Socket::open(address, "/ws", headers)
        .await
        .expect("it is opened");
    // A server that has seen enough may close while it is written to.
    let _refused = socket.write(&case.bytes).await;
    let mut frames = Vec::new();
    while let Some(frame) = socket.next().await {
        let over = frame.opcode == CLOSE;
        frames.push(frame);
        if over {
            break;
        }
    }
    told(&frames)
}

fn told(frames: &[Frame]) -> Vec<String> {
    let tell = |frame: &Frame| match frame.opcode {
        CLOSE => format!("close {:?}", frame.code()),
        opcode => format!(
            "{opcode} last {} reserved {} masked {}: {} bytes {:x?}",
            frame.last,
            frame.reserved,
            frame.masked,
            frame.payload.len(),
            &frame.payload[..frame.payload.len().min(16)]
        ),
    };
    frames.iter().map(tell).collect()
}

fn verdicts_h2(gateway: &Gateway, cases: &[Case]) -> Vec<Vec<String>> {
    let request = |case: &Case| {
        let mut headers = connect("/ws");
        if case.compressed {
            headers.push((DEFLATE.0.into(), DEFLATE.1.into()));
        }
        json!({ "headers": headers, "bytes": hex(&case.bytes) })
    };
    let answers = speak_h2(gateway, cases.iter().map(request).collect());
    answers
        .iter()
        .map(|answer| told(&received(answer)))
        .collect()
}

impl Server {
    fn start(largest: usize) -> Self {
        let mut server = Command::new(peer::python());
        server
            .arg(peer::script("sockets_server.py"))
            .arg(largest.to_string());
        let mut child = server.stdout(Stdio::piped()).spawn().expect("python runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says its port");
        let port: u16 = line.trim().parse().expect("a port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn toml(server: &Server, largest: &str) -> String {
    format!(
        "[upstream.sockets]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"sockets\"\npath = \"/**\"\npublic = true\nupstream = \"sockets\"\n\
         websocket = {{ max_message = \"{largest}\" }}\n",
        server.address
    )
}
