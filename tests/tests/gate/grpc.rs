//! gRPC, by its own library on both sides (grpcio from PyPI): every kind of call, in clear text and over TLS.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use portcullis_tests::gateway::{Gateway, Setup, repository};
use portcullis_tests::peer;
use portcullis_tests::tls::Authority;

/// grpc_server.py. Ends with its stdin.
struct Service {
    port: u16,
    child: Child,
}

impl Service {
    fn start(folder: Option<&Path>) -> Service {
        let mut child = Command::new(peer::python())
            .arg(repository().join("tests/peers/grpc_server.py"))
            .args(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it prints its port");
        let port = line.trim().parse();
        Service {
            port: port.unwrap_or_else(|error| panic!("{line:?} is no port: {error}")),
            child,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_passes_in_clear_text() {
    let service = Service::start(None);
    let gateway = Setup::new(&toml(service.port, "protocol = \"h2c\"", ""))
        .start()
        .await;
    let address = gateway.listen.h2c.to_string();
    all_good(&gateway, &[&address]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_passes_over_tls() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let authority = Authority::new("authority");
    authority
        .issue(&["service.test"])
        .write(folder.path(), "server");
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("it is writable");
    let service = Service::start(Some(folder.path()));
    let upstream = "tls = { ca = \"ca.pem\", server_name = \"service.test\" }";
    let tls = "[tls]\ncertificates = [{ certificate = \"a.pem\", key = \"a.key\" }]\n";
    let gateway = Setup::new(&toml(service.port, upstream, tls))
        .listen("https = \"{https}\"")
        .certificate("a", &authority.issue(&["localhost"]))
        .file("ca.pem", &authority.pem())
        .start()
        .await;
    let address = format!("localhost:{}", gateway.listen.https.port());
    let ca = folder.path().join("ca.pem");
    all_good(&gateway, &[&address, &ca.display().to_string()]);
}

fn toml(port: u16, upstream: &str, tls: &str) -> String {
    format!(
        "{tls}\n[upstream.service]\nservers = [\"127.0.0.1:{port}\"]\n{upstream}\n\n\
         [upstream.down]\nservers = [\"127.0.0.1:1\"]\nprotocol = \"h2c\"\n\n\
         [[route]]\nname = \"test\"\nprefix = \"/gate.Test\"\npublic = true\nupstream = \"service\"\n\n\
         [[route]]\nname = \"down\"\nprefix = \"/gate.Down\"\npublic = true\nupstream = \"down\"\n\n\
         [[route]]\nname = \"small\"\nprefix = \"/gate.Small\"\npublic = true\nupstream = \"service\"\nmax_body = \"1KiB\"\n"
    )
}

fn all_good(gateway: &Gateway, arguments: &[&str]) {
    let client = Command::new(peer::python())
        .arg(repository().join("tests/peers/grpc_client.py"))
        .args(arguments)
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&client.stdout);
    let bad: Vec<&str> = said.lines().filter(|line| !line.ends_with(" ok")).collect();
    let stderr = String::from_utf8_lossy(&client.stderr);
    assert!(
        bad.is_empty(),
        "{}\n{stderr}\n{}",
        bad.join("\n"),
        gateway.stderr()
    );
    assert_eq!(said.lines().count(), 12, "{said}\n{stderr}");
}
