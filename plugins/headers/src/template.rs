//! The value of a header with places to fill in: `${caller.id}`, `${claim.tenant:-none}`, `$$` for a dollar sign.

use std::borrow::Cow;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value {
        attr: String,
        default: Option<String>,
    },
}

/// What a place can name: whole names, and prefixes with a name of one's own behind.
const NAMES: [&str; 14] = [
    "caller.id",
    "caller.roles",
    "request.id",
    "route",
    "client.ip",
    "client.cert.subject",
    "client.cert.dns",
    "client.cert.uri",
    "client.cert.email",
    "client.cert.ip",
    "client.cert.fingerprint",
    "scheme",
    "host",
    "path",
];
const PREFIXES: [&str; 2] = ["claim.", "param."];

impl Template {
    /// Parses a template; the error says what may stand there.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let place = after
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let (inside, after) =
                place.ok_or("a `$` starts `${name}`; write `$$` for a dollar sign")?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(part(inside)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        if parts.iter().any(Part::has_controls) {
            return Err("a header's value holds no control characters".to_owned());
        }
        Ok(Template(parts))
    }

    /// Fills in the values; `None` when one is missing or empty and has no default.
    pub fn fill(&self, attr: impl Fn(&str) -> Option<String>) -> Option<Cow<'_, str>> {
        if let [Part::Literal(text)] = &self.0[..] {
            return Some(Cow::Borrowed(text));
        }
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value {
                    attr: name,
                    default,
                } => match attr(name).filter(|value| !value.is_empty()) {
                    Some(value) => out.push_str(&value),
                    None => out.push_str(default.as_deref()?),
                },
            }
        }
        Some(Cow::Owned(out))
    }
}

fn part(inside: &str) -> Result<Part, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inside, None),
    };
    let own = |prefix: &&str| {
        name.strip_prefix(*prefix)
            .is_some_and(|own| !own.is_empty())
    };
    if NAMES.contains(&name) || PREFIXES.iter().any(own) {
        return Ok(Part::Value {
            attr: name.to_owned(),
            default,
        });
    }
    Err(format!(
        "there is no ${{{name}}}; there are {}, claim.NAME, param.NAME",
        NAMES.join(", ")
    ))
}

impl Part {
    fn has_controls(&self) -> bool {
        match self {
            Part::Literal(text) => text.contains(char::is_control),
            Part::Value { default, .. } => default
                .as_ref()
                .is_some_and(|text| text.contains(char::is_control)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn fill(template: &str) -> Option<String> {
        let attr = |name: &str| match name {
            "caller.id" => Some("42".to_owned()),
            "claim.name" => Some("${route}".to_owned()),
            "claim.empty" => Some(String::new()),
            _ => None,
        };
        Template::parse(template)
            .expect("the test's template is valid")
            .fill(attr)
            .map(Cow::into_owned)
    }

    #[test]
    fn places_are_filled() {
        for (template, wanted) in [
            ("", Some("")),
            ("plain", Some("plain")),
            ("${caller.id}", Some("42")),
            ("user ${caller.id}; ${caller.id}.", Some("user 42; 42.")),
            ("$$${caller.id}$$$$", Some("$42$$")),
            ("${claim.tenant:-none}", Some("none")),
            ("${claim.tenant:-}", Some("")),
            ("${claim.empty:-none}", Some("none")),
            ("${caller.id:-none}", Some("42")),
            ("${claim.tenant:-a:-b}", Some("a:-b")),
            ("a}b{c", Some("a}b{c")),
        ] {
            assert_eq!(fill(template).as_deref(), wanted, "{template}");
        }
    }

    #[test]
    fn a_missing_value_without_default_makes_no_value() {
        assert_eq!(fill("x ${claim.tenant} y"), None);
        assert_eq!(fill("${claim.empty}"), None);
    }

    #[test]
    fn a_value_is_not_a_template() {
        assert_eq!(fill("${claim.name}").as_deref(), Some("${route}"));
    }

    #[test]
    fn a_mistake_says_what_there_is() {
        let told = Template::parse("${caler.id}").unwrap_err();
        assert!(
            told.starts_with("there is no ${caler.id}; there are caller.id, "),
            "{told}"
        );
        for text in [
            "$",
            "$x",
            "${",
            "${caller.id",
            "${}",
            "${claim.}",
            "${ route }",
            "100 $",
            "a\nb",
            "${route:-\r}",
        ] {
            assert!(Template::parse(text).is_err(), "{text:?}");
        }
    }
}
