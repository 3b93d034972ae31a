//! Method, target, status and headers of one message.

use portcullis_sdk::Exchange;
use shape::{Compiler, Json, Kind, Roots, Scope, Target, Text, Trouble, Uses};

use crate::Stop;
use crate::fields::{Fields, Of};
use crate::settings::{RequestSettings, ResponseSettings};

/// Compiled.
#[derive(Debug, Default)]
pub(crate) struct Head {
    method: Option<Text>,
    target: Option<Target>,
    query: Fields,
    status: Option<Text>,
    headers: Fields,
    uses: Uses,
}

/// What values can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    All,
    /// There is no body that could be read. What needs one is left out; a header that would be set is removed, for what
    /// came must not stand in its place.
    NoBody,
}

/// Changing to one of these would need more of a connection than a message.
const NO_METHODS: [&str; 2] = ["CONNECT", "TRACE"];

// === impl Sees ===

impl Sees {
    /// Before the body is there.
    pub(crate) fn of(head: &Head) -> Sees {
        if head.uses.takes("body") {
            Sees::NoBody
        } else {
            Sees::All
        }
    }

    pub(crate) fn lacks(self, text: &Text) -> bool {
        self == Sees::NoBody && text.uses().takes("body")
    }
}

// === impl Head ===

impl Head {
    /// Of a request; mistakes are noted.
    pub(crate) fn of_request(settings: &RequestSettings, compiler: &mut Compiler) -> Head {
        let roots = Roots::new(Kind::Request, []);
        let method = settings.method.as_ref().map(|source| {
            let text = compiler.text("request.method", source, &roots);
            if let Some(literal) = text.literal_only() {
                compiler.check("request.method", method(literal));
            }
            text
        });
        let target = settings.path.as_ref();
        let target = target.map(|source| compiler.target("request.path", source, &roots));
        Head {
            method,
            target,
            query: Fields::new(
                Of::Query,
                "request.query",
                &settings.query,
                &roots,
                compiler,
            ),
            headers: Fields::new(
                Of::Headers,
                "request.headers",
                &settings.headers,
                &roots,
                compiler,
            ),
            ..Head::default()
        }
        .counted()
    }

    /// Of a response; mistakes are noted.
    pub(crate) fn of_response(settings: &ResponseSettings, compiler: &mut Compiler) -> Head {
        let roots = Roots::new(Kind::Response, []);
        let place = "response.status";
        let status = settings.status.as_ref().map(|json| {
            let source = match json {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            let text = compiler.text(place, &source, &roots);
            if let Some(literal) = text.literal_only() {
                compiler.check(place, status(literal));
            }
            text
        });
        Head {
            status,
            headers: Fields::new(
                Of::Headers,
                "response.headers",
                &settings.headers,
                &roots,
                compiler,
            ),
            ..Head::default()
        }
        .counted()
    }

    fn counted(mut self) -> Head {
        let mut uses = Uses::default();
        for text in self.method.iter().chain(&self.status) {
            uses.add(text.uses());
        }
        if let Some(target) = &self.target {
            uses.add(target.uses());
        }
        self.query.uses(&mut uses);
        self.headers.uses(&mut uses);
        self.uses = uses;
        self
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.method.is_none()
            && self.target.is_none()
            && self.status.is_none()
            && self.query.is_empty()
            && self.headers.is_empty()
    }

    /// What it takes from the exchange.
    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Changes the message.
    pub(crate) fn apply(&self, x: &mut Exchange, scope: &Scope, sees: Sees) -> Result<(), Stop> {
        if let Some(target) = self.changed_target(&x.target(), scope)? {
            x.set_target(&target)?;
        }
        if let Some(text) = &self.method {
            let name = text
                .fill(&scope.value())
                .map_err(|trouble| trouble.at("method"))?;
            method(&name).map_err(|why| Trouble::Unfit(format!("method: {why}")))?;
            x.set_method(&name)?;
        }
        let message = match &self.status {
            Some(text) if !sees.lacks(text) => {
                let code = text
                    .fill(&scope.value())
                    .map_err(|trouble| trouble.at("status"))?;
                let code = status(&code).map_err(|why| Trouble::Unfit(format!("status: {why}")))?;
                x.set_status(code)?;
                x.response()
            }
            _ if x.status().is_some() => x.response(),
            _ => x.request(),
        };
        self.headers.headers(message, scope, sees)
    }

    fn changed_target(&self, old: &str, scope: &Scope) -> Result<Option<String>, Trouble> {
        if self.target.is_none() && self.query.is_empty() {
            return Ok(None);
        }
        let (old_path, old_query) = old.split_once('?').unwrap_or((old, ""));
        let (path, query) = match &self.target {
            Some(target) => target
                .fill(&scope.value())
                .map_err(|trouble| trouble.at("path"))?,
            None => (old_path.to_owned(), None),
        };
        let query = query.as_deref().unwrap_or(old_query);
        let query = if self.query.is_empty() {
            query.to_owned()
        } else {
            self.query
                .query(query, scope)
                .map_err(|trouble| trouble.at("query"))?
        };
        Ok(Some(if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }))
    }
}

fn method(name: &str) -> Result<(), String> {
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if fits && !NO_METHODS.contains(&name) {
        Ok(())
    } else {
        Err(
            "it is no method to change to; write \"GET\", \"PUT\" or another in upper case"
                .to_owned(),
        )
    }
}

fn status(code: &str) -> Result<u16, String> {
    let code: Option<u16> = code.parse().ok();
    code.filter(|code| (200..600).contains(code))
        .ok_or_else(|| "it is no status of a response; write 200 to 599".to_owned())
}
