//! The schema of a plugin's settings, read from its component without running it.

use wasmparser::{Parser, Payload};

/// Where the SDK puts it: a custom section of the core module.
const SECTION: &str = "portcullis:settings-schema";
/// Larger than any settings type; what a stranger wrote is bounded.
const LARGEST: usize = 512 * 1024;

/// The JSON Schema that a component carries, as text that is not checked yet.
///
/// None: there is none, it is larger than 512 KiB or no UTF-8, or the bytes are no component.
pub fn settings_schema(component: &[u8]) -> Option<String> {
    // The parser goes into nested modules and components by itself, with a stack on the heap.
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::CustomSection(section) = payload.ok()?
            && section.name() == SECTION
        {
            let text = section.data();
            return (text.len() <= LARGEST)
                .then(|| String::from_utf8(text.to_vec()).ok())
                .flatten();
        }
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const NESTED: &str = r#"(component
        (core module (@custom "other" "no"))
        (component (core module (@custom "portcullis:settings-schema" "{\"type\":\"object\"}"))))"#;

    #[test]
    fn the_schema_is_found_in_a_nested_module() {
        let component = wat::parse_str(NESTED).unwrap();
        let found = settings_schema(&component);
        assert_eq!(found.as_deref(), Some(r#"{"type":"object"}"#));
    }

    #[test]
    fn a_component_without_one_has_none() {
        let component = wat::parse_str(r#"(component (core module))"#).unwrap();
        assert_eq!(settings_schema(&component), None);
        let binary = r#"(component (core module (@custom "portcullis:settings-schema" "\ff")))"#;
        assert_eq!(settings_schema(&wat::parse_str(binary).unwrap()), None);
    }

    #[test]
    fn a_huge_one_is_not_read() {
        let text = " ".repeat(LARGEST + 1);
        let wat = format!(r#"(component (core module (@custom "{SECTION}" "{text}")))"#);
        assert_eq!(settings_schema(&wat::parse_str(wat).unwrap()), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let component = wat::parse_str(NESTED).unwrap();
        for cut in 0..component.len() {
            settings_schema(&component[..cut]);
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = component.clone();
                broken[cut] = value;
                settings_schema(&broken);
            }
        }
    }
}
