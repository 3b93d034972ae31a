//! Settings to what runs, with every mistake at its place.

use portcullis_sdk::settings::is_token;

use crate::{Json, Page, Roots, Target, Text, Tree, Trouble};

/// Compiles and collects mistakes; what it gives back with a mistake is never used.
#[derive(Debug, Default)]
pub struct Compiler {
    mistakes: Vec<String>,
}

/// The gateway writes these itself: framing, routing and what holds for one connection only.
const GATEWAYS_OWN: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
];

impl Compiler {
    /// Notes a mistake.
    pub fn mistake(&mut self, place: &str, why: impl AsRef<str>) {
        self.mistakes.push(format!("{place}: {}", why.as_ref()));
    }

    /// The value, or the mistake noted.
    pub fn check<T>(&mut self, place: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|why| self.mistake(place, why)).ok()
    }

    /// One line with places.
    pub fn text(&mut self, place: &str, source: &str, roots: &Roots) -> Text {
        self.at(place, |mistakes| Text::parse(source, roots, mistakes))
    }

    /// A path with places, and a query if there is a `?`.
    pub fn target(&mut self, place: &str, source: &str, roots: &Roots) -> Target {
        self.at(place, |mistakes| {
            let text = Text::parse(source, roots, mistakes);
            Target::new(text, mistakes)
        })
    }

    /// JSON with places.
    pub fn tree(&mut self, place: &str, json: &Json, roots: &Roots) -> Tree {
        self.at(place, |mistakes| Tree::parse(json, roots, mistakes))
    }

    /// A Jinja template.
    pub fn page(&mut self, place: &str, source: &str, json: bool, roots: &Roots) -> Page {
        self.at(place, |mistakes| Page::parse(source, json, roots, mistakes))
    }

    /// The name of a header that a plugin may write, in lower case.
    pub fn header(&mut self, place: &str, name: &str) -> String {
        self.check(place, header_name(name)).unwrap_or_default()
    }

    fn at<T>(&mut self, place: &str, compile: impl FnOnce(&mut Vec<String>) -> T) -> T {
        let mut found = Vec::new();
        let compiled = compile(&mut found);
        found.iter().for_each(|why| self.mistake(place, why));
        compiled
    }

    /// The value when there was no mistake, else all of them.
    pub fn finish<T>(self, value: T) -> Result<T, String> {
        if self.mistakes.is_empty() {
            Ok(value)
        } else {
            Err(self.mistakes.join("\n"))
        }
    }
}

/// In lower case.
pub fn header_name(name: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        Err(format!("{name:?} is no header name"))
    } else if GATEWAYS_OWN.contains(&name.as_str()) {
        Err(format!("{name} is the gateway's own"))
    } else {
        Ok(name)
    }
}

/// Whether the text can be a header's value; RFC 9110 section 5.5.
pub fn header_value(value: &str) -> Result<(), Trouble> {
    if value.chars().any(|c| c.is_control() && c != '\t') {
        Err(Trouble::Unfit(
            "the value holds a control character such as a line break".to_owned(),
        ))
    } else {
        Ok(())
    }
}
