//! Generated spellings: what the gateway lets through, real servers read as it does.

use portcullis_tests::client::Client;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::reader::{Kind, Reader};
use serde_json::Value;

/// Requests of each kind.
const CASES: usize = 400;
/// Of those, so many have to be let through: else nothing was compared.
const AT_LEAST: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn nginx_reads_what_is_let_through_as_the_gateway_does() {
    compare(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wsgiref_reads_what_is_let_through_as_the_gateway_does() {
    compare(Kind::Wsgiref).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gunicorn_reads_what_is_let_through_as_the_gateway_does() {
    compare(Kind::Gunicorn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waitress_reads_what_is_let_through_as_the_gateway_does() {
    compare(Kind::Waitress).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Tomcat (Debian: tomcat10); cargo xtask test --full"]
async fn tomcat_reads_what_is_let_through_as_the_gateway_does() {
    compare(Kind::Tomcat).await;
}

async fn compare(kind: Kind) {
    let reader = Reader::start(kind);
    let gateway = Setup::new(&toml(&reader))
        .listen("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]")
        .guests()
        .start()
        .await;
    let mut asked = Asked::open(&gateway, kind).await;
    paths(&mut asked).await;
    hosts(&mut asked).await;
    if kind != Kind::Tomcat {
        clients(&mut asked).await;
    }
    fields(&mut asked).await;
}

/// Each response says which route it came by and whom the gateway took for the client.
fn toml(reader: &Reader) -> String {
    let plugin = |name: &str| {
        format!(
            "[plugin.{name}]\ncomponent = \"headers.wasm\"\n\
            [plugin.{name}.settings.request]\nset = {{ x-user-id = \"the-real-one\" }}\n\
            [plugin.{name}.settings.response]\nset = {{ x-route = \"{name}\", x-client = \"${{client.ip}}\" }}\n\n"
        )
    };
    let route = |name: &str, keys: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\n{keys}\npublic = true\nupstream = \"real\"\nplugins = [\"{name}\"]\n\n"
        )
    };
    let plugins: String = ["admin", "inner", "all"].map(plugin).concat();
    format!(
        "{plugins}[upstream.real]\nservers = [\"{}\"]\npreserve_host = true\n\n{}{}{}",
        reader.address(),
        route("admin", "path = \"/admin/**\""),
        route("inner", "host = \"inner.test\"\npath = \"/**\""),
        route("all", "path = \"/**\""),
    )
}

/// A connection to the gateway, and what came over it.
struct Asked<'a> {
    gateway: &'a Gateway,
    kind: Kind,
    client: Client,
    dice: Dice,
}

/// What one request came to.
struct Seen {
    route: String,
    client: Option<String>,
    reading: Value,
}

impl Asked<'_> {
    async fn open(gateway: &Gateway, kind: Kind) -> Asked<'_> {
        let client = Client::connect(gateway.listen.http)
            .await
            .expect("it listens");
        let dice = Dice(0x9e37_79b9_7f4a_7c15);
        Asked {
            gateway,
            kind,
            client,
            dice,
        }
    }

    /// None where the gateway refused, or the server itself did.
    async fn ask(&mut self, target: &str, headers: &[(&str, &str)]) -> Option<Seen> {
        let answer = match self.client.ask("GET", target, headers, b"").await {
            Ok(answer) => answer,
            Err(error) => panic!("{:?}: {target} {headers:?}: {error}", self.kind),
        };
        if answer.header("connection") == Some("close") {
            let address = self.gateway.listen.http;
            self.client = Client::connect(address).await.expect("it listens");
        }
        if answer.status != 200 {
            return None;
        }
        Some(Seen {
            route: answer
                .header("x-route")
                .expect("the plugin says it")
                .to_owned(),
            client: answer.header("x-client").map(str::to_owned),
            reading: answer.json(),
        })
    }
}

async fn paths(asked: &mut Asked<'_>) {
    const PIECES: [&str; 25] = [
        "/", "/", "/", "/", "admin", "admin", "admin", "x", "Admin", ".", "..", "%2e", ";", ";a",
        "%3b", "%2f", "%5c", "%20", "%61", "%c0%ae", "%25", "%252e", "\\", "?q", "//",
    ];
    let mut compared = 0;
    for _ in 0..CASES {
        let path = format!("/{}", asked.dice.some(&PIECES, 7));
        let Some(seen) = asked.ask(&path, &[("host", "other.test")]).await else {
            continue;
        };
        compared += 1;
        let ours = seen.route == "admin";
        assert_eq!(
            seen.reading["admin"], ours,
            "{:?}: {path} went by {}",
            asked.kind, seen.route
        );
    }
    assert!(compared > AT_LEAST, "{compared} paths were let through");
}

async fn hosts(asked: &mut Asked<'_>) {
    const PIECES: [&str; 14] = [
        "inner", "INNER", "inner", ".", ".", "test", "Test", "test", "test", ":80", ":080", "-",
        "%2e", "..",
    ];
    let mut compared = 0;
    for _ in 0..CASES {
        let host = if asked.dice.roll(2) == 0 {
            let ends = ["", ".", ":80", ".:80", "..", ":", " "];
            let names = [
                "inner.test",
                "Inner.Test",
                "INNER.TEST",
                "inner.tesT",
                "x.inner.test",
            ];
            format!("{}{}", asked.dice.one(&names), asked.dice.one(&ends))
        } else {
            asked.dice.some(&PIECES, 5)
        };
        let Some(seen) = asked.ask("/x", &[("host", &host)]).await else {
            continue;
        };
        compared += 1;
        let theirs = seen.reading["host"] == "inner.test";
        assert_eq!(
            theirs,
            seen.route == "inner",
            "{:?}: {host:?} went by {}",
            asked.kind,
            seen.route
        );
    }
    assert!(compared > AT_LEAST, "{compared} hosts were let through");
}

async fn clients(asked: &mut Asked<'_>) {
    let mut compared = 0;
    for _ in 0..CASES {
        let nodes = [
            "203.0.113.9",
            "2001:db8::1",
            "[2001:DB8::0001]",
            "::ffff:203.0.113.9",
            "10.1.2.3",
            "unknown",
            "_x",
            "203.0.113.09",
        ];
        let (node, around) = (asked.dice.one(&nodes), asked.dice.one(&["", "\"", " "]));
        let port = asked.dice.one(&["", ":4711", ":0", ":99999", ":"]);
        let rest = asked
            .dice
            .one(&["", ", 10.0.0.2", ", 10.0.0.2:80, 10.0.0.3"]);
        let chain = format!("{around}{node}{port}{around}{rest}");
        let headers = [("host", "other.test"), ("x-forwarded-for", chain.as_str())];
        let seen = asked.ask("/x", &headers).await.expect("nobody is refused");
        let Some(client) = seen.client else {
            // Somebody unknown: no server may take a name for an address.
            assert_ne!(seen.reading["client"], "203.0.113.9", "{chain:?}");
            continue;
        };
        compared += 1;
        assert_eq!(
            seen.reading["client"],
            client.as_str(),
            "{:?}: {chain:?}",
            asked.kind
        );
    }
    assert!(compared > AT_LEAST, "{compared} addresses were understood");
}

async fn fields(asked: &mut Asked<'_>) {
    for _ in 0..CASES {
        let between = ["-", "_", ".", "~", "!", "+"];
        let begin = asked.dice.one(&["x", "X"]);
        let (first, second) = (asked.dice.one(&between), asked.dice.one(&between));
        let name = format!("{begin}{first}User{second}Id");
        let headers = [("host", "other.test"), (name.as_str(), "forged")];
        let seen = asked.ask("/x", &headers).await.expect("nobody is refused");
        assert_eq!(
            seen.reading["user"], "the-real-one",
            "{:?}: {name}",
            asked.kind
        );
    }
}

/// The same throws in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("it is below `sides`")
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    /// Up to so many, one after the other.
    fn some(&mut self, of: &[&str], most: usize) -> String {
        (0..=self.roll(most)).map(|_| self.one(of)).collect()
    }
}
