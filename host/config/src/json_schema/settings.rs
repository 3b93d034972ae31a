//! The settings of plugins inside the schema of gateway.toml: each schema becomes a definition, and a string may
//! also be a secret, `{ env = "X" }` or `{ file = "path" }`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const SECRET: &str = "secret";

/// Keywords whose value is one schema.
const ONE: [&str; 7] = [
    "additionalProperties",
    "additionalItems",
    "items",
    "contains",
    "if",
    "then",
    "else",
];
/// Keywords whose value is a list of schemas. `items` may be either.
const LIST: [&str; 5] = ["items", "prefixItems", "allOf", "anyOf", "oneOf"];
/// Keywords whose value is a table of schemas.
const TABLE: [&str; 4] = ["properties", "patternProperties", "definitions", "$defs"];

/// Where the schema of a plugin's settings is.
pub(super) fn reference(plugin: &str) -> String {
    format!("#/definitions/{}", definition(plugin))
}

pub(super) fn definitions(settings: &BTreeMap<String, Value>) -> Value {
    let mut all = Map::new();
    for (plugin, schema) in settings {
        let mut schema = schema.clone();
        if let Some(object) = schema.as_object_mut() {
            object.remove("$schema");
            object.remove("$id");
        }
        adapt(&mut schema, &reference(plugin));
        all.insert(definition(plugin), schema);
    }
    all.insert(SECRET.to_owned(), secret());
    Value::Object(all)
}

/// A name of the gateway has no dot, so no plugin can be called like another definition.
fn definition(plugin: &str) -> String {
    format!("settings.{plugin}")
}

fn secret() -> Value {
    let form = |from: &str, doc: &str| {
        json!({
            "type": "object",
            "description": doc,
            "properties": { from: { "type": "string" } },
            "required": [from],
            "additionalProperties": false,
        })
    };
    let mut env = form("env", "the text of a variable of the environment");
    env["properties"]["default"] = json!({ "type": "string" });
    json!({ "anyOf": [env, form("file", "the text of a file, relative to gateway.toml")] })
}

/// Brings a schema, and all schemas in it, to its new place.
fn adapt(schema: &mut Value, root: &str) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::String(target)) = object.get_mut("$ref")
        && let Some(path) = target.strip_prefix('#')
    {
        *target = format!("{root}{path}");
    }
    if is_text(object) {
        let own = Value::Object(std::mem::take(object));
        let kept = ["description", "title", "default", "examples"];
        for key in kept {
            if let Some(value) = own.get(key) {
                object.insert(key.to_owned(), value.clone());
            }
        }
        let secret = format!("#/definitions/{SECRET}");
        object.insert("anyOf".to_owned(), json!([own, { "$ref": secret }]));
        return;
    }
    for (keyword, value) in object.iter_mut() {
        if ONE.contains(&keyword.as_str()) && value.is_object() {
            adapt(value, root);
        } else if LIST.contains(&keyword.as_str()) {
            let forms = value.as_array_mut().into_iter().flatten();
            forms.for_each(|form| adapt(form, root));
        } else if TABLE.contains(&keyword.as_str()) {
            let schemas = value.as_object_mut().into_iter().flatten();
            schemas.for_each(|(_, schema)| adapt(schema, root));
        }
    }
    // A secret would fit two forms that are text.
    if let Some(forms) = object.remove("oneOf") {
        let forms = object.insert("anyOf".to_owned(), forms);
        if let Some(others) = forms {
            object.insert("allOf".to_owned(), json!([{ "anyOf": others }]));
        }
    }
}

/// Whether a string may stand here.
fn is_text(schema: &Map<String, Value>) -> bool {
    let named = match schema.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => false,
    };
    let all_text = |values: &Value| {
        let values = values.as_array();
        values.is_some_and(|all| all.iter().all(Value::is_string))
    };
    let forms = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    named
        || schema.get("const").is_some_and(Value::is_string)
        || schema.get("enum").is_some_and(all_text)
        || forms.and_then(Value::as_array).is_some_and(|forms| {
            let objects: Vec<_> = forms.iter().filter_map(Value::as_object).collect();
            objects.len() == forms.len() && objects.into_iter().all(is_text)
        })
}
