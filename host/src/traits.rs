//! The differences between two versions of a plugin, as far as they are visible without running either.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_admin::{Abilities, Change, limits};
use portcullis_runtime::{Digest, Kind, Plugin, Runtime, SecretText};
use serde_json::Value;

use crate::version::Version;

/// Differences that are listed; a stranger wrote the schema.
const MOST: usize = 60;

/// A version as it was given to its routes, or would have been.
pub(crate) struct Traits {
    digest: Digest,
    size: usize,
    imports: BTreeSet<String>,
    /// Settings by their path, each with its type.
    settings: BTreeMap<String, String>,
    /// None: it never got so far as to be given anything.
    given: Option<Given>,
}

struct Given {
    kind: Kind,
    can: Vec<String>,
    limits: BTreeMap<&'static str, String>,
    /// Compared, never shown.
    values: SecretText,
}

impl Traits {
    pub(crate) fn of(plugin: &Plugin, version: &Version) -> Traits {
        let spec = plugin.spec();
        Traits {
            imports: plugin.imports().iter().cloned().collect(),
            given: Some(Given {
                kind: plugin.kind(),
                can: Abilities::of(plugin).list(),
                limits: limits(&spec.budget),
                values: spec.settings.clone(),
            }),
            ..Traits::bare(version)
        }
    }

    /// Of a version that was refused.
    pub(crate) fn refused(version: &Version, runtime: &Runtime) -> Traits {
        let imports = version.compiled.imports(runtime).into_iter();
        Traits {
            imports: imports.map(|import| import.name).collect(),
            ..Traits::bare(version)
        }
    }

    fn bare(version: &Version) -> Traits {
        let mut settings = BTreeMap::new();
        let schema = version.schema.as_deref();
        if let Some(schema) = schema.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            list(&schema, "", &mut settings);
            for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
                list(definition, &format!("{name}."), &mut settings);
            }
        }
        Traits {
            digest: version.digest(),
            size: version.compiled.size(),
            imports: BTreeSet::new(),
            settings,
            given: None,
        }
    }

    fn changes(&self, now: &Traits) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.digest != now.digest {
            let text = format!("{} bytes, {} before", now.size, self.size);
            changes.push(Change::new("code", "changed", &text));
        }
        sets("import", &self.imports, &now.imports, &mut changes);
        if let (Some(old), Some(new)) = (&self.given, &now.given) {
            old.changes(new, &mut changes);
        }
        maps("setting", &self.settings, &now.settings, &mut changes);
        changes.truncate(MOST);
        changes
    }
}

/// How `now` differs from `before`, if both are known.
pub(crate) fn differences(before: Option<&Traits>, now: Option<&Traits>) -> Vec<Change> {
    before
        .zip(now)
        .map_or_else(Vec::new, |(before, now)| before.changes(now))
}

impl Given {
    fn changes(&self, now: &Given, changes: &mut Vec<Change>) {
        if self.kind != now.kind {
            let text = format!("{}, {} before", now.kind, self.kind);
            changes.push(Change::new("kind", "changed", &text));
        }
        let words = |given: &Given| given.can.iter().cloned().collect::<BTreeSet<_>>();
        sets("ability", &words(self), &words(now), changes);
        maps("limit", &self.limits, &now.limits, changes);
        if self.values != now.values {
            let text = "the values of its settings in gateway.toml";
            changes.push(Change::new("values", "changed", text));
        }
    }
}

fn sets(
    part: &'static str,
    old: &BTreeSet<String>,
    new: &BTreeSet<String>,
    into: &mut Vec<Change>,
) {
    let change = |how| move |what: &String| Change::new(part, how, what);
    into.extend(new.difference(old).map(change("added")));
    into.extend(old.difference(new).map(change("removed")));
}

fn maps<K: AsRef<str> + Ord>(
    part: &'static str,
    old: &BTreeMap<K, String>,
    new: &BTreeMap<K, String>,
    into: &mut Vec<Change>,
) {
    for (key, is) in new {
        let name = key.as_ref();
        into.extend(match old.get(key) {
            None => Some(Change::new(part, "added", &format!("{name}: {is}"))),
            Some(was) if was != is => {
                let text = format!("{name}: {is}, {was} before");
                Some(Change::new(part, "changed", &text))
            }
            Some(_) => None,
        });
    }
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    into.extend(gone.map(|key| Change::new(part, "removed", key.as_ref())));
}

/// The properties of an object schema, and of those within it.
fn list(schema: &Value, above: &str, into: &mut BTreeMap<String, String>) {
    let required = schema["required"].as_array();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let needed = required.is_some_and(|names| names.iter().any(|n| n == name.as_str()));
        let needed = if needed { " (required)" } else { "" };
        let path = format!("{above}{name}");
        list(property, &format!("{path}."), into);
        into.insert(path, format!("{}{needed}", kind(property)));
    }
}

/// A property's type, in as few words as its schema allows.
fn kind(property: &Value) -> String {
    let named = property["$ref"]
        .as_str()
        .and_then(|to| to.rsplit('/').next());
    match (&property["type"], named) {
        (Value::String(kind), _) => kind.clone(),
        (Value::Array(kinds), _) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        (_, Some(name)) => name.to_owned(),
        _ => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_compared_by_path_type_and_need() {
        let listed = |schema: Value| {
            let mut settings = BTreeMap::new();
            list(&schema, "", &mut settings);
            settings
        };
        let old = listed(json!({"required": ["a"], "properties": {
            "a": {"type": "string"}, "b": {"type": "integer"},
            "c": {"properties": {"d": {"$ref": "#/$defs/Mode"}}},
        }}));
        let new = listed(json!({"properties": {
            "a": {"type": "string"}, "c": {"properties": {"d": {"type": ["string", "null"]}}}, "e": {},
        }}));
        let mut changes = Vec::new();
        maps("setting", &old, &new, &mut changes);
        let told: Vec<_> = changes
            .iter()
            .map(|c| format!("{} {}", c.how, c.what))
            .collect();
        let expected = [
            "changed a: string, string (required) before",
            "changed c.d: string or null, Mode before",
            "added e: any",
            "removed b",
        ];
        assert_eq!(told, expected);
    }
}
