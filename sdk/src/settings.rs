//! Settings: from the JSON that the gateway hands over to a plugin's own type.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// For a plugin that has nothing to set; any key is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Parses settings as the plugin's `configure` gets them: the error names the field, and no settings at all read
/// as an empty table. For tests of a settings type.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let json = match json.trim() {
        "" | "null" => "{}",
        text => text,
    };
    let mut source = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let path = error.path().to_string();
        // The gateway's file is TOML: a position in its JSON would send the reader to the wrong place.
        let inner = error.into_inner().to_string();
        let inner = inner
            .rfind(" at line ")
            .map_or(inner.as_str(), |end| &inner[..end]);
        if path == "." {
            inner.to_owned()
        } else {
            format!("{path}: {inner}")
        }
    })?;
    source.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// A duration as gateway.toml writes it: a whole number and `ms`, `s`, `m`, `h` or `d`.
///
/// For a field: `#[serde(deserialize_with = "settings::duration")]`, and so that the schema knows,
/// `#[schemars(schema_with = "settings::duration_schema")]`.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).ok_or_else(|| {
        D::Error::custom(format!("{text:?} is no duration; write \"90s\" or \"24h\""))
    })
}

/// The schema of what [`duration`] reads.
pub fn duration_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "examples": ["90s", "24h"] })
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(millis)
        .map(Duration::from_millis)
}

/// Whether a text is a token (RFC 9110 section 5.6.2), as the names of headers and of authentication schemes are.
pub fn is_token(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(fits)
}

/// Whether a text can be a role: letters, digits and signs, but no comma or space. Services get all roles of a caller
/// in one header, joined by commas.
pub fn is_role(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}

/// Notes a mistake for each text that [cannot be a role](is_role). `place` is where the roles stand in the settings.
pub fn check_roles(place: &str, roles: &[String], mistakes: &mut Vec<String>) {
    let wrong = roles.iter().filter(|role| !is_role(role));
    mistakes.extend(wrong.map(|role| {
        format!(
            "{place}: {role:?} is no role name (letters, digits and signs, but no comma or space)"
        )
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(deserialize_with = "duration")]
        age: Duration,
    }

    #[test]
    fn an_error_names_the_field() {
        assert_eq!(
            parse::<Outer>(r#"{"inner":[{"age":"1s"},{"age":"soon"}]}"#),
            Err("inner[1].age: \"soon\" is no duration; write \"90s\" or \"24h\"".to_owned())
        );
        assert_eq!(
            parse::<Outer>(r#"{"iner":[]}"#),
            Err("iner: unknown field `iner`, expected `inner`".to_owned())
        );
    }

    #[test]
    fn nothing_is_an_empty_table() {
        assert_eq!(parse::<Outer>(""), Ok(Outer { inner: vec![] }));
        assert_eq!(parse::<NoSettings>("null"), Ok(NoSettings {}));
        assert!(parse::<NoSettings>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        for bad in [
            "",
            "h",
            "24",
            "1.5h",
            "-1s",
            "1 s",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
