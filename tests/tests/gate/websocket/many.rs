//! Many sockets stay open while everything around them is replaced.

use portcullis_tests::client::websocket::Socket;
use portcullis_tests::gateway::{Gateway, Setup, guest, with_custom_section};
use portcullis_tests::upstream::sockets::Sockets;
use rustix::process::{Resource, getrlimit};

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_sockets_survive_ten_swaps_and_ten_reloads() {
    survive(500, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: cargo xtask test --full"]
async fn five_thousand_sockets_survive_a_hundred_swaps_and_a_hundred_reloads() {
    survive(5000, 100).await;
}

async fn survive(count: usize, rounds: usize) {
    // Here each socket is two descriptors, the client's and the server's; in the gateway as well.
    let room = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let needed = 2 * count as u64 + 500;
    assert!(room >= needed, "ulimit -n is {room}; this needs {needed}");
    let server = Sockets::start().await;
    let toml = toml(&server);
    let gateway = Setup::new(&toml)
        .listen("max_connections = 20000")
        .plugin("headers.wasm", guest("headers.wasm"))
        .start()
        .await;
    let mut sockets = Vec::new();
    for _ in 0..count {
        let opened = Socket::open(gateway.listen.http, "/echo", &[]).await;
        sockets.push(opened.unwrap_or_else(|answer| panic!("{answer:?}")));
    }
    let before = gateway.resident();
    let original = guest("headers.wasm");
    for round in 0..rounds {
        let bytes = with_custom_section(&original, &format!("edition {round}"));
        gateway.drop_plugin("headers.wasm", &bytes);
        let digest = portcullis_tests::gateway::digest(&bytes);
        gateway
            .plugin_until("stamp", |entry| entry["digest"] == digest)
            .await;
        gateway.rewrite(&toml.replace("idle = \"6h\"", &format!("idle = \"{}h\"", round + 1)));
        let reloaded = gateway.command("reload").expect("the binary runs");
        assert!(reloaded.status.success(), "{reloaded:?}");
    }
    let open = count_open(&gateway).await;
    println!(
        "{count} sockets, {rounds} swaps and reloads; {} KiB before, {} KiB after",
        before,
        gateway.resident()
    );
    assert_eq!(open, count.to_string());
    for (number, socket) in sockets.iter_mut().enumerate() {
        assert!(
            socket.echoes("still here").await,
            "socket {number} of {count}"
        );
    }
    let ended = server.seen().iter().filter(|line| *line == "end").count();
    assert_eq!(ended, 0, "no server saw an end either");
}

async fn count_open(gateway: &Gateway) -> String {
    let metrics = gateway.admin("GET", "/metrics").await.text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("portcullis_websockets{route=\"sockets\"} "));
    line.unwrap_or_default().to_owned()
}

fn toml(server: &Sockets) -> String {
    format!(
        "[plugin.stamp]\ncomponent = \"headers.wasm\"\nsnapshot = \"never\"\nlimits = {{ time = \"5s\" }}\n\
         [plugin.stamp.settings.request]\nset = {{ x-seen = \"yes\" }}\n\n\
         [upstream.sockets]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"sockets\"\npath = \"/**\"\npublic = true\nplugins = [\"stamp\"]\nupstream = \"sockets\"\n\
         [route.websocket]\nidle = \"6h\"\nping = \"0s\"\n",
        server.address()
    )
}
