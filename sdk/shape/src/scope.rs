//! What expressions see of an exchange. Only what they take crosses into the plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectExt};
use portcullis_sdk::{Exchange, Message};

use crate::{Uses, decode};

/// The values by their outermost names.
#[derive(Debug, Default)]
pub struct Scope {
    values: BTreeMap<String, Value>,
}

/// The first of each name, found in any case.
#[derive(Debug)]
struct Headers(BTreeMap<String, String>);

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?.to_ascii_lowercase();
        self.0.get(&name).map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|this| Box::new(this.0.keys().map(Value::from)))
    }
}

impl Scope {
    /// What `uses` takes of the exchange; bodies and answers are inserted by whoever has them.
    pub fn new(x: &Exchange, uses: &Uses) -> Scope {
        let mut scope = Scope::default();
        for root in &uses.roots {
            let value = match root.as_str() {
                "method" => Some(Value::from(x.method())),
                "path" => Some(Value::from(x.path())),
                "route" | "host" | "scheme" => x.attr(root).map(Value::from),
                "client" => Some(of([("ip", x.attr("client.ip"))])),
                "request" => Some(of([("id", x.attr("request.id"))])),
                "caller" => caller(x, uses),
                "params" => Some(of(uses
                    .params
                    .iter()
                    .map(|name| (name.as_str(), x.param(name))))),
                "query" => Some(query(&x.target())),
                "headers" => Some(headers(x.request())),
                "response" => x.status().map(|status| {
                    let headers = headers(x.response());
                    Value::from_pairs([("status", Value::from(status)), ("headers", headers)])
                }),
                _ => None,
            };
            if let Some(value) = value {
                scope.insert(root, value);
            }
        }
        scope
    }

    /// Adds a value.
    pub fn insert(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// For what fills.
    pub fn value(&self) -> Value {
        Value::from(self.values.clone())
    }

    /// Whether something of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

/// What is not there is left out: it is undefined then, and not none.
fn of<'n>(pairs: impl IntoIterator<Item = (&'n str, Option<String>)>) -> Value {
    let there = |(name, value): (&'n str, Option<String>)| Some((name, Value::from(value?)));
    Value::from_pairs(pairs.into_iter().filter_map(there))
}

fn caller(x: &Exchange, uses: &Uses) -> Option<Value> {
    let id = x.caller_id()?;
    let roles = x.attr("caller.roles").unwrap_or_default();
    let roles: Value = roles
        .split(',')
        .filter(|role| !role.is_empty())
        .map(Value::from)
        .collect();
    let claims = of(uses
        .claims
        .iter()
        .map(|name| (name.as_str(), x.claim(name))));
    Some(Value::from_pairs([
        ("id", Value::from(id)),
        ("roles", roles),
        ("claims", claims),
    ]))
}

/// A name that is there more than once is a list: which one counts is not ours to guess.
fn query(target: &str) -> Value {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let (_, query) = target.split_once('?').unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (decode(name, true), decode(value, true)) {
            found.entry(name).or_default().push(Value::from(value));
        }
    }
    Value::from_pairs(
        found
            .into_iter()
            .map(|(name, mut values)| match values.len() {
                1 => (name, values.remove(0)),
                _ => (name, Value::from(values)),
            }),
    )
}

fn headers(message: Message<'_>) -> Value {
    let mut found = BTreeMap::new();
    for (name, value) in message.headers() {
        found
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| String::from_utf8_lossy(&value).into_owned());
    }
    Value::from_object(Headers(found))
}
