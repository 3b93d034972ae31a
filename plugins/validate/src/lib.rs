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
use openapi::{Api, Operation};
use param::Query;
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
        // What answers to HEAD has no body to be called for, but a status and headers.
        let response = match &self.source {
            Source::Own { response, .. } if response.params.is_empty() => Phases::RESPONSE_BODY,
            _ => Phases::RESPONSE.and(Phases::RESPONSE_BODY),
        };
        wanted(self.request, request).and(wanted(self.response, response))
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
        self.request(x, |rules, _| rules.check_body(x.request(), self.limits))
    }

    fn on_response(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        match x.method().as_str() {
            "HEAD" => self.response(x),
            _ => Ok(Verdict::Next),
        }
    }

    fn on_response_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        self.response(x)
    }
}

/// Whether a message fits; the outer error is a fault of the plugin.
type Checked = Result<Result<(), Stop>, Fault>;

impl Validate {
    fn response(&self, x: &Exchange) -> Result<Verdict, Fault> {
        let Some(mode) = self.response else {
            return Ok(Verdict::Next);
        };
        let Err(stop) = self.check_response(x)? else {
            return Ok(Verdict::Next);
        };
        match mode {
            Mode::Report => {
                log::warn!("the response does not fit: {}", stop.told());
                Ok(Verdict::Next)
            }
            // What is wrong is for the log only.
            Mode::Enforce => Err(stop.bad_gateway().into()),
        }
    }

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
            Source::Document(_) if is_overridden(x) => Err(Stop::Overridden),
            Source::Document(api) => match self.operation(api, x) {
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

    /// The operation of a request and its path parameters. What the document does not know passes only if no service
    /// may know it by the document's name.
    fn operation<'d>(
        &self,
        api: &'d Api,
        x: &Exchange,
    ) -> Option<(&'d Operation, Vec<(String, String)>)> {
        let (method, path) = (x.method(), x.path());
        let near = || match self.unknown {
            Unknown::Pass => api.find_near(&method, &path),
            Unknown::Refuse => None,
        };
        api.find(&method, &path).or_else(near)
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
            } => {
                if statuses.iter().any(|range| range.holds(status)) {
                    response.check_message(x, self.limits)
                } else {
                    Ok(Ok(()))
                }
            }
            Source::Document(api) => match self.operation(api, x) {
                Some((operation, _)) => match operation.response(status) {
                    Some(rules) => rules.check_message(x, self.limits),
                    None => Ok(Err(Findings::status(status).into())),
                },
                None => Ok(Ok(())), // the request's side has decided about it
            },
        }
    }
}

/// Headers in which services look for another method than the one that was sent, and so for another operation.
const OVERRIDES: [&str; 3] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// Whether a service may take another method for the request's than the one that it is checked by.
fn is_overridden(x: &Exchange) -> bool {
    let (method, request) = (x.method(), x.request());
    let differs = |said: &[u8]| !said.eq_ignore_ascii_case(method.as_bytes());
    let in_query = match Query::of(&x.target()).all("_method") {
        Ok(said) => said.iter().any(|said| differs(said.as_bytes())),
        Err(_) => true,
    };
    let there = request.headers_named(&OVERRIDES);
    let in_headers = there.iter().any(Option::is_some)
        && OVERRIDES
            .iter()
            .flat_map(|name| request.header_all(name))
            .any(|said| differs(&said));
    in_query || in_headers
}
