//! What one message must be.

use std::sync::Arc;

use portcullis_sdk::Message;
use portcullis_sdk::media::{self, MediaType};
use portcullis_sdk::prelude::*;
use serde_json::Value;

use crate::Checked;
use crate::body;
use crate::findings::{Findings, Kind, Place, Stop};
use crate::media::MediaRange;
use crate::param::{Param, Query};
use crate::schema::{Compiler, Schema};

/// How much is read, and how much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub bytes: u32,
    pub depth: u32,
    pub values: u32,
    pub errors: usize,
}

/// What one message must be. The default is anything.
#[derive(Debug, Default)]
pub struct Rules {
    pub params: Vec<Param>,
    /// `None`: any content type, and the body is not read. Sorted: the narrowest first.
    pub content: Option<Vec<Content>>,
    pub body_required: bool,
}

/// A content type that is allowed, and the schema of its bodies.
#[derive(Debug)]
pub struct Content {
    pub range: MediaRange,
    pub schema: Option<Arc<Schema>>,
}

/// `200`, `2XX` or `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusRange {
    // In the order in which they are asked.
    Exact(u16),
    Class(u16),
    Any,
}

/// The content of settings: one schema for all its content types.
pub fn content(
    place: &str,
    types: Option<&[String]>,
    body: Option<&Value>,
    compiler: &Compiler,
    mistakes: &mut Vec<String>,
) -> Option<Vec<Content>> {
    let schema = body.map(|body| compiler.compile(body)).transpose();
    let schema = schema.unwrap_or_else(|why| {
        mistakes.push(format!("{place}.body: {why}"));
        None
    });
    let json = ["application/json".to_owned(), "*+json".to_owned()];
    let types = match (types, body) {
        (None, None) => return None,
        (types, _) => types.unwrap_or(&json),
    };
    let schema = schema.map(Arc::new);
    let mut content = Vec::new();
    for (i, text) in types.iter().enumerate() {
        match MediaRange::parse(text) {
            Ok(range) => content.push(Content {
                range,
                schema: schema.clone(),
            }),
            Err(why) => mistakes.push(format!("{place}.content_types[{i}]: {why}")),
        }
    }
    content.sort_by(|a, b| a.range.cmp(&b.range));
    Some(content)
}

// === impl Rules ===

impl Rules {
    /// Whether a message has to be buffered for it.
    pub fn reads_body(&self) -> bool {
        self.content.is_some() || self.body_required
    }

    /// The head of a request: parameters, and a content type that is foreign for sure.
    pub fn check_head(&self, x: &Exchange, path: &[(String, String)], limits: Limits) -> Checked {
        let mut findings = Findings::new(limits.errors);
        let query = Query::of(&x.target());
        for param in &self.params {
            let values = match param.place {
                Place::Query => query.all(&param.name),
                Place::Path => {
                    let values = path.iter().filter(|(name, _)| *name == param.name);
                    Ok(values.map(|(_, value)| value.clone()).collect())
                }
                _ => Ok(headers(x.request().header_all(&param.name))),
            };
            match values {
                Ok(values) => param.check(&values, &mut findings),
                Err(why) => param.unreadable(why, &mut findings),
            }
        }
        if let Err(stop) = findings.checked() {
            return Ok(Err(stop));
        }
        Ok(self.foreign(x.request()))
    }

    /// A content type that no body may have; whether there is one is known only later.
    fn foreign(&self, message: Message<'_>) -> Result<(), Stop> {
        if self.content.is_none() {
            return Ok(());
        }
        match message.content() {
            Ok(said) if said.media_type.is_none() => Ok(()),
            said => self.choose(said).map(drop),
        }
    }

    /// The body of a message.
    pub fn check_body(&self, message: Message<'_>, limits: Limits) -> Checked {
        if !self.reads_body() {
            return Ok(Ok(()));
        }
        let body = message.body()?;
        let mut findings = Findings::new(limits.errors);
        if body.is_empty() {
            if self.body_required {
                findings.add(Kind::Unreadable, Place::Body, "", "it is missing");
            }
            return Ok(findings.checked());
        }
        if body.len() > limits.bytes as usize {
            let most = format!("it is larger than {} bytes", limits.bytes);
            findings.add(Kind::TooLarge, Place::Body, "", &most);
            return Ok(findings.checked());
        }
        let content = match self.choose(message.content()) {
            Ok(content) => content,
            Err(stop) => return Ok(Err(stop)),
        };
        if let Some(schema) = content.and_then(|content| content.schema.as_ref()) {
            match body::parse(&body, limits) {
                Ok(value) => schema.check(&value, Place::Body, "", &mut findings),
                Err((kind, why)) => findings.add(kind, Place::Body, "", &why),
            }
        }
        Ok(findings.checked())
    }

    /// A response: headers and body; what answers to HEAD has none.
    pub fn check_message(&self, x: &Exchange, limits: Limits) -> Checked {
        let mut findings = Findings::new(limits.errors);
        for param in &self.params {
            param.check(
                &headers(x.response().header_all(&param.name)),
                &mut findings,
            );
        }
        match findings.checked() {
            Ok(()) if x.method() == "HEAD" => Ok(Ok(())),
            Ok(()) => self.check_body(x.response(), limits),
            stop => Ok(stop),
        }
    }

    /// The content that a message says it is, if it is to be read; `None` where anything is allowed. A schema is only
    /// for JSON: of other types nothing more than the name is checked.
    fn choose(&self, said: Result<media::Content, media::Doubt>) -> Result<Option<&Content>, Stop> {
        let Some(contents) = &self.content else {
            return Ok(None);
        };
        let refuse = |why: &str| Err(Stop::MediaType(why.to_owned()));
        let said = match said {
            Ok(said) => said,
            Err(doubt) => return refuse(&format!("the body cannot be read: {doubt}")),
        };
        let Some(media_type) = &said.media_type else {
            return refuse("the body has no content type");
        };
        let Some((content, exact)) = find(contents, media_type) else {
            return refuse("the body has another content type");
        };
        let is_read = media_type.is_json() || (!exact && media_type.passes_for_json());
        // Parts of JSON are none, and what they are parts of is told where no rule looks.
        let in_parts = !exact && said.partial && media_type.essence().starts_with("multipart/");
        if content.schema.is_none() || !(is_read || in_parts) {
            return Ok(None);
        }
        if !media_type.is_utf8() {
            return refuse("JSON is UTF-8");
        }
        match said.obstacle() {
            Some(why) => refuse(&format!("the body cannot be checked: {why}")),
            None => Ok(Some(content)),
        }
    }
}

/// The narrowest content for a type, and whether it is named exactly. What services may read as JSON does not pass by the
/// schema of JSON because a range without a schema holds it too.
fn find<'c>(contents: &'c [Content], media_type: &MediaType) -> Option<(&'c Content, bool)> {
    let content = contents.iter().find(|c| c.range.holds(media_type))?;
    let exact = content.range.is_exact();
    if content.schema.is_some() || exact || !media_type.passes_for_json() {
        return Some((content, exact));
    }
    let mut json = contents
        .iter()
        .filter(|c| c.range.is_json() && c.schema.is_some());
    Some((json.next().unwrap_or(content), false))
}

/// Bad bytes are replaced: present and wrong is safer than absent.
fn headers(values: Vec<Vec<u8>>) -> Vec<String> {
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).trim().to_owned();
    values.into_iter().map(text).collect()
}

// === impl StatusRange ===

impl StatusRange {
    /// Parses one.
    pub fn parse(text: &str) -> Result<StatusRange, String> {
        let bad = || format!("{text:?} is no status; write \"200\" or \"2XX\"");
        if text == "default" {
            return Ok(StatusRange::Any);
        }
        let (digits, class) = match text.strip_suffix("XX") {
            Some(digit) => (digit, true),
            None => (text, false),
        };
        match (digits.parse::<u16>(), class) {
            (Ok(class @ 1..=5), true) => Ok(StatusRange::Class(class)),
            (Ok(status @ 100..=599), false) => Ok(StatusRange::Exact(status)),
            _ => Err(bad()),
        }
    }

    /// Whether the status is in it.
    pub fn holds(self, status: u16) -> bool {
        match self {
            StatusRange::Exact(exact) => status == exact,
            StatusRange::Class(class) => status / 100 == class,
            StatusRange::Any => true,
        }
    }
}
