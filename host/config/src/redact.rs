//! gateway.toml for people who may look and must not learn a secret: by the tables of keys, what is not known to be
//! harmless is left out. Comments are left out too.

use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::keys::{self, Section, Shape};

/// Stands where something is not shown.
const HIDDEN: &str = "***";
/// Of a secret that is looked for everywhere else: a shorter one is a word like any other.
const TELLING: usize = 8;
/// Texts for clients, which may hold anything.
const FREE_TEXT: [&str; 1] = ["body"];

/// The text of a gateway.toml as JSON. Shown are keys, names, numbers, choices, addresses and paths; of a secret, where
/// it comes from; of a plugin's settings, their names. `env` is the environment that secrets come from: what stands in
/// it is not shown even where it was copied to.
pub fn redacted(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Value {
    let (root, _) = DeTable::parse_recoverable(text);
    let mut redaction = Redaction {
        env,
        secrets: Vec::new(),
    };
    let mut shown = redaction.table(&keys::FILE, root.get_ref());
    redaction.sweep(&mut shown);
    shown
}

struct Redaction<'e> {
    env: &'e dyn Fn(&str) -> Option<String>,
    /// Seen and hidden.
    secrets: Vec<String>,
}

impl Redaction<'_> {
    fn table(&mut self, section: &'static Section, table: &DeTable<'_>) -> Value {
        let mut shown = Map::new();
        for (name, item) in table {
            let name: &str = name.get_ref();
            let value = match section.find(name) {
                Some(_) if FREE_TEXT.contains(&name) => json!(HIDDEN),
                Some(key) => self.value(&key.shape, item),
                None => json!(HIDDEN),
            };
            shown.insert(name.to_owned(), value);
        }
        Value::Object(shown)
    }

    fn value(&mut self, shape: &Shape, item: &Spanned<DeValue<'_>>) -> Value {
        match (shape, item.get_ref()) {
            (Shape::Secret, item) => self.secret(item),
            (Shape::Settings, DeValue::Table(table)) => self.settings(table),
            (Shape::Table(section), DeValue::Table(table)) => self.table(section, table),
            (Shape::Named(section), DeValue::Table(tables)) => {
                let named = |(name, item): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                    let name: &std::borrow::Cow<'_, str> = name.get_ref();
                    (name.to_string(), self.entry(section, item.get_ref()))
                };
                tables.iter().map(named).collect()
            }
            (Shape::Tables(section) | Shape::Entries(section, _), DeValue::Array(items)) => {
                let entry = |item: &Spanned<DeValue<'_>>| self.entry(section, item.get_ref());
                items.iter().map(entry).collect()
            }
            (Shape::Conditions | Shape::Texts, DeValue::Table(table)) => {
                let shown = |item: &DeValue<'_>| match item {
                    DeValue::Boolean(flag) => json!(flag),
                    _ => json!(HIDDEN),
                };
                let entries = table.iter();
                let entries =
                    entries.map(|(n, item)| (n.get_ref().to_string(), shown(item.get_ref())));
                entries.collect()
            }
            (Shape::Rates, DeValue::Table(table)) => {
                let entries = table.iter();
                let entries =
                    entries.map(|(n, item)| (n.get_ref().to_string(), plain(item.get_ref())));
                entries.collect()
            }
            (Shape::Secrets, DeValue::Table(table)) => {
                let secret = |(name, item): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                    let name: &std::borrow::Cow<'_, str> = name.get_ref();
                    (name.to_string(), self.secret(item.get_ref()))
                };
                table.iter().map(secret).collect()
            }
            // Every shape by its name: a new one is hidden until somebody adds it here.
            (
                Shape::Flag
                | Shape::Count(..)
                | Shape::Duration(..)
                | Shape::Size(..)
                | Shape::Percent(..)
                | Shape::Statuses
                | Shape::Choice(_)
                | Shape::Address
                | Shape::Text
                | Shape::Name(_)
                | Shape::List
                | Shape::OneOrList,
                item,
            ) => plain(item),
            // What nobody said of that it is harmless.
            _ => json!(HIDDEN),
        }
    }

    /// One of several tables; a string stands for one by its name.
    fn entry(&mut self, section: &'static Section, item: &DeValue<'_>) -> Value {
        match item {
            DeValue::Table(table) => self.table(section, table),
            DeValue::String(name) => json!(masked(name)),
            _ => json!(HIDDEN),
        }
    }

    /// Where it comes from.
    fn secret(&mut self, item: &DeValue<'_>) -> Value {
        match item {
            DeValue::Table(table) if is_reference(table) => self.reference(table),
            DeValue::String(text) => {
                self.secrets.push(text.to_string());
                json!(HIDDEN)
            }
            _ => json!(HIDDEN),
        }
    }

    fn reference(&mut self, table: &DeTable<'_>) -> Value {
        let mut shown = Map::new();
        for (key, item) in table {
            let key: &str = key.get_ref();
            let text = item.get_ref().as_str().unwrap_or_default();
            let value = match key {
                "env" => {
                    self.secrets.extend((self.env)(text));
                    json!(text)
                }
                "file" => json!(text),
                _ => {
                    self.secrets.push(text.to_owned());
                    json!(HIDDEN)
                }
            };
            shown.insert(key.to_owned(), value);
        }
        Value::Object(shown)
    }

    /// What is a plugin's own: nobody here knows which of it is secret.
    fn settings(&mut self, table: &DeTable<'_>) -> Value {
        let mut shown = Map::new();
        for (at, (name, item)) in table.iter().enumerate() {
            let name = if is_word(name.get_ref()) {
                name.get_ref().to_string()
            } else {
                format!("{HIDDEN}{at}")
            };
            shown.insert(name, self.setting(item.get_ref()));
        }
        Value::Object(shown)
    }

    fn setting(&mut self, item: &DeValue<'_>) -> Value {
        match item {
            DeValue::Boolean(flag) => json!(flag),
            DeValue::Table(table) if is_reference(table) => self.reference(table),
            DeValue::Table(table) => self.settings(table),
            DeValue::Array(items) => items.iter().map(|i| self.setting(i.get_ref())).collect(),
            _ => json!(HIDDEN),
        }
    }

    /// Hides secrets that were copied to where none is expected.
    fn sweep(&self, shown: &mut Value) {
        match shown {
            Value::String(text) => *text = self.swept(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.sweep(item)),
            Value::Object(members) => {
                let swept = std::mem::take(members)
                    .into_iter()
                    .map(|(name, mut value)| {
                        self.sweep(&mut value);
                        (self.swept(&name), value)
                    });
                *members = swept.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn swept(&self, text: &str) -> String {
        let telling = self.secrets.iter().filter(|s| s.len() >= TELLING);
        telling.fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

fn is_reference(table: &DeTable<'_>) -> bool {
    table.contains_key("env") || table.contains_key("file")
}

/// The name of a setting, and hardly a key or an id.
fn is_word(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.len() <= 32 && name.bytes().all(letters)
}

/// A value that is what its key says: a number, a choice, an address, a name, a path.
fn plain(item: &DeValue<'_>) -> Value {
    match item {
        DeValue::String(text) => json!(masked(text)),
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Integer(number) => json!(number.as_str().parse::<i64>().ok()),
        DeValue::Float(number) => json!(number.as_str().parse::<f64>().ok()),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect(),
        DeValue::Table(_) | DeValue::Datetime(_) => json!(HIDDEN),
    }
}

/// Without the credentials and the query values of a URL.
fn masked(text: &str) -> String {
    let (place, query) = match text.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (text, None),
    };
    let mut shown = match place.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
                None => place.to_owned(),
            }
        }
        None => place.to_owned(),
    };
    if let Some(query) = query {
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        };
        let pairs: Vec<String> = query.split('&').map(pair).collect();
        shown = format!("{shown}?{}", pairs.join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_any_kind_is_shown_and_the_rest_is() {
        let text = r#"
# a comment with SECRET-1-comment
[admin]
tokens = [
    { name = "ci", token = "SECRET-2-inline-token", role = "write" },
    { name = "env", token = { env = "TOKEN", default = "SECRET-3-default" } },
    { name = "file", token = { file = "token.txt" } },
]
[traces]
endpoint = "https://collector/?key=SECRET-17-endpoint"
headers = { authorization = { env = "OTLP" }, x-key = "SECRET-18-header" }
[debug]
key = "SECRET-19-debug-key"
[plugin.auth]
component = "auth.wasm"
[plugin.auth.settings]
bot_token = "SECRET-4-inline-setting"
number = 4711471147
strict = true
bots = [{ token = { env = "BOT" } }, { token = "SECRET-5-nested" }]
"SECRET-6-key" = { role = "SECRET-7-value" }
deep.deeper.deepest = "SECRET-8-deep"
[upstream.users]
servers = ["127.0.0.1:9101"]
sticky = { cookie = "at", secret = "SECRET-9-sticky" }
health = { path = "/health?token=SECRET-10-query" }
[[route]]
name = "users"
path = "/hook/SECRET-11-environment/{id}"
public = true
headers = { x-api-key = "SECRET-12-condition", x-there = true }
redirect = { to = "https://user:SECRET-13-password@host/a?b=SECRET-14-value#c" }
respond = { body = "SECRET-15-body" }
unknown = "SECRET-16-unknown"
"#;
        let env = |name: &str| (name == "BOT").then(|| "SECRET-11-environment".to_owned());
        let shown = redacted(text, &env);
        let all = shown.to_string();
        assert!(!all.contains("SECRET"), "{shown:#}");
        assert!(!all.contains("4711471147"), "{shown:#}");
        for (pointer, value) in [
            ("/admin/tokens/0/name", json!("ci")),
            ("/admin/tokens/1/token/env", json!("TOKEN")),
            ("/admin/tokens/2/token/file", json!("token.txt")),
            ("/traces/headers/authorization/env", json!("OTLP")),
            ("/plugin/auth/component", json!("auth.wasm")),
            ("/plugin/auth/settings/strict", json!(true)),
            ("/plugin/auth/settings/bots/0/token/env", json!("BOT")),
            ("/upstream/users/servers/0", json!("127.0.0.1:9101")),
            ("/upstream/users/health/path", json!("/health?token=***")),
            ("/route/0/path", json!("/hook/***/{id}")),
            ("/route/0/headers/x-there", json!(true)),
        ] {
            assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}: {shown:#}");
        }
    }
}
