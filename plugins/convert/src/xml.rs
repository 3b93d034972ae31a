//! XML 1.0, written only: JSON to XML has an answer, XML to JSON has many.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::tree::{self, Mistake, Out, Value};

/// The element of a list's items where no name is at hand: in the root and in other lists.
const ITEM: &str = "item";

/// Writes a document with one root element.
pub fn write(value: &Value, root: &str, out: &mut Out) -> Result<(), Mistake> {
    let mut writer = Writer::new(out);
    let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
    writer.write_event(Event::Decl(declaration))?;
    element(value, root, &mut writer)
}

/// Whether it can name an element: an NCName, so no colon and no namespace that nobody declared (Namespaces in
/// XML 1.0, and XML 1.0 fifth edition section 2.3).
pub fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(starts_name) && letters.all(continues_name)
}

fn starts_name(c: char) -> bool {
    matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn continues_name(c: char) -> bool {
    starts_name(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Section 2.2, Char.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

// === elements ===

fn element(value: &Value, name: &str, writer: &mut Writer<&mut Out>) -> Result<(), Mistake> {
    let start = BytesStart::new(name);
    if matches!(value, Value::Null) {
        let nil = start.with_attributes([("nil", "true")]);
        return Ok(writer.write_event(Event::Empty(nil))?);
    }
    writer.write_event(Event::Start(start))?;
    match value {
        Value::Null => {}
        Value::Bool(bit) => text(if *bit { "true" } else { "false" }, writer)?,
        Value::Number(digits) => text(digits, writer)?,
        Value::Text(content) => {
            if let Some(bad) = content.chars().find(|&c| !is_char(c)) {
                let code = u32::from(bad);
                return Err(Mistake::unwritable(format!("XML cannot hold U+{code:04X}")));
            }
            text(content, writer)?;
        }
        Value::List(list) => items(list, ITEM, writer)?,
        Value::Map(members) => {
            for (key, value) in members {
                member(key, value, writer).map_err(|mistake| mistake.under(key))?;
            }
        }
    }
    Ok(writer.write_event(Event::End(BytesEnd::new(name)))?)
}

fn member(key: &str, value: &Value, writer: &mut Writer<&mut Out>) -> Result<(), Mistake> {
    if !is_name(key) {
        let key = tree::shown(key);
        return Err(Mistake::unwritable(format!(
            "{key} cannot name an element of XML"
        )));
    }
    match value {
        Value::List(list) => items(list, key, writer),
        one => element(one, key, writer),
    }
}

fn items(list: &[Value], name: &str, writer: &mut Writer<&mut Out>) -> Result<(), Mistake> {
    for (i, value) in list.iter().enumerate() {
        element(value, name, writer).map_err(|mistake| mistake.under(i.to_string()))?;
    }
    Ok(())
}

fn text(content: &str, writer: &mut Writer<&mut Out>) -> io::Result<()> {
    writer.write_event(Event::Text(BytesText::new(content)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use crate::tree::Kind;
    use crate::{Limits, Source, Target, convert};

    fn xml(json: &str) -> Result<String, (Kind, String)> {
        let xml = convert(
            json.as_bytes(),
            Source::Json,
            Target::Xml,
            "r",
            Limits::default(),
        );
        let xml = xml.map_err(|m| (m.kind, m.pointer.unwrap_or_default()))?;
        let xml = String::from_utf8(xml).unwrap();
        let body = xml.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
        Ok(body.unwrap().to_owned())
    }

    #[test]
    fn a_value_is_an_element() {
        for (json, expected) in [
            ("{}", "<r></r>"),
            ("null", r#"<r nil="true"/>"#),
            ("1.50", "<r>1.50</r>"),
            (
                r#"{"a":true,"b":null,"c":""}"#,
                r#"<r><a>true</a><b nil="true"/><c></c></r>"#,
            ),
            (
                r#"{"a":[1,{"b":2},[3]]}"#,
                "<r><a>1</a><a><b>2</b></a><a><item>3</item></a></r>",
            ),
            ("[1,2]", "<r><item>1</item><item>2</item></r>"),
            (r#"{"a":[]}"#, "<r></r>"),
            (
                r#"{"a":"<&>]]>\r\n\t"}"#,
                "<r><a>&lt;&amp;&gt;]]&gt;&#13;\n\t</a></r>",
            ),
            (
                r#"{"\u00e4-1.b":"\ud83d\ude00"}"#,
                "<r><\u{e4}-1.b>\u{1f600}</\u{e4}-1.b></r>",
            ),
        ] {
            assert_eq!(xml(json), Ok(expected.to_owned()), "{json}");
        }
    }

    #[test]
    fn what_xml_cannot_hold_is_refused_with_its_place() {
        for (json, pointer) in [
            (r#"{"a":{"1b":1}}"#, "/a/1b"),
            (r#"{"a b":1}"#, "/a b"),
            (r#"{"x:y":1}"#, "/x:y"),
            (r#"{"":1}"#, "/"),
            (r#"{"a><b":1}"#, "/a><b"),
            (r#"{"a":["x","\u0000"]}"#, "/a/1"),
            (r#"["\ufffe"]"#, "/0"),
        ] {
            assert_eq!(xml(json), Err((Kind::Unfit, pointer.to_owned())), "{json}");
        }
    }

    #[test]
    fn a_long_name_does_not_blow_up() {
        let name = "n".repeat(100_000);
        let json = format!("{{\"{name}\":[{}1]}}", "1,".repeat(50_000));
        assert_eq!(xml(&json).unwrap_err().0, Kind::TooLarge);
    }
}
