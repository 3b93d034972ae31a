//! The settings schema of a plugin: from its settings type to `settings.schema.json`, which `#[plugin]` puts into
//! the component. Runs in the plugin's own tests only, so that nothing of it is in a component.

use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

const UPDATE: &str = "UPDATE=1 cargo test writes it; commit it";

/// The text of `settings.schema.json` for a settings type.
///
/// Draft 7, because editors of TOML know no later one, and without references, so that it can stand inside of
/// another schema.
pub fn text<T: JsonSchema>() -> String {
    let mut generator = SchemaSettings::draft07()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let mut schema = generator.root_schema_for::<T>();
    RecursiveTransform(without_null).transform(&mut schema);
    let text = serde_json::to_string_pretty(schema.as_value());
    format!("{}\n", text.expect("a schema is made of JSON"))
}

/// The test that `#[plugin]` adds to a plugin: the committed file says what the settings type says.
///
/// # Panics
///
/// When it does not.
pub fn is_current<T: JsonSchema>(path: &str) {
    let (path, wanted) = (Path::new(path), text::<T>());
    let found = std::fs::read_to_string(path);
    // As values: the order of keys depends on what other crates ask of serde_json.
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    if found
        .as_ref()
        .is_ok_and(|found| value(found) == value(&wanted))
    {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, wanted)
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        return;
    }
    match found {
        Ok(_) => panic!(
            "{} is not what the settings type says; {UPDATE}",
            path.display()
        ),
        Err(error) => panic!("{}: {error}; {UPDATE}", path.display()),
    }
}

/// TOML has no null: what may be null may be left out, and that is said elsewhere. A default that a schema
/// with text cannot have is Rust's own form of a duration.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(forms)) = object.get_mut("anyOf") {
        forms.retain(|form| form.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(one)] = forms.as_slice() {
            let one = one.clone();
            object.remove("anyOf");
            for (key, value) in one {
                object.entry(key).or_insert(value);
            }
        }
    }
    let text = object.get("type").is_some_and(|name| name == "string");
    if object
        .get("default")
        .is_some_and(|default| default.is_null() || (text && default.is_object()))
    {
        object.remove("default");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Settings {
        /// How many.
        count: Option<u32>,
        kind: Option<Kind>,
        #[serde(default = "day", deserialize_with = "settings::duration")]
        #[schemars(schema_with = "settings::duration_schema")]
        age: std::time::Duration,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only its schema is of interest")]
    enum Kind {
        One,
        Two,
    }

    fn day() -> std::time::Duration {
        std::time::Duration::from_secs(86_400)
    }

    #[test]
    fn a_schema_has_no_null_and_no_references() {
        let schema: Value = serde_json::from_str(&text::<Settings>()).expect("JSON");
        let properties = &schema["properties"];
        assert_eq!(properties["count"]["type"], "integer");
        assert_eq!(properties["count"]["description"], "How many.");
        assert_eq!(
            properties["kind"]["enum"],
            serde_json::json!(["one", "two"])
        );
        assert!(!schema.to_string().contains("$ref"), "{schema}");
    }

    #[test]
    fn a_duration_is_text_with_a_unit() {
        let schema: Value = serde_json::from_str(&text::<Settings>()).expect("JSON");
        let age = &schema["properties"]["age"];
        assert_eq!(age["type"], "string");
        assert_eq!(age["default"], Value::Null, "Rust's own form is left out");
        assert_eq!(schema["required"], Value::Null);
    }
}
