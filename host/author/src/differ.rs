//! The differences between what a case expects and what happened.

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderMap;
use serde_json::Value as Json;

use crate::case::{self, Decision, Expect, Words};
use crate::play::Seen;

/// One thing that is not as expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    what: String,
    expected: String,
    got: String,
}

/// Characters of a value that are shown.
const SHOWN: usize = 400;
const NOTHING: &str = "nothing";

/// All that differs. What is not expected is not compared.
pub(super) fn differences(expect: &Expect, seen: &Seen) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    found.decision(expect, seen);
    if found.0.is_empty() {
        found.refusal(expect, seen);
        found.message(expect, seen);
        if let Some(caller) = &expect.caller {
            found.caller(caller, seen);
        }
    }
    for call in &seen.unexpected {
        found.note("upstream call", "none but those of the case", call);
    }
    for call in &seen.missed {
        found.note("upstream call", call, NOTHING);
    }
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn note(
        &mut self,
        what: impl fmt::Display,
        expected: impl fmt::Display,
        got: impl fmt::Display,
    ) {
        let (what, expected, got) = (what.to_string(), short(expected), short(got));
        self.0.push(Difference {
            what,
            expected,
            got,
        });
    }

    fn same<T: fmt::Display + PartialEq + ?Sized>(
        &mut self,
        what: impl fmt::Display,
        expected: Option<&T>,
        got: Option<&T>,
    ) {
        let Some(wanted) = expected else { return };
        if got != Some(wanted) {
            match got {
                Some(got) => self.note(what, wanted, got),
                None => self.note(what, wanted, NOTHING),
            }
        }
    }

    fn decision(&mut self, expect: &Expect, seen: &Seen) {
        if expect.decision != seen.decision {
            self.note("decision", expect.decision, Ending(seen));
        }
    }

    fn refusal(&mut self, expect: &Expect, seen: &Seen) {
        self.same("reason", expect.reason.as_deref(), seen.reason);
        self.same("detail", expect.detail.as_deref(), seen.detail.as_deref());
        let logged = seen.because.as_deref().unwrap_or_default();
        if let Some(part) = expect
            .because
            .as_deref()
            .filter(|part| !logged.contains(part))
        {
            self.note("because", format_args!("…{part}…"), or_nothing(logged));
        }
        for (name, wanted) in &expect.members {
            let got = seen
                .members
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value);
            self.json(&format!("members.{name}"), wanted, got);
        }
    }

    fn message(&mut self, expect: &Expect, seen: &Seen) {
        let status = seen.status.map(|status| status.as_u16());
        self.same("status", expect.status.as_ref(), status.as_ref());
        self.same("method", expect.method.as_deref(), seen.method.as_deref());
        self.same("target", expect.target.as_deref(), seen.target.as_deref());
        for (name, words) in &expect.headers {
            self.header(name, words, &seen.headers);
        }
        for name in &expect.absent {
            if let Some(value) = seen.headers.get(name.as_str()) {
                self.note(
                    format_args!("header {name}"),
                    NOTHING,
                    String::from_utf8_lossy(value.as_bytes()),
                );
            }
        }
        let text = || String::from_utf8_lossy(&seen.body);
        if let Some(body) = expect
            .body
            .as_ref()
            .filter(|body| body.as_bytes() != seen.body)
        {
            self.note("body", or_nothing(body), or_nothing(&text()));
        }
        if let Some(wanted) = &expect.json {
            match serde_json::from_slice(&seen.body) {
                Ok(got) => self.json("json", wanted, Some(&got)),
                Err(_) => self.note("json", wanted, or_nothing(&text())),
            }
        }
    }

    fn header(&mut self, name: &str, words: &Words, headers: &HeaderMap) {
        let held = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let held: Vec<_> = held.collect();
        if held != words.all() {
            let got = held.join(" | ");
            self.note(
                format_args!("header {name}"),
                words.all().join(" | "),
                or_nothing(&got),
            );
        }
    }

    fn caller(&mut self, wanted: &case::Caller, seen: &Seen) {
        let Some(got) = &seen.caller else { return };
        self.same("caller.id", Some(wanted.id.as_str()), Some(&*got.id));
        let sorted = |roles: &[String]| {
            let mut roles = roles.to_vec();
            roles.sort();
            roles.join(", ")
        };
        if sorted(&wanted.roles) != sorted(&got.roles) {
            self.note(
                "caller.roles",
                or_nothing(&sorted(&wanted.roles)),
                or_nothing(&sorted(&got.roles)),
            );
        }
        let claims: BTreeMap<_, _> = got.claims.iter().cloned().collect();
        for name in wanted.claims.keys().chain(
            claims
                .keys()
                .filter(|name| !wanted.claims.contains_key(*name)),
        ) {
            let (wanted, got) = (wanted.claims.get(name), claims.get(name));
            if wanted != got {
                let text = |value: Option<&String>| {
                    value.map_or(NOTHING.to_owned(), |value| format!("{value:?}"))
                };
                self.note(
                    format_args!("caller.claims.{name}"),
                    text(wanted),
                    text(got),
                );
            }
        }
    }

    /// The innermost values that differ, each with its path.
    fn json(&mut self, path: &str, wanted: &Json, got: Option<&Json>) {
        match (wanted, got) {
            (wanted, Some(got)) if same_value(wanted, got) => {}
            (Json::Object(wanted), Some(Json::Object(got))) => {
                for (key, value) in wanted {
                    self.json(&format!("{path}.{key}"), value, got.get(key));
                }
                for (key, value) in got.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                    self.note(format_args!("{path}.{key}"), NOTHING, value);
                }
            }
            (Json::Array(wanted), Some(Json::Array(got))) if wanted.len() == got.len() => {
                for (index, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                    self.json(&format!("{path}[{index}]"), wanted, Some(got));
                }
            }
            (wanted, Some(got)) => self.note(path, wanted, got),
            (wanted, None) => self.note(path, wanted, NOTHING),
        }
    }
}

/// 1 is 1.0: TOML and the plugin may write a number in two ways.
fn same_value(a: &Json, b: &Json) -> bool {
    a == b
        || matches!((a, b), (Json::Number(a), Json::Number(b)) if a.as_f64() == b.as_f64() && a.is_f64() != b.is_f64())
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { NOTHING } else { text }
}

/// On one line, without what a terminal would obey.
fn short(value: impl fmt::Display) -> String {
    let text = value.to_string();
    let mut out: String = text.chars().take(SHOWN).flat_map(shown).collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

fn shown(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    escaped
        .into_iter()
        .flatten()
        .chain((!c.is_control()).then_some(c))
}

/// How it ended, and why.
struct Ending<'a>(&'a Seen);

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen {
            decision,
            reason,
            detail,
            because,
            ..
        } = self.0;
        write!(f, "{decision}")?;
        if let Some(reason) = reason {
            write!(f, " {reason}")?;
        }
        if let (Decision::Respond, Some(status)) = (decision, self.0.status) {
            write!(f, " with {}", status.as_u16())?;
        }
        for text in [detail, because].into_iter().flatten() {
            write!(f, ": {text}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            what,
            expected,
            got,
        } = self;
        write!(f, "- {what}: {expected}\n+ {what}: {got}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(wanted: &Json, got: &Json) -> Vec<String> {
        let mut found = Found(Vec::new());
        found.json("json", wanted, Some(got));
        found.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn json_is_told_where_it_differs() {
        let wanted = json!({ "a": { "b": [1, 2] }, "c": 1, "d": 1 });
        let got = json!({ "a": { "b": [1, 3] }, "c": 1.0, "e": null });
        let lines = told(&wanted, &got);
        assert_eq!(
            lines,
            [
                "- json.a.b[1]: 2\n+ json.a.b[1]: 3",
                "- json.d: 1\n+ json.d: nothing",
                "- json.e: nothing\n+ json.e: null"
            ]
        );
    }

    #[test]
    fn large_whole_numbers_are_not_compared_as_fractions() {
        assert_eq!(
            told(
                &json!(9_007_199_254_740_993_i64),
                &json!(9_007_199_254_740_992_i64)
            )
            .len(),
            1
        );
    }

    #[test]
    fn what_is_shown_is_one_bounded_line() {
        assert_eq!(short("a\n\u{1b}b"), "a\\n\\u{1b}b");
        assert_eq!(short("x".repeat(1000)).chars().count(), SHOWN + 1);
    }
}
