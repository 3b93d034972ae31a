//! One direction: which bodies are converted, and what happens to the others.

use portcullis_sdk::prelude::*;

use crate::settings::{Limits, Other, RuleSettings, Source, Target};
use crate::tree::{Kind, Mistake, shown};
use crate::{convert, xml};

/// The message that is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

/// What gateway.toml says about one side, parsed.
#[derive(Debug)]
pub struct Rule {
    side: Side,
    from: Source,
    to: Target,
    other: Other,
    accept: Vec<String>,
    content_type: String,
    root: String,
}

/// They speak of the body as it was.
const STALE: [&str; 6] = [
    "etag",
    "digest",
    "content-digest",
    "repr-digest",
    "content-md5",
    "accept-ranges",
];

// === impl Side ===

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Request => "request",
            Side::Response => "response",
        }
    }
}

// === impl Rule ===

impl Rule {
    /// Parses the settings of one side; each mistake is added with its place.
    pub fn new(side: Side, settings: RuleSettings, mistakes: &mut Vec<String>) -> Rule {
        let name = side.name();
        if settings.from.target() == settings.to {
            let what = settings.from.name();
            mistakes.push(format!(
                "{name}: from and to are both {what}; nothing would change"
            ));
        }
        if settings.root.is_some() && settings.to != Target::Xml {
            mistakes.push(format!(
                "{name}.root: only to = \"xml\" has a root element; remove it"
            ));
        }
        let root = settings.root.unwrap_or_else(|| "root".to_owned());
        if !xml::is_name(&root) {
            let root = shown(&root);
            mistakes.push(format!("{name}.root: {root} cannot name an element of XML"));
        }
        let accept = settings.accept.unwrap_or_else(|| {
            let usual = settings.from.media_types();
            usual.iter().map(|&usual| usual.to_owned()).collect()
        });
        for (i, media_type) in accept.iter().enumerate() {
            if !is_media_type(media_type) {
                mistakes.push(format!(
                    "{name}.accept[{i}]: {} is no media type; write \"text/html\" or \"*+json\", without parameters",
                    shown(media_type)
                ));
            }
        }
        let usual = || settings.to.content_type().to_owned();
        let content_type = settings.content_type.unwrap_or_else(usual);
        if !is_media_type(essence(&content_type)) || content_type.contains(char::is_control) {
            mistakes.push(format!(
                "{name}.content_type: {} is no content type; write \"text/plain; charset=utf-8\"",
                shown(&content_type)
            ));
        }
        let usual = match side {
            Side::Request => Other::Refuse,
            Side::Response => Other::Pass,
        };
        Rule {
            side,
            from: settings.from,
            to: settings.to,
            other: settings.other.unwrap_or(usual),
            accept: accept.iter().map(|t| t.to_ascii_lowercase()).collect(),
            content_type,
            root,
        }
    }

    /// Refuses what names a foreign type, before the body.
    pub fn check_head(&self, x: &Exchange) -> Result<(), Fault> {
        if x.header("content-type").is_none() && x.header("content-encoding").is_none() {
            return Ok(());
        }
        self.fits(x).map(drop)
    }

    /// Converts the body and says so in its head. Empty ones stay what they are.
    pub fn apply(&self, x: &mut Exchange, limits: Limits) -> Result<(), Fault> {
        let body = x.body()?;
        if body.is_empty() || !self.fits(x)? {
            return Ok(());
        }
        let new = convert(&body, self.from, self.to, &self.root, limits);
        let new = new.map_err(|mistake| self.fault(mistake))?;
        x.replace_body(new)?;
        x.set_header("content-type", &self.content_type)?;
        for name in STALE {
            if x.header_bytes(name).is_some() {
                x.remove_header(name)?;
            }
        }
        Ok(())
    }

    /// Whether it is to be converted; an error where others are refused.
    fn fits(&self, x: &Exchange) -> Result<bool, Fault> {
        let why = match (x.header("content-encoding"), x.header("content-type")) {
            // 206: a part of a representation is no document.
            _ if self.side == Side::Response && x.status() == Some(206) => {
                "it is a part".to_owned()
            }
            (Some(coding), _) if !coding.eq_ignore_ascii_case("identity") => {
                format!("it is encoded as {}", shown(&coding))
            }
            (_, Some(media_type)) if self.accepts(&media_type) => return Ok(true),
            (_, Some(media_type)) => format!("its content type is {}", shown(&media_type)),
            (_, None) => "it has no content type".to_owned(),
        };
        match (self.other, self.side) {
            (Other::Pass, _) => Ok(false),
            (Other::Refuse, Side::Request) => Err(Refusal::unsupported_media_type()
                .detail(format!(
                    "the body should be {}, but {why}",
                    self.from.name()
                ))
                .into()),
            (Other::Refuse, Side::Response) => Err(Fault::failed(format!(
                "the response should be {}, but {why}",
                self.from.name()
            ))),
        }
    }

    fn accepts(&self, content_type: &str) -> bool {
        let charset = parameter(content_type, "charset").unwrap_or("utf-8");
        let readable = ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|known| charset.eq_ignore_ascii_case(known));
        let media_type = essence(content_type).to_ascii_lowercase();
        readable
            && self
                .accept
                .iter()
                .any(|pattern| match pattern.strip_prefix('*') {
                    Some(suffix) => media_type.ends_with(suffix),
                    None => *pattern == media_type,
                })
    }

    /// A request that cannot be converted is the client's mistake, a response the upstream's.
    fn fault(&self, mistake: Mistake) -> Fault {
        let from = self.from.name();
        if self.side == Side::Response {
            let detail = match mistake.pointer {
                Some(pointer) => format!("{pointer:?}: {}", mistake.detail),
                None => mistake.detail,
            };
            return Fault::failed(format!("the response is not converted: {detail}"));
        }
        let detail = mistake.detail;
        let refusal = match mistake.kind {
            Kind::Malformed => {
                Refusal::invalid_request().detail(format!("the body is not {from}: {detail}"))
            }
            Kind::Unfit => Refusal::unprocessable().detail(detail),
            Kind::TooLarge => Refusal::too_large().detail(detail),
        };
        match mistake.pointer {
            Some(pointer) => refusal.member("pointer", pointer).into(),
            None => refusal.into(),
        }
    }
}

// === media types ===

/// `text/html`, or `*+json` for all of a suffix.
fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match text.strip_prefix("*+") {
        Some(suffix) => token(suffix),
        None => text
            .split_once('/')
            .is_some_and(|(a, b)| token(a) && token(b)),
    }
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn parameter<'a>(content_type: &'a str, name: &str) -> Option<&'a str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}
