//! The names that an expression may say, and what it takes from the exchange.

use std::collections::{BTreeSet, HashSet};

use minijinja::ErrorKind;

use crate::engine::shared;
use crate::words::Word;

/// What is transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request on its way in.
    Request,
    /// A response on its way out.
    Response,
}

/// The names in scope.
#[derive(Debug, Clone)]
pub struct Roots {
    kind: Kind,
    calls: Vec<String>,
}

/// What a text, a target, a tree or a page takes from the exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Outermost names.
    pub roots: BTreeSet<String>,
    pub(crate) claims: BTreeSet<String>,
    pub(crate) params: BTreeSet<String>,
}

const PLAIN: [&str; 11] = [
    "method", "path", "route", "host", "scheme", "query", "headers", "body", "caller", "client",
    "params",
];

/// The engine's own words: no call can have one of them as its name.
const ENGINES: [&str; 14] = [
    "true", "false", "none", "True", "False", "None", "loop", "self", "not", "and", "or", "if",
    "else", "in",
];

/// For hints; the engine knows more.
const FILTERS: [&str; 27] = [
    "tojson",
    "path",
    "raw",
    "default",
    "join",
    "lower",
    "upper",
    "trim",
    "replace",
    "length",
    "first",
    "last",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "sort",
    "unique",
    "list",
    "items",
    "int",
    "float",
    "string",
    "round",
    "split",
    "groupby",
];

impl Roots {
    /// Of a request or a response, with the names of the calls whose answers are in scope.
    pub fn new(kind: Kind, calls: impl IntoIterator<Item = String>) -> Roots {
        Roots {
            kind,
            calls: calls.into_iter().collect(),
        }
    }

    /// The outermost names.
    pub fn names(&self) -> Vec<&str> {
        let more: &[&str] = match self.kind {
            Kind::Request => &["request"],
            Kind::Response => &["request", "response"],
        };
        let calls = self.calls.iter().map(String::as_str);
        PLAIN
            .iter()
            .copied()
            .chain(more.iter().copied())
            .chain(calls)
            .collect()
    }

    /// Whether no call may have this name.
    pub fn is_taken(name: &str) -> bool {
        PLAIN.contains(&name)
            || ["request", "response"].contains(&name)
            || ENGINES.contains(&name)
            || shared().globals().any(|(global, _)| global == name)
    }

    /// What these names and words take; the mistakes are appended.
    pub(crate) fn uses(
        &self,
        nested: &HashSet<String>,
        words: &[Word<'_>],
        mistakes: &mut Vec<String>,
    ) -> Uses {
        let mut uses = Uses {
            claims: in_brackets(words, "claims"),
            params: in_brackets(words, "params"),
            ..Uses::default()
        };
        let mut sorted: Vec<_> = nested.iter().collect();
        sorted.sort();
        for name in sorted {
            if let Err(mistake) = self.note(name, &mut uses) {
                mistakes.push(mistake);
            }
        }
        mistakes.extend(unknown_words(words));
        uses
    }

    fn note(&self, name: &str, uses: &mut Uses) -> Result<(), String> {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        let (second, third) = (parts.next(), parts.next());
        if !self.names().contains(&root) {
            if shared().globals().any(|(global, _)| global == root) {
                return Ok(());
            }
            return Err(unknown(root, &self.names()));
        }
        uses.roots.insert(root.to_owned());
        match root {
            "caller" => match (second, third) {
                (Some("claims"), Some(claim)) => drop(uses.claims.insert(claim.to_owned())),
                (Some("claims"), None) if !uses.claims.is_empty() => {}
                (Some("claims") | None, None) => {
                    return Err("write caller.id, caller.roles or caller.claims.NAME".to_owned());
                }
                (second, _) => within("caller", second, &["id", "roles", "claims"])?,
            },
            "params" => match second {
                Some(param) => drop(uses.params.insert(param.to_owned())),
                None if uses.params.is_empty() => {
                    return Err("write params.NAME: a parameter of the route's path".to_owned());
                }
                None => {}
            },
            "client" => within(root, second, &["ip"])?,
            "request" => within(root, second, &["id"])?,
            "response" => within(root, second, &["status", "headers"])?,
            _ => {}
        }
        Ok(())
    }
}

fn within(root: &str, name: Option<&str>, known: &[&str]) -> Result<(), String> {
    match name {
        Some(name) if known.contains(&name) => Ok(()),
        Some(name) => Err(format!(
            "there is no `{root}.{name}`{}; there is {root}.{}",
            did_you_mean(name, known),
            known.join(&format!(", {root}."))
        )),
        None => Err(format!(
            "write {root}.{}",
            known.join(&format!(", {root}."))
        )),
    }
}

fn unknown(root: &str, names: &[&str]) -> String {
    format!(
        "there is no `{root}`{}; there are {}",
        did_you_mean(root, names),
        names.join(", ")
    )
}

/// `NAME["x"]`.
fn in_brackets(words: &[Word<'_>], name: &str) -> BTreeSet<String> {
    let text = |window: &[Word<'_>]| match window {
        [
            Word::Name(found),
            Word::Sign('['),
            Word::Text(text),
            Word::Sign(']'),
        ] if *found == name => Some((*text).to_owned()),
        _ => None,
    };
    words.windows(4).filter_map(text).collect()
}

/// Filters and tests that the engine does not have.
fn unknown_words(words: &[Word<'_>]) -> Vec<String> {
    let mut state = shared().empty_state();
    let mut mistakes = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let name = |ahead: usize| match words.get(at + ahead) {
            Some(Word::Name(name)) => Some(*name),
            _ => None,
        };
        if let (Word::Sign('|'), Some(filter)) = (word, name(1)) {
            let known = state.apply_filter(filter, &[]);
            if known.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
                mistakes.push(format!(
                    "there is no filter `{filter}`{}",
                    did_you_mean(filter, &FILTERS)
                ));
            }
        }
        let test = match (word, name(1)) {
            (Word::Name("is"), Some("not")) => name(2),
            (Word::Name("is"), test) => test,
            _ => None,
        };
        if let Some(test) = test {
            let known = state.perform_test(test, &[]);
            if known.is_err_and(|error| error.kind() == ErrorKind::UnknownTest) {
                mistakes.push(format!("there is no test `is {test}`"));
            }
        }
    }
    mistakes
}

/// ` (did you mean …?)` when one of the names is near.
pub fn did_you_mean(word: &str, names: &[&str]) -> String {
    let far = word.chars().count() / 3 + 1;
    names
        .iter()
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, name)| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

impl Uses {
    /// All of both.
    pub fn add(&mut self, other: &Uses) {
        self.roots.extend(other.roots.iter().cloned());
        self.claims.extend(other.claims.iter().cloned());
        self.params.extend(other.params.iter().cloned());
    }

    /// Whether it takes anything of this name.
    pub fn takes(&self, root: &str) -> bool {
        self.roots.contains(root)
    }
}
