//! A file of cases: what it may say, and what of it is a plugin's table in gateway.toml.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use portcullis_config::plan::Plan;
use portcullis_terminal::Failure;
use serde::Deserialize;
use serde_json::Value as Json;
use toml::{Spanned, Table, Value};

/// `tests/cases.toml`: the keys of `[plugin.NAME]`, and the cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    instance: Option<Value>,
    snapshot: Option<Value>,
    on_failure: Option<Value>,
    limits: Option<Value>,
    grants: Option<Table>,
    settings: Option<Value>,
    #[serde(rename = "case")]
    cases: Vec<Spanned<Case>>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    text: String,
}

/// One request, or one request and its response, and what the plugin makes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    /// Instead of the file's.
    settings: Option<Value>,
    #[serde(default)]
    pub(super) request: Message,
    /// What an upstream answered: the response phases of a filter see it.
    pub(super) response: Option<Message>,
    pub(super) caller: Option<Caller>,
    #[serde(default)]
    pub(super) params: BTreeMap<String, String>,
    pub(super) client_ip: Option<IpAddr>,
    /// The clock: seconds since 1970, or a date with its time and offset.
    pub(super) now: Option<Value>,
    /// The request is made this many times; expected is what comes of the last.
    #[serde(default = "once")]
    pub(super) times: u32,
    #[serde(default)]
    pub(super) upstream: Vec<Upstream>,
    pub(super) expect: Expect,
}

/// A request (method, path) or a response (status).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) method: Option<String>,
    /// With its query.
    pub(super) path: Option<String>,
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Words>,
    pub(super) body: Option<String>,
    pub(super) json: Option<Json>,
}

/// A header's value, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Caller {
    pub(super) id: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) claims: BTreeMap<String, String>,
}

/// A call that the plugin is to make, and its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    pub(super) expect: ExpectCall,
    #[serde(default)]
    pub(super) answer: Answer,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectCall {
    pub(super) upstream: String,
    #[serde(default = "get")]
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Words>,
    pub(super) body: Option<String>,
    pub(super) json: Option<Json>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// 200 where nothing is said.
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Words>,
    pub(super) body: Option<String>,
    pub(super) json: Option<Json>,
    /// "20ms", "1s": how long it takes.
    pub(super) delay: Option<String>,
    /// There is no answer.
    pub(super) error: Option<NoAnswer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NoAnswer {
    Timeout,
    Connect,
    Closed,
}

/// Only what is said is compared.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) decision: Decision,
    pub(super) status: Option<u16>,
    /// A refusal's name.
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    /// A part of what is logged.
    pub(super) because: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Words>,
    /// Headers that are not there.
    #[serde(default)]
    pub(super) absent: Vec<String>,
    pub(super) method: Option<String>,
    pub(super) target: Option<String>,
    pub(super) body: Option<String>,
    pub(super) json: Option<Json>,
    pub(super) caller: Option<Caller>,
    /// Of the problem document.
    #[serde(default)]
    pub(super) members: BTreeMap<String, Json>,
}

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Decision {
    /// A filter lets it pass.
    #[default]
    Next,
    /// A filter or handler answers.
    Respond,
    Refuse,
    /// An authenticator knows who is asking.
    Caller,
    /// An authorizer lets it pass.
    Permit,
    /// The plugin could not do its work.
    Fail,
    /// The gateway would not start with these settings.
    SettingsRefused,
}

const ROUTE: &str =
    "[[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"nowhere\"\n";

fn once() -> u32 {
    1
}

fn get() -> String {
    "GET".to_owned()
}

// === impl Cases ===

impl Cases {
    pub(super) fn read(path: &Path) -> Result<Cases, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::Mistake(format!(
                "error: {} cannot be read: {error}\n hint: name the file with --cases; `portcullis plugin new` makes one",
                path.display()
            ))
        })?;
        let mut cases: Cases = toml::from_str(&text)
            .map_err(|error| Failure::Mistake(format!("{}: {error}", path.display())))?;
        path.clone_into(&mut cases.path);
        cases.text = text;
        Ok(cases)
    }

    /// The cases whose name contains `filter`, each with its place.
    pub(super) fn named(&self, filter: Option<&str>) -> Vec<(String, &Case)> {
        let wanted =
            |case: &&Spanned<Case>| filter.is_none_or(|part| case.get_ref().name.contains(part));
        self.cases
            .iter()
            .filter(wanted)
            .map(|case| (self.place(case.span().start), case.get_ref()))
            .collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn place(&self, at: usize) -> String {
        let before = self
            .text
            .bytes()
            .take(at)
            .filter(|byte| *byte == b'\n')
            .count();
        format!("{}:{}", self.path.display(), before + 1)
    }

    /// What a gateway.toml with this plugin alone comes to, with the settings of a case instead of the file's.
    pub(super) fn plan(&self, plugin: &str, case: Option<&Case>) -> Result<Plan, Failure> {
        let name = format!("{}, as gateway.toml", self.path.display());
        let text = self.gateway_toml(plugin, case);
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let read = portcullis_config::parse(&name, &text, folder, &|name| std::env::var(name).ok());
        read.map_err(Failure::mistake)
    }

    /// A gateway.toml, so that its keys mean here what they mean there.
    fn gateway_toml(&self, name: &str, case: Option<&Case>) -> String {
        let settings = case
            .and_then(|case| case.settings.clone())
            .or(self.settings.clone());
        let mut plugin = Table::new();
        plugin.insert("component".into(), Value::String("component.wasm".into()));
        let keys = [
            ("instance", self.instance.clone()),
            ("snapshot", self.snapshot.clone()),
            ("on_failure", self.on_failure.clone()),
            ("limits", self.limits.clone()),
            ("grants", self.grants.clone().map(Value::Table)),
            ("settings", settings),
        ];
        let given = keys
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        plugin.extend(given);
        // Nobody calls these: a case says what upstreams answer. A route there must be.
        let nowhere = |name: &str| (name.to_owned(), Value::Table(server("127.0.0.1:9")));
        let upstreams: Table = self.granted().chain(["nowhere"]).map(nowhere).collect();
        let mut root = Table::new();
        root.insert(
            "plugin".into(),
            Value::Table(Table::from_iter([(name.to_owned(), Value::Table(plugin))])),
        );
        root.insert("upstream".into(), Value::Table(upstreams));
        format!("{root}\n{ROUTE}")
    }

    /// The names of the upstreams that the file grants.
    fn granted(&self) -> impl Iterator<Item = &str> {
        let list = self
            .grants
            .as_ref()
            .and_then(|grants| grants.get("upstreams")?.as_array());
        list.into_iter()
            .flatten()
            .filter_map(|grant| grant.get("name").unwrap_or(grant).as_str())
    }
}

fn server(address: &str) -> Table {
    Table::from_iter([(
        "servers".to_owned(),
        Value::Array(vec![Value::String(address.to_owned())]),
    )])
}

// === impl Words ===

impl Words {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Words::One(word) => std::slice::from_ref(word),
            Words::Many(words) => words,
        }
    }
}

// === impl Decision ===

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decision::Next => "next",
            Decision::Respond => "respond",
            Decision::Refuse => "refuse",
            Decision::Caller => "caller",
            Decision::Permit => "permit",
            Decision::Fail => "fail",
            Decision::SettingsRefused => "settings-refused",
        })
    }
}
