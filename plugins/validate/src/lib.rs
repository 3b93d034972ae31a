//! Filter: requests and responses against JSON Schema 2020-12, or against an OpenAPI 3.1 document.

#![warn(missing_docs)]

mod body;
mod findings;
mod media;
pub mod openapi;
mod param;
mod rules;
mod schema;
mod settings;

use portcullis_sdk::prelude::*;

pub use settings::Settings;

use findings::{Findings, Stop};
use openapi::Api;
use rules::{Limits, Rules, StatusRange};
use settings::{Mode, Unknown};

/// The plugin.
#[derive(Debug)]
pub struct Validate {
    source: Source,
    /// `None`: requests are not checked.
    request: Option<Mode>,
    /// `None`: responses are not checked.
    response: Option<Mode>,
    unknown: Unknown,
    limits: Limits,
}

/// Where the rules come from.
#[derive(Debug)]
enum Source {
    Own {
        request: Rules,
        response: Rules,
        statuses: Vec<StatusRange>,
    },
    Document(Api),
}

#[portcullis_sdk::plugin]
impl Filter for Validate {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        let mut mistakes = Vec::new();
        let plugin = settings.plugin(&mut mistakes);
        match plugin {
            Some(plugin) if mistakes.is_empty() => Ok(plugin),
            _ => Err(mistakes.join("\n")),
        }
    }

    fn phases(&self) -> Phases {
        let wanted = |mode: Option<Mode>, phases| mode.map_or(Phases::NONE, |_| phases);
        let request = match &self.source {
            Source::Own { request, .. } if !request.reads_body() => Phases::REQUEST,
            _ => Phases::REQUEST.and(Phases::REQUEST_BODY),
        };
        wanted(self.request, request).and(wanted(self.response, Phases::RESPONSE_BODY))
    }

    fn body_limit(&self) -> u32 {
        self.limits.bytes
    }

    fn notes(&self) -> Vec<(String, String)> {
        let Source::Document(api) = &self.source else {
            return Vec::new();
        };
        let note = |operation: &String| ("openapi.operation".to_owned(), operation.clone());
        api.operations().iter().map(note).collect()
    }

    fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        self.request(x, |rules, path| rules.check_head(x, path, self.limits))
    }

    fn on_request_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        self.request(x, |rules, _| rules.check_body(x, self.limits))
    }

    fn on_response_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        let Some(mode) = self.response else {
            return Ok(Verdict::Next);
        };
        let Err(stop) = self.check_response(x)? else {
            return Ok(Verdict::Next);
        };
        log::warn!("the response does not fit: {}", stop.told());
        match mode {
            Mode::Report => Ok(Verdict::Next),
            // Not a fault: that would let it pass where the plugin fails open. What is wrong is for the log only.
            Mode::Enforce => Ok(findings::bad_gateway().into()),
        }
    }
}

/// Whether a message fits; the outer error is a fault of the plugin.
type Checked = Result<Result<(), Stop>, Fault>;

impl Validate {
    fn request(
        &self,
        x: &Exchange,
        check: impl FnOnce(&Rules, &[(String, String)]) -> Checked,
    ) -> Result<Verdict, Fault> {
        let Some(mode) = self.request else {
            return Ok(Verdict::Next);
        };
        let checked = match &self.source {
            Source::Own { request, .. } => check(request, &[])?,
            Source::Document(api) => match api.find(&x.method(), &x.path()) {
                Some((operation, path)) => check(&operation.request, &path)?,
                None => self.unknown(),
            },
        };
        match (checked, mode) {
            (Ok(()), _) => Ok(Verdict::Next),
            (Err(stop), Mode::Enforce) => Err(stop.refusal().into()),
            (Err(stop), Mode::Report) => {
                log::warn!("the request does not fit: {}", stop.told());
                Ok(Verdict::Next)
            }
        }
    }

    fn unknown(&self) -> Result<(), Stop> {
        match self.unknown {
            Unknown::Pass => Ok(()),
            Unknown::Refuse => Err(Stop::UnknownOperation),
        }
    }

    fn check_response(&self, x: &Exchange) -> Checked {
        let status = x.status().unwrap_or_default();
        match &self.source {
            Source::Own {
                response, statuses, ..
            } => match statuses.iter().any(|range| range.holds(status)) {
                true => response.check_message(x, self.limits),
                false => Ok(Ok(())),
            },
            Source::Document(api) => match api.find(&x.method(), &x.path()) {
                Some((operation, _)) => match operation.response(status) {
                    Some(rules) => rules.check_message(x, self.limits),
                    None => Ok(Err(Findings::status(status).into())),
                },
                None => Ok(Ok(())), // the request's side has decided about it
            },
        }
    }
}
