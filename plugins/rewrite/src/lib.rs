//! Filter: method, path, query, headers, status and JSON bodies, reshaped.

#![warn(missing_docs)]

mod body;
mod fields;
mod head;
mod read;
mod settings;

use portcullis_sdk::prelude::*;
use portcullis_sdk::{Denied, Message};
use shape::{Compiler, Kind, Roots, Scope, Statuses, Trouble, Uses, from_json};

use body::Body;
use head::{Head, Sees};
use read::{Read, is_bodiless, read};

pub use settings::{
    BodySettings, FieldSettings, Other, RequestSettings, ResponseSettings, Settings,
};

/// The plugin.
#[derive(Debug)]
pub struct Rewrite {
    request: Side,
    response: Side,
    only: Option<Statuses>,
    other: Option<Other>,
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
    /// By the gateway.
    Denied(Denied),
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
            other: settings.response.other,
            max_body: settings.max_body.0,
        })
    }

    fn phases(&self) -> Phases {
        let wanted = |wanted, phase| if wanted { phase } else { Phases::NONE };
        wanted(self.request.wants_head(), Phases::REQUEST)
            .and(wanted(self.request.wants_body(), Phases::REQUEST_BODY))
            .and(wanted(!self.response.head.is_empty(), Phases::RESPONSE))
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
        let done = self.request.reshape_all(x, x.request(), None);
        done.map_err(Stop::of_request).map(|()| Verdict::Next)
    }

    fn on_response(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        // What answers to HEAD has no body that its head could wait for.
        let ready = self.response.wants_head() || x.method() == "HEAD";
        if ready && self.is_meant(x) {
            self.response.reshape_head(x).map_err(Stop::of_response)?;
        }
        Ok(Verdict::Next)
    }

    fn on_response_body(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if self.is_meant(x) {
            self.response
                .reshape_all(x, x.response(), self.other)
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
        self.head.apply(x, &scope, Sees::of(&self.head))
    }

    fn reshape_all(
        &self,
        x: &mut Exchange,
        message: Message<'_>,
        other: Option<Other>,
    ) -> Result<(), Stop> {
        let mut uses = self.uses.clone();
        if !self.wants_head() {
            uses.add(self.head.uses());
        }
        let mut scope = scope(x, &uses)?;
        let reads = uses.takes("body") || matches!(self.body, Body::Changed(_));
        let json = if reads {
            read(x, message, other)?
        } else {
            Read::Nothing
        };
        if let (true, Read::Json(json)) = (uses.takes("body"), &json) {
            scope.insert("body", from_json(json));
        }
        if !self.wants_head() {
            let sees = match &json {
                Read::Foreign => Sees::NoBody,
                Read::Nothing if is_bodiless(x) => Sees::NoBody,
                _ => Sees::All,
            };
            self.head.apply(x, &scope, sees)?;
        }
        match (&self.body, json) {
            (Body::Changed(changes), Read::Json(mut json)) => {
                changes.apply(&mut json, &scope)?;
                replace(message, &json.to_string())?;
            }
            (Body::Anew(anew), Read::Json(_) | Read::Nothing) if !is_bodiless(x) => {
                replace(message, &anew.make(&scope)?)?;
                message.set_header("content-type", &anew.content_type)?;
                // The old body may have been in one; the new one is plain.
                message.remove_header("content-encoding")?;
            }
            _ => {}
        }
        Ok(())
    }
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
            Stop::Denied(denied) => denied.into(),
            Stop::Trouble(Trouble::Broken(why)) => Fault::failed(why),
            Stop::Trouble(Trouble::Missing(why) | Trouble::Unfit(why)) => Refusal::invalid_request(
            )
            .detail("the request lacks a value that this route needs, or has one that does not fit")
            .because(why)
            .into(),
        }
    }

    /// No failure, but for a mistake of gateway.toml: where the plugin fails open, the response would pass as it came.
    fn of_response(self) -> Fault {
        let why = match self {
            Stop::Fault(fault) => return fault,
            Stop::Denied(denied) => format!("the gateway denied a change: {denied:?}"),
            Stop::Trouble(trouble) => trouble.to_string(),
        };
        Refusal::bad_gateway()
            .because(format!("the response is not reshaped: {why}"))
            .into()
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Stop {
        Stop::Trouble(trouble)
    }
}

impl From<Denied> for Stop {
    fn from(denied: Denied) -> Stop {
        Stop::Denied(denied)
    }
}
