//! What a gateway is started with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::output::Lines;
use super::ports::free;
use super::{Gateway, Listeners, artefacts};
use crate::demo::Demo;
use crate::tls::Issued;

/// Another process may take a port between the look and the listening.
const TRIES: usize = 4;

/// A gateway.toml and all it needs, not running yet.
#[derive(Debug, Clone)]
pub struct Setup {
    toml: String,
    /// More keys for the `[listen]` table; None: the text has a `[listen]` of its own.
    listen: Option<String>,
    environment: Vec<(String, String)>,
    /// File name in the plugin folder, content.
    plugins: Vec<(String, Vec<u8>)>,
    /// File name beside gateway.toml, content.
    files: Vec<(String, String)>,
    /// Nobody reads its stdout.
    unread: bool,
}

impl Setup {
    /// For a text without `[listen]`.
    pub fn new(toml: &str) -> Self {
        let listen = Some(String::from("workers = 2\ndrain = \"2s\"\n"));
        Self {
            toml: toml.to_owned(),
            listen,
            environment: Vec::new(),
            plugins: Vec::new(),
            files: Vec::new(),
            unread: false,
        }
    }

    /// For a text with a `[listen]` of its own.
    pub fn whole(toml: &str) -> Self {
        Self {
            listen: None,
            ..Self::new(toml)
        }
    }

    /// The repository's own gateway.toml in front of `demo`, with the shipped plugins.
    ///
    /// Its plugins are configured anew for each request: compiling a snapshot of each would take most of a test's
    /// time. [`Setup::demo_as_it_is`] has them.
    pub fn demo(demo: &Demo) -> Self {
        let mut setup = Self::demo_as_it_is(demo);
        let mut text = setup
            .toml
            .replace("snapshot  = \"always\"", "snapshot  = \"never\"");
        for line in setup
            .toml
            .lines()
            .filter(|line| line.starts_with("component = "))
        {
            let (plugin, _) = text.split_once(line).expect("it is a line of the text");
            if !text[plugin.len() + line.len()..]
                .trim_start()
                .starts_with("snapshot")
            {
                text = text.replacen(line, &format!("{line}\nsnapshot = \"never\""), 1);
            }
        }
        setup.toml = text;
        setup
    }

    /// The repository's own gateway.toml, unchanged but for addresses.
    pub fn demo_as_it_is(demo: &Demo) -> Self {
        let path = artefacts::repository().join("gateway.toml");
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let at = demo.addresses();
        let services = [at.users[0], at.users[1], at.raids, at.mentions];
        let toml = (9101..).zip(services).fold(text, |text, (port, address)| {
            text.replace(&format!("127.0.0.1:{port}"), &address.to_string())
        });
        Self {
            toml,
            listen: None,
            environment: Vec::new(),
            plugins: Vec::new(),
            files: Vec::new(),
            unread: false,
        }
        .guests()
    }

    /// gateway.toml, but for the listeners.
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// More lines for `[listen]`.
    pub fn listen(mut self, lines: &str) -> Self {
        let listen = self
            .listen
            .as_mut()
            .expect("only where [listen] is made here");
        listen.push_str(lines);
        listen.push('\n');
        self
    }

    /// Its stdout is a pipe that nobody reads.
    pub fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// A change to the text, for tests of the repository's own.
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        assert!(
            self.toml.contains(from),
            "gateway.toml no longer says {from:?}"
        );
        self.toml = self.toml.replace(from, to);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The plugins of the demo.
    pub fn guests(self) -> Self {
        const DEMO: [&str; 10] = [
            "telegram_auth.wasm",
            "jwt_auth.wasm",
            "session.wasm",
            "rbac.wasm",
            "headers.wasm",
            "validate.wasm",
            "convert.wasm",
            "aggregate.wasm",
            "rewrite.wasm",
            "api_key.wasm",
        ];
        DEMO.into_iter().fold(self, |setup, file| {
            setup.plugin(file, artefacts::guest(file))
        })
    }

    /// A file beside gateway.toml.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// `NAME.pem` and `NAME.key` beside gateway.toml.
    pub fn certificate(self, name: &str, issued: &Issued) -> Self {
        self.file(&format!("{name}.pem"), &issued.certificate)
            .file(&format!("{name}.key"), &issued.key)
    }

    pub fn plugin(mut self, file: &str, bytes: Vec<u8>) -> Self {
        self.plugins.push((file.to_owned(), bytes));
        self
    }

    /// Runs it until it is ready.
    pub async fn start(self) -> Gateway {
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.run().ready().await {
                Ok(gateway) => return gateway,
                Err(why) if why.contains("in use") => last = why,
                Err(why) => panic!("{why}"),
            }
        }
        panic!("{last}");
    }

    /// Runs it, and waits for nothing.
    pub fn launch(&self) -> Gateway {
        self.run()
    }

    /// `portcullis check` on it.
    pub fn check(&self) -> Output {
        self.say("check")
    }

    /// `portcullis NAME --config FILE`, to its end.
    pub fn say(&self, name: &str) -> Output {
        let directory = self.directory(&listeners());
        let mut command = self.command(name, &directory.path().join("gateway.toml"));
        command
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", artefacts::binary().display()))
    }

    /// `portcullis NAME --config FILE`, where NAME may hold further words, with the environment of this setup and none of the machine's.
    pub(super) fn command(&self, name: &str, config: &Path) -> Command {
        let mut command = Command::new(artefacts::binary());
        command.args(name.split(' ')).arg("--config").arg(config);
        command
            .env_remove("PORTCULLIS_ADMIN_TOKEN")
            .env_remove("BOT_TOKEN")
            .env_remove("ADMIN_IDS")
            .env_remove("SESSION_SECRET")
            .env_remove("BOT_KEY_SHA256");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The whole gateway.toml.
    pub(super) fn text(&self, toml: &str, at: &Listeners) -> String {
        let Listeners {
            http,
            h2c,
            https,
            admin,
        } = at;
        let cache = format!("cache = {:?}", artefacts::code_cache());
        let toml = if toml.contains("[plugins]\ncache") {
            toml.to_owned()
        } else if toml.contains("[plugins]\n") {
            toml.replacen("[plugins]\n", &format!("[plugins]\n{cache}\n"), 1)
        } else {
            format!("{toml}\n[plugins]\n{cache}\n")
        };
        let text = match &self.listen {
            Some(lines) => {
                format!(
                    "[listen]\nhttp = \"{http}\"\nh2c = \"{h2c}\"\nadmin = \"{admin}\"\n{lines}\n{toml}"
                )
            }
            None => toml
                .replace("127.0.0.1:8080", &http.to_string())
                .replace("127.0.0.1:8082", &h2c.to_string())
                .replace("127.0.0.1:8443", &https.to_string())
                .replace("127.0.0.1:9901", &admin.to_string()),
        };
        text.replace("{https}", &https.to_string())
            .replace("{admin_port}", &admin.port().to_string())
    }

    /// Whether /readyz can be asked over TLS only.
    pub(super) fn has_admin_tls(&self) -> bool {
        self.toml.contains("[admin.tls]")
    }

    /// The directory a gateway runs in.
    fn directory(&self, at: &Listeners) -> TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let plugins: PathBuf = directory.path().join("plugins.d");
        fs::create_dir(&plugins).expect("the temporary directory is writable");
        for (file, bytes) in &self.plugins {
            fs::write(plugins.join(file), bytes).expect("the temporary directory is writable");
        }
        for (name, text) in &self.files {
            fs::write(directory.path().join(name), text)
                .expect("the temporary directory is writable");
        }
        let toml = self.text(&self.toml, at);
        fs::write(directory.path().join("gateway.toml"), toml)
            .expect("the temporary directory is writable");
        directory
    }

    fn run(&self) -> Gateway {
        let listen = listeners();
        let directory = self.directory(&listen);
        let mut command = self.command("run", &directory.path().join("gateway.toml"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            let binary = artefacts::binary();
            panic!(
                "{}: {error}; build it with `cargo build -p portcullis`",
                binary.display()
            )
        });
        let stdout = child.stdout.take().expect("stdout is piped");
        let stdout = if self.unread {
            Lines::unread(stdout)
        } else {
            Lines::read(stdout)
        };
        let stderr = Lines::read(child.stderr.take().expect("stderr is piped"));
        Gateway {
            listen,
            setup: self.clone(),
            directory,
            child,
            stdout,
            stderr,
        }
    }
}

fn listeners() -> Listeners {
    Listeners {
        http: free(),
        h2c: free(),
        https: free(),
        admin: free(),
    }
}
