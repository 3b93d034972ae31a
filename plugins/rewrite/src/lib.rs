//! Filter: method, path, query, headers, status and JSON bodies, reshaped.

#![warn(missing_docs)]

mod body;
mod fields;
mod head;
mod settings;

use portcullis_sdk::prelude::*;
use portcullis_sdk::{Denied, Message};
use shape::{Compiler, Json, Kind, Roots, Scope, Statuses, Trouble, Uses, from_json};

use body::{Body, is_json};
use head::Head;

pub use settings::{BodySettings, FieldSettings, RequestSettings, ResponseSettings, Settings};

/// The plugin.
#[derive(Debug)]
pub struct Rewrite {
    request: Side,
    response: Side,
    only: Option<Statuses>,
    max_body: u32,
}

/// What happens to one message.
#[derive(Debug)]
struct Side {
    head: Head,
    body: Body,
    /// What the body's changes take.
    uses: Uses,
}

/// Why a message was not reshaped.
#[derive(Debug)]
enum Stop {
    Trouble(Trouble),
    Fault(Fault),
}

/// They speak of the body as it was.
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

#[portcullis_sdk::plugin]
impl Filter for Rewrite {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        let mut compiler = Compiler::default();
        let head = Head::of_request(&settings.request, &mut compiler);
        let body = |kind, place, body, compiler: &mut Compiler| {
            Body::new(place, body, &Roots::new(kind, []), compiler)
        };
        let request = body(
            Kind::Request,
            "request.body",
            &settings.request.body,
            &mut compiler,
        );
        let request = Side::new(head, request);
        let head = Head::of_response(&settings.response, &mut compiler);
        let response = body(
            Kind::Response,
            "response.body",
            &settings.response.body,
            &mut compiler,
        );
        let response = Side::new(head, response);
        compiler.finish(Rewrite {
            request,
            response,
            only: settings.response.only,
            max_body: settings.max_body.0,
        })
    }

    fn phases(&self) -> Phases {
        let wanted = |wanted, phase| if wanted { phase } else { Phases::NONE };
        wanted(self.request.wants_head(), Phases::REQUEST)
            .and(wanted(self.request.wants_body(), Phases::REQUEST_BODY))
            .and(wanted(self.response.wants_head(), Phases::RESPONSE))
            .and(wanted(self.response.wants_body(), Phases::RESPONSE_BODY))
    }

    fn body_limit(&self) -> u32 {
        self.max_body
    }

    fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        let done = self.request.reshape_head(x);
        done.map_err(Stop::of_request).map(|()| Verdict::Next)
    }

    fn on_request_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        let done = self.request.reshape_all(x, x.request());
        done.map_err(Stop::of_request).map(|()| Verdict::Next)
    }

    fn on_response(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if self.is_meant(x) {
            self.response.reshape_head(x).map_err(Stop::of_response)?;
        }
        Ok(Verdict::Next)
    }

    fn on_response_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if self.is_meant(x) {
            self.response
                .reshape_all(x, x.response())
                .map_err(Stop::of_response)?;
        }
        Ok(Verdict::Next)
    }
}

impl Rewrite {
    fn is_meant(&self, x: &Exchange) -> bool {
        match (&self.only, x.status()) {
            (Some(only), Some(status)) => only.has(status),
            _ => true,
        }
    }
}

// === impl Side ===

impl Side {
    fn new(head: Head, body: Body) -> Side {
        let uses = body.uses();
        Side { head, body, uses }
    }

    /// Whether the head changes before the body is there.
    fn wants_head(&self) -> bool {
        !self.head.is_empty() && !self.head.uses().takes("body")
    }

    fn wants_body(&self) -> bool {
        !self.body.is_same() || self.head.uses().takes("body")
    }

    fn reshape_head(&self, x: &mut Exchange) -> Result<(), Stop> {
        let scope = scope(x, self.head.uses())?;
        self.head.apply(x, &scope)
    }

    fn reshape_all(&self, x: &mut Exchange, message: Message<'_>) -> Result<(), Stop> {
        let mut uses = self.uses.clone();
        if !self.wants_head() {
            uses.add(self.head.uses());
        }
        let mut scope = scope(x, &uses)?;
        let reads = uses.takes("body") || matches!(self.body, Body::Changed(_));
        let json = if reads {
            read(x, message)?
        } else {
            Read::Nothing
        };
        if let (true, Read::Json(json)) = (uses.takes("body"), &json) {
            scope.insert("body", from_json(json));
        }
        if !self.wants_head() && !matches!(json, Read::Foreign) {
            self.head.apply(x, &scope)?;
        }
        match (&self.body, json) {
            (Body::Changed(changes), Read::Json(mut json)) => {
                changes.apply(&mut json, &scope)?;
                replace(message, &json.to_string())?;
            }
            (Body::Anew(anew), Read::Json(_) | Read::Nothing) if !is_bodiless(x) => {
                replace(message, &anew.make(&scope)?)?;
                message.set_header("content-type", &anew.content_type)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// A body, as far as it is ours to read.
enum Read {
    Nothing,
    Json(Json),
    /// A response that is no JSON, or compressed, or a part of one: left alone.
    Foreign,
}

fn read(x: &Exchange, message: Message<'_>) -> Result<Read, Stop> {
    let body = message.body()?;
    if body.is_empty() {
        return Ok(Read::Nothing);
    }
    let response = x.status().is_some();
    let encoded = message
        .header("content-encoding")
        .is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"));
    let json = message
        .header("content-type")
        .is_none_or(|media| is_json(&media));
    if encoded || !json || x.status() == Some(206) {
        return match response {
            true => Ok(Read::Foreign),
            false => Err(Stop::Fault(Refusal::unsupported_media_type().into())),
        };
    }
    match Json::parse(&body) {
        Ok(json) => Ok(Read::Json(json)),
        Err(why) if response => Err(Stop::Fault(Fault::failed(format!(
            "the response is no JSON: {why}"
        )))),
        Err(why) => {
            let refusal = Refusal::invalid_request().detail(format!("the body is no JSON: {why}"));
            Err(Stop::Fault(refusal.into()))
        }
    }
}

/// A response that cannot have a body; RFC 9110 section 6.4.1.
fn is_bodiless(x: &Exchange) -> bool {
    x.status()
        .is_some_and(|status| [204, 205, 304].contains(&status) || x.method() == "HEAD")
}

fn replace(message: Message<'_>, body: &str) -> Result<(), Stop> {
    message.replace_body(body)?;
    for name in DIGESTS {
        message.remove_header(name)?;
    }
    Ok(())
}

/// Where `caller` is used nobody may be nobody: that is a mistake of gateway.toml, and not of the client.
fn scope(x: &Exchange, uses: &Uses) -> Result<Scope, Stop> {
    let scope = Scope::new(x, uses);
    if uses.takes("caller") && !scope.has("caller") {
        let fault = Fault::failed("`caller` is used, but the route authenticates nobody");
        return Err(Stop::Fault(fault));
    }
    Ok(scope)
}

// === impl Stop ===

impl Stop {
    fn of_request(self) -> Fault {
        match self {
            Stop::Fault(fault) => fault,
            Stop::Trouble(Trouble::Broken(why)) => Fault::failed(why),
            Stop::Trouble(Trouble::Missing(why) | Trouble::Unfit(why)) => Refusal::invalid_request(
            )
            .detail("the request lacks a value that this route needs, or has one that does not fit")
            .because(why)
            .into(),
        }
    }

    fn of_response(self) -> Fault {
        match self {
            Stop::Fault(fault) => fault,
            Stop::Trouble(trouble) => Fault::failed(trouble.to_string()),
        }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Stop {
        Stop::Trouble(trouble)
    }
}

impl From<Denied> for Stop {
    fn from(denied: Denied) -> Stop {
        Stop::Fault(denied.into())
    }
}
