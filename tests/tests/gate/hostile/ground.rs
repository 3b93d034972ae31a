//! A gateway with unruly plugins on /a and a healthy route /b.

use std::fmt::Write as _;

use portcullis_tests::client::Answer;
use portcullis_tests::client::load::Ask;
use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::server::{ANY, Server};
use portcullis_tests::upstream::echo::Echo;
use tokio::io::AsyncReadExt;

/// Kinds of unruly plugins: table in gateway.toml, file.
const FILES: [(&str, &str); 4] = [
    ("filter", "unruly.wasm"),
    ("handler", "unruly_handler.wasm"),
    ("authenticator", "unruly_authenticator.wasm"),
    ("authorizer", "unruly_authorizer.wasm"),
];

/// What clients must not be told: what the plugins say and do, names, places.
const INTERNAL: &[&str] = &[
    "swordfish",
    "trap",
    "wasm",
    "unreachable",
    "panick",
    "unruly",
    "plugin filter",
    "/src/",
];

pub(super) struct Ground {
    pub(super) gateway: Gateway,
    pub(super) echo: Echo,
    _silent: Server,
}

impl Ground {
    /// `toml` has the plugins and routes.
    pub(super) async fn new(toml: &str) -> Ground {
        let echo = Echo::start("echo").await;
        let silent = silent().await;
        let gateway = setup(toml, &echo, &silent).start().await;
        Ground {
            gateway,
            echo,
            _silent: silent,
        }
    }

    /// One route for each kind of unruly plugin, and /b.
    pub(super) async fn with_every_kind() -> Ground {
        let mut toml = String::from(
            r#"
[plugin.filter]
component = "unruly.wasm"
grants = { log = "4KiB", clock = true }

[plugin.handler]
component = "unruly_handler.wasm"
limits = { memory = "128MiB", time = "400ms", cpu = "400ms" }
grants = { upstreams = ["echo", "silent"], calls = 16 }

[plugin.authenticator]
component = "unruly_authenticator.wasm"

[plugin.authorizer]
component = "unruly_authorizer.wasm"

[[route]]
name = "a-handler"
prefix = "/a/handler"
public = true
plugins = ["handler"]
"#,
        );
        for (name, plugins) in [
            ("filter", r#"["filter"]"#),
            ("authenticator", r#"["authenticator"]"#),
            ("authorizer", r#"["authenticator", "authorizer"]"#),
        ] {
            let public = name == "filter";
            write!(
                toml,
                "\n[[route]]\nname = \"a-{name}\"\nprefix = \"/a/{name}\"\npublic = {public}\nplugins = {plugins}\nupstream = \"echo\"\n"
            )
            .expect("a String takes everything");
        }
        Ground::new(&toml).await
    }

    /// A request that wishes for a misdeed.
    pub(super) async fn wish(&self, target: &str, wish: &str) -> Answer {
        let headers = [("x-do", wish), ("x-secret", "of another caller")];
        self.gateway.ask("POST", target, &headers, b"body").await
    }

    /// What asks /b.
    pub(super) fn healthy(&self) -> Ask {
        Ask {
            address: self.gateway.listen.http,
            target: String::from("/b"),
            headers: Vec::new(),
            expect: 200,
        }
    }

    /// A counter or gauge of a plugin on a route; `labels` as Prometheus writes them, sorted.
    pub(super) async fn figure(&self, name: &str, labels: &str) -> f64 {
        let page = self.gateway.admin("GET", "/metrics").await.text();
        let start = format!("portcullis_plugin_{name}{{{labels}}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {start} in\n{page}"))
            .parse()
            .expect("a number")
    }

    pub(super) async fn calls(&self, plugin: &str, route: &str, outcome: &str) -> f64 {
        let labels = format!("outcome=\"{outcome}\",plugin=\"{plugin}\",route=\"{route}\"");
        self.figure("calls_total", &labels).await
    }
}

pub(super) fn setup(toml: &str, echo: &Echo, silent: &Server) -> Setup {
    let toml = format!(
        r#"{toml}
[plugin.stamp]
component = "headers.wasm"
settings = {{ response = {{ set = {{ x-stamped = "yes" }} }} }}
limits = {{ time = "10s", cpu = "10s" }}

[upstream.echo]
servers = ["{}"]

[upstream.silent]
servers = ["{}"]

[[route]]
name = "b"
path = "/b"
public = true
plugins = ["stamp"]
upstream = "echo"
"#,
        echo.address(),
        silent.address(),
    );
    FILES
        .into_iter()
        .fold(Setup::new(&toml), |setup, (_, file)| {
            setup.plugin(file, guest(file))
        })
        .plugin("headers.wasm", guest("headers.wasm"))
}

/// An upstream that takes requests and never answers.
pub(super) async fn silent() -> Server {
    let hears = |mut stream: tokio::net::TcpStream| async move {
        let mut bytes = [0; 1024];
        while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    };
    Server::raw(ANY, hears)
        .await
        .expect("loopback has free ports")
}

/// Why an answer tells more than it should.
pub(super) fn leak(answer: &Answer) -> Option<String> {
    let shown = format!("{:?} {}", answer.headers, answer.text()).to_lowercase();
    let told = INTERNAL.iter().find(|word| shown.contains(**word));
    told.map(|word| format!("it says {word:?}: {shown}"))
}
