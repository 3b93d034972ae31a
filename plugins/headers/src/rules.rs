//! What happens to the headers of one message.

use std::collections::BTreeMap;

use portcullis_sdk::schemars::{self, JsonSchema};
use portcullis_sdk::settings::is_token;
use portcullis_sdk::{Denied, Exchange, Fault, log};
use serde::Deserialize;

use crate::template::Template;

/// What gateway.toml says for one message.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// Names to remove.
    #[serde(default)]
    remove: Vec<String>,
    /// Name to template: the only header of this name.
    #[serde(default)]
    set: BTreeMap<String, String>,
    /// Name to template: beside those of the same name.
    #[serde(default)]
    add: BTreeMap<String, String>,
}

/// The same, parsed.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    remove: Vec<String>,
    set: Vec<(String, Template)>,
    add: Vec<(String, Template)>,
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

impl Rules {
    /// Parses the rules of `side`; each mistake is added with its place.
    pub fn new(side: &str, settings: &RuleSettings, mistakes: &mut Vec<String>) -> Rules {
        let remove = settings
            .remove
            .iter()
            .map(|n| name(n, &format!("{side}.remove"), mistakes))
            .collect();
        let set = templates(&format!("{side}.set"), &settings.set, mistakes);
        let add = templates(&format!("{side}.add"), &settings.add, mistakes);
        Rules { remove, set, add }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Removes, sets, adds, in this order.
    pub fn apply(&self, x: &mut Exchange) -> Result<(), Fault> {
        for name in &self.remove {
            x.remove_header(name)?;
        }
        for (name, template) in &self.set {
            let set = match template.fill(|attr| x.attr(attr)) {
                Some(value) => tolerate(name, x.set_header(name, &*value))?,
                None => false,
            };
            // Ours to say: what the client put there itself must not pass for it.
            if !set {
                x.remove_header(name)?;
            }
        }
        for (name, template) in &self.add {
            if let Some(value) = template.fill(|attr| x.attr(attr)) {
                tolerate(name, x.add_header(name, &*value))?;
            }
        }
        Ok(())
    }
}

/// A claim may hold what no header can, such as a line break: that is no reason to fail the request. The value is
/// not logged: it is somebody's data.
fn tolerate(name: &str, result: Result<(), Denied>) -> Result<bool, Fault> {
    match result {
        Ok(()) => Ok(true),
        Err(Denied::Invalid | Denied::TooLarge) => {
            log::warn!("left out the header {name}: its value does not fit into a header");
            Ok(false)
        }
        Err(denied) => Err(denied.into()),
    }
}

fn templates(
    place: &str,
    table: &BTreeMap<String, String>,
    mistakes: &mut Vec<String>,
) -> Vec<(String, Template)> {
    let mut out: Vec<(String, Template)> = Vec::new();
    for (key, text) in table {
        let name = name(key, place, mistakes);
        if out.iter().any(|(other, _)| *other == name) {
            mistakes.push(format!(
                "{place}: {name} is there twice; header names ignore case"
            ));
        }
        match Template::parse(text) {
            Ok(template) => out.push((name, template)),
            Err(why) => mistakes.push(format!("{place}.{key}: {why}")),
        }
    }
    out
}

/// In lower case.
fn name(name: &str, place: &str, mistakes: &mut Vec<String>) -> String {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        mistakes.push(format!("{place}: {name:?} is no header name"));
    } else if GATEWAYS_OWN.contains(&name.as_str()) {
        mistakes.push(format!("{place}: {name} is the gateway's own"));
    }
    name
}
