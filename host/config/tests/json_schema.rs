//! The JSON Schema that editors get: what it takes and what it marks.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_config::{Outline, json_schema};
use serde_json::{Value, json};
use toml::de::{DeTable, DeValue};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn demo() -> String {
    fs::read_to_string(root().join("gateway.toml")).unwrap()
}

/// The schema for a text whose plugins carry the schemas of the shipped ones.
fn schema(text: &str) -> Value {
    let outline = Outline::of(text);
    let mut settings = BTreeMap::new();
    for (name, component) in &outline.components {
        let package = component.as_deref().unwrap_or_default();
        let package = package.replace(".wasm", "").replace('_', "-");
        let file = root()
            .join("plugins")
            .join(package)
            .join("settings.schema.json");
        if let Ok(schema) = fs::read_to_string(file) {
            settings.insert(name.clone(), schema);
        }
    }
    serde_json::from_str(&json_schema(&outline, &settings)).unwrap()
}

fn value(item: &DeValue<'_>) -> Value {
    match item {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(number.as_str().parse::<i64>().unwrap()),
        DeValue::Float(number) => json!(number.as_str().parse::<f64>().unwrap()),
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Datetime(date) => json!(date.to_string()),
        DeValue::Array(all) => all.iter().map(|item| value(item.get_ref())).collect(),
        DeValue::Table(table) => object(table),
    }
}

fn object(table: &DeTable<'_>) -> Value {
    let pairs = table.iter();
    let pairs = pairs.map(|(key, item)| (key.get_ref().to_string(), value(item.get_ref())));
    Value::Object(pairs.collect())
}

/// The places that an editor would mark.
fn marked(schema: &Value, text: &str) -> Vec<String> {
    let table = DeTable::parse(text).unwrap();
    let validator = jsonschema::draft7::new(schema).unwrap();
    let file = object(table.get_ref());
    let errors = validator.iter_errors(&file);
    errors.map(|e| e.instance_path().to_string()).collect()
}

#[test]
fn the_demos_file_is_good() {
    let schema = schema(&demo());
    assert!(jsonschema::draft7::meta::is_valid(&schema));
    assert_eq!(marked(&schema, &demo()), [""; 0]);
    let reference =
        &schema["properties"]["plugin"]["properties"]["telegram"]["properties"]["settings"];
    assert_eq!(reference["$ref"], "#/definitions/settings.telegram");
}

#[test]
fn each_mistake_is_marked() {
    let schema = schema(&demo());
    for (good, bad, place) in [
        ("[log]", "[lgo]", ""),
        ("access = true", "access = 1", "/log/access"),
        ("format = \"auto\"", "format = \"jsn\"", "/log/format"),
        ("drain = \"10s\"", "drain = 10", "/listen/drain"),
        ("instances = 1000", "instances = 0", "/plugins/instances"),
        (
            "query      = \"tma\"",
            "query = 1",
            "/plugin/telegram/settings/query",
        ),
        (
            "query      = \"tma\"",
            "qury = \"tma\"",
            "/plugin/telegram/settings",
        ),
        (
            "max_age    = \"24h\"",
            "max_age = \"1 day\"",
            "/plugin/telegram/settings/max_age",
        ),
        ("component = \"rbac.wasm\"", "", "/plugin/rules"),
        ("name     = \"hello\"\n", "", "/route/0"),
    ] {
        let text = demo().replacen(good, bad, 1);
        assert_ne!(text, demo(), "{good} is in the demo's file");
        let places = marked(&schema, &text);
        assert!(places.iter().any(|p| p == place), "{bad}: {places:?}");
    }
}

#[test]
fn every_unknown_key_of_the_reader_is_marked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/keys");
    for name in [
        "unknown_key",
        "unknown_key_everywhere",
        "unknown_table",
        "wrong_table",
    ] {
        let text = fs::read_to_string(folder.join(name).with_extension("toml")).unwrap();
        assert!(!marked(&schema(&text), &text).is_empty(), "{name}");
    }
}

#[test]
fn names_are_offered_and_new_ones_may_be_written() {
    let schema = schema(&demo());
    let route = &schema["properties"]["route"]["items"]["properties"];
    let upstreams = &route["upstream"]["anyOf"][0]["enum"];
    assert!(upstreams.as_array().unwrap().contains(&json!("users")));
    let plugins = &route["plugins"]["items"]["anyOf"][0]["anyOf"][0]["enum"];
    assert!(plugins.as_array().unwrap().contains(&json!("telegram")));
    let text = demo().replacen("upstream = \"users\"", "upstream = \"new\"", 1);
    assert_eq!(marked(&schema, &text), [""; 0]);
}

#[test]
fn a_secret_stands_where_text_may() {
    let outline = Outline::of("[plugin.p]\ncomponent = \"p.wasm\"");
    let own = json!({
        "type": "object",
        "properties": {
            "text": { "type": "string", "pattern": "^a" },
            "number": { "type": "integer" },
            "either": { "oneOf": [{ "type": "integer" }, { "type": "string" }] },
            "mode": { "oneOf": [{ "const": "a" }, { "const": "b" }] },
            "list": { "items": { "$ref": "#/definitions/Text" } },
        },
        "definitions": { "Text": { "type": "string" } },
    });
    let settings = BTreeMap::from([("p".to_owned(), own.to_string())]);
    let schema: Value = serde_json::from_str(&json_schema(&outline, &settings)).unwrap();
    let with = |key: &str, value: &str| {
        let text = format!(
            "[plugin.p]\ncomponent = \"p.wasm\"\nsettings = {{ {key} = {value} }}\n\
             [[route]]\nname = \"r\"\n"
        );
        marked(&schema, &text).is_empty()
    };
    for (key, value) in [
        ("text", "\"a\""),
        ("text", "{ env = \"X\" }"),
        ("text", "{ env = \"X\", default = \"a\" }"),
        ("text", "{ file = \"x\" }"),
        ("number", "1"),
        ("either", "{ env = \"X\" }"),
        ("mode", "{ file = \"x\" }"),
        ("list", "[\"a\", { env = \"X\" }]"),
    ] {
        assert!(with(key, value), "{key} = {value}");
    }
    for (key, value) in [
        ("text", "\"b\""),
        ("text", "{ env = 1 }"),
        ("number", "{ env = \"X\" }"),
        ("mode", "\"c\""),
        ("list", "[1]"),
    ] {
        assert!(!with(key, value), "{key} = {value}");
    }
}

#[test]
fn an_outline_is_made_of_a_file_with_mistakes() {
    let text = "[plugin.p]\ncomponent = \"p.wasm\"\n[plugin.q]\n[upstream.u]\n[lisen]\nx = [1,\n";
    let outline = Outline::of(text);
    assert_eq!(outline.folder, "plugins.d");
    let plugins: Vec<_> = outline.components.into_iter().collect();
    assert_eq!(
        plugins,
        [
            ("p".to_owned(), Some("p.wasm".to_owned())),
            ("q".to_owned(), None)
        ]
    );
}
