//! Filter: bodies from one format to another.
//!
//! A body is read into a [`tree`] and written from it; each format is a module that knows the tree and no other
//! format. Numbers are text on the whole way, so none is damaged.

#![warn(missing_docs)]

mod form;
mod json;
mod msgpack;
mod python;
mod rule;
mod settings;
pub mod tree;
mod xml;

use portcullis_sdk::prelude::*;

pub use python::{PRINTABLE_UNICODE, printable};
pub use settings::{Limits, Settings, Source, Target};

use rule::{Rule, Side};
use tree::{Budget, Mistake, Out};

/// The plugin.
#[derive(Debug)]
pub struct Convert {
    request: Option<Rule>,
    response: Option<Rule>,
    limits: Limits,
}

/// Reads a body as one format and writes it as another. `root` names the root element of XML.
pub fn convert(
    body: &[u8],
    from: Source,
    to: Target,
    root: &str,
    limits: Limits,
) -> Result<Vec<u8>, Mistake> {
    let mut budget = Budget::new(limits);
    let value = match from {
        Source::Json => json::read(body, &mut budget),
        Source::Python => python::read(body, &mut budget),
        Source::Form => form::read(body, &mut budget),
        Source::Msgpack => msgpack::read(body, &mut budget),
    }?;
    let mut out = Out::new(limits.output());
    match to {
        Target::Json => json::write(&value, &mut out),
        Target::Python => python::write(&value, &mut out),
        Target::Form => form::write(&value, &mut out),
        Target::Msgpack => msgpack::write(&value, &mut out),
        Target::Xml => xml::write(&value, root, &mut out),
    }?;
    Ok(out.into_bytes())
}

#[portcullis_sdk::plugin]
impl Filter for Convert {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        let mut mistakes = Vec::new();
        let limits = settings.limits(&mut mistakes);
        let request = settings
            .request
            .map(|rule| Rule::new(Side::Request, rule, &mut mistakes));
        let response = settings
            .response
            .map(|rule| Rule::new(Side::Response, rule, &mut mistakes));
        if request.is_none() && response.is_none() {
            mistakes.push(
                "there is nothing to convert; write request = { from = \"json\", to = \"python\" }, response or both"
                    .to_owned(),
            );
        }
        if !mistakes.is_empty() {
            return Err(mistakes.join("\n"));
        }
        Ok(Convert {
            request,
            response,
            limits,
        })
    }

    fn phases(&self) -> Phases {
        let wanted = |rule: &Option<Rule>, phase| match rule {
            Some(_) => phase,
            None => Phases::NONE,
        };
        wanted(&self.request, Phases::REQUEST.and(Phases::REQUEST_BODY))
            .and(wanted(&self.response, Phases::RESPONSE_BODY))
    }

    fn body_limit(&self) -> u32 {
        self.limits.bytes
    }

    /// A foreign type is refused before its body is read; whether there is a body is known only later, so a
    /// request that names no type waits for it.
    fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if let Some(rule) = &self.request {
            rule.check_head(x)?;
        }
        Ok(Verdict::Next)
    }

    fn on_request_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if let Some(rule) = &self.request {
            rule.apply(x.request(), self.limits)?;
        }
        Ok(Verdict::Next)
    }

    fn on_response_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if let Some(rule) = &self.response {
            rule.apply(x.response(), self.limits)?;
        }
        Ok(Verdict::Next)
    }
}
