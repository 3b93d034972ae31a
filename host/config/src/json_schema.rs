//! The JSON Schema of gateway.toml, for editors: made of the tables that the reader checks against, and of the
//! schemas that the plugins' components carry.
//!
//! Draft 7, the newest that Taplo knows. An editor only helps: what the schema cannot be sure of it allows, and
//! `portcullis check` has the last word.

mod settings;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use crate::keys::{self, Fallback, Key, Section, Shape};

/// The plugins, upstreams and the folder that a gateway.toml names, whatever mistakes it has.
#[derive(Debug, Default)]
pub struct Outline {
    /// As written: relative to the directory of the file.
    pub folder: String,
    /// The component of each plugin, where it is given.
    pub components: BTreeMap<String, Option<String>>,
    upstreams: BTreeSet<String>,
    limits: BTreeSet<String>,
}

struct Writer<'a> {
    outline: &'a Outline,
    /// By plugin, the schema of its settings.
    settings: &'a BTreeMap<String, Value>,
}

/// The JSON Schema of gateway.toml as text. `settings` has the schemas of plugins' settings, by plugin; one that is
/// no JSON object is left out.
pub fn json_schema(outline: &Outline, settings: &BTreeMap<String, String>) -> String {
    let parsed = settings.iter().filter_map(|(name, text)| {
        let schema: Value = serde_json::from_str(text).ok()?;
        schema.is_object().then(|| (name.clone(), schema))
    });
    let settings: BTreeMap<String, Value> = parsed.collect();
    let writer = Writer {
        outline,
        settings: &settings,
    };
    let mut schema = Value::Object(writer.section(&keys::FILE));
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("gateway.toml");
    schema["definitions"] = self::settings::definitions(&settings);
    format!("{schema:#}\n")
}

// === impl Outline ===

impl Outline {
    pub fn of(text: &str) -> Self {
        let (root, _) = DeTable::parse_recoverable(text);
        let root = root.get_ref();
        let table = |key: &str| root.get(key).and_then(|item| item.get_ref().as_table());
        let names = |key: &str| table(key).into_iter().flatten();
        let plain = |key: &str| {
            let names = names(key).map(|(name, _)| name.get_ref().to_string());
            names.collect::<BTreeSet<String>>()
        };
        let component = |plugin: &DeValue<'_>| {
            let component = plugin.as_table()?.get("component")?;
            component.get_ref().as_str().map(str::to_owned)
        };
        let folder = table("plugins").and_then(|plugins| plugins.get("folder")?.get_ref().as_str());
        let default = keys::PLUGINS.find("folder").map(|key| &key.fallback);
        Self {
            folder: match (folder, default) {
                (Some(folder), _) => folder.to_owned(),
                (None, Some(Fallback::Value(folder))) => (*folder).to_owned(),
                (None, _) => String::new(),
            },
            components: names("plugin")
                .map(|(name, plugin)| (name.get_ref().to_string(), component(plugin.get_ref())))
                .collect(),
            upstreams: plain("upstream"),
            limits: plain("limit"),
        }
    }

    fn names(&self, of: &str) -> Vec<&str> {
        match of {
            "plugin" => self.components.keys().map(String::as_str).collect(),
            "limit" => self.limits.iter().map(String::as_str).collect(),
            _ => self.upstreams.iter().map(String::as_str).collect(),
        }
    }
}

// === impl Writer ===

impl Writer<'_> {
    fn section(&self, section: &Section) -> Map<String, Value> {
        let properties: Map<String, Value> = section
            .keys
            .iter()
            .map(|key| (key.name.to_owned(), Value::Object(self.key(key))))
            .collect();
        let required: Vec<&str> = section
            .keys
            .iter()
            .filter(|key| matches!(key.fallback, Fallback::Required))
            .map(|key| key.name)
            .collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        if !section.doc.is_empty() {
            schema.insert("description".to_owned(), json!(section.doc));
        }
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema
    }

    fn key(&self, key: &Key) -> Map<String, Value> {
        let mut schema = self.shape(&key.shape);
        let doc = match key.fallback {
            Fallback::Words(words) if !words.is_empty() => format!("{}; default: {words}", key.doc),
            _ => key.doc.to_owned(),
        };
        if !key.doc.is_empty() {
            schema.insert("description".to_owned(), json!(doc));
        }
        if let Fallback::Value(text) = key.fallback {
            let value = match key.shape {
                Shape::Flag => json!(text == "true"),
                Shape::Count(..) => json!(text.parse::<u64>().unwrap_or_default()),
                _ => json!(text),
            };
            schema.insert("default".to_owned(), value);
        }
        schema
    }

    fn shape(&self, shape: &Shape) -> Map<String, Value> {
        let strings = json!({ "type": "array", "items": { "type": "string" } });
        let schema = match shape {
            Shape::Flag => json!({ "type": "boolean" }),
            Shape::Count(least, most) => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Shape::Duration(least, most) => json!({
                "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "examples": [least, most],
            }),
            Shape::Size(least, most) => json!({
                "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB|KB|MB|GB)$", "examples": [least, most],
            }),
            Shape::Percent(least, most) => json!({
                "type": "string", "pattern": "^[0-9]+%$",
                "examples": [format!("{least}%"), format!("{most}%")],
            }),
            Shape::Secret => json!({ "anyOf": [{ "type": "string" }, { "type": "object" }] }),
            Shape::Statuses => json!({
                "type": "array", "items": { "type": "integer", "minimum": 400, "maximum": 599 },
            }),
            Shape::Choice(choices) => json!({ "type": "string", "enum": choices }),
            Shape::Address | Shape::Text => json!({ "type": "string" }),
            Shape::Name(of) => self.name(of),
            Shape::List => strings,
            Shape::OneOrList => json!({ "anyOf": [{ "type": "string" }, strings] }),
            Shape::Table(section) => return self.section(section),
            Shape::Named(section) => self.named(section),
            Shape::Tables(section) => json!({ "type": "array", "items": self.section(section) }),
            Shape::Entries(section, names) => {
                let text = names.map_or_else(|| json!({ "type": "string" }), |of| self.name(of));
                json!({ "type": "array", "items": { "anyOf": [text, self.section(section)] } })
            }
            Shape::Conditions => json!({
                "type": "object", "additionalProperties": { "type": ["string", "boolean"] },
            }),
            Shape::Texts => {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            }
            Shape::Secrets => json!({
                "type": "object",
                "additionalProperties": { "anyOf": [{ "type": "string" }, { "type": "object" }] },
            }),
            Shape::Rates => json!({
                "type": "object",
                "additionalProperties": { "type": "string", "pattern": "^[0-9]+/[0-9]+(ms|s|m|h|d)$" },
            }),
            Shape::Settings => json!({ "type": "object" }),
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }

    /// Offers the names there are; another one may be written before its table is.
    fn name(&self, of: &str) -> Value {
        let names = self.outline.names(of);
        if names.is_empty() {
            json!({ "type": "string" })
        } else {
            json!({ "anyOf": [{ "enum": names }, { "type": "string" }] })
        }
    }

    /// Tables by name. A plugin whose component carries a schema has settings of that shape.
    fn named(&self, section: &'static Section) -> Value {
        let of_any = Value::Object(self.section(section));
        let mut properties = Map::new();
        if std::ptr::eq(section, &keys::PLUGIN) {
            for name in self.settings.keys() {
                let mut plugin = of_any.clone();
                let reference = json!({ "$ref": self::settings::reference(name) });
                plugin["properties"]["settings"] = reference;
                properties.insert(name.clone(), plugin);
            }
        }
        json!({ "type": "object", "properties": properties, "additionalProperties": of_any })
    }
}
