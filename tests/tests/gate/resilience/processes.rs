//! Servers that are processes of their own, and die like them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_tests::client::load::{Ask, Load};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::wait;

use super::{NEVER_EJECT, toml};

/// An echo upstream; killed when dropped.
struct Process {
    child: Child,
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

impl Process {
    fn start(name: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_echo"))
            .arg(name)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it is built with the tests");
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let address = first.parse().expect("its first line is its address");
        let served = Arc::new(AtomicUsize::new(0));
        let count = served.clone();
        // Ends with the process.
        std::thread::spawn(move || {
            for _ in lines.map_while(Result::ok) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            child,
            address,
            served,
        }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A killed one is gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_one_of_three_servers_fails_no_idempotent_request() {
    let mut servers: Vec<_> = ["one", "two", "three"].map(Process::start).into();
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let text = toml(&addresses, "", "").replace(NEVER_EJECT, "");
    let gateway = Gateway::start(&text).await;
    let load = Load::start(
        8,
        &Ask {
            address: gateway.listen.http,
            target: String::from("/"),
            headers: Vec::new(),
            expect: 200,
        },
    );
    wait::until("twenty requests to each server", async || {
        load.fails_nothing();
        servers.iter().all(|server| server.served() >= 20)
    })
    .await;
    servers[1].kill();
    load.goes_on(400).await;
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    // Lines of the living may still be in their pipes.
    let total = || servers.iter().map(Process::served).sum::<usize>();
    wait::found("a line of a server for each answer", async || {
        if total() >= tally.answered {
            Ok(())
        } else {
            Err(format!("{} of {}", total(), tally.answered))
        }
    })
    .await;
    let most = tally.answered + tally.answered / 5 + 100;
    assert!(total() <= most, "{} for {}", total(), tally.answered);
}
