//! One direction: which bodies are converted, and what happens to the others.

use portcullis_sdk::Message;
use portcullis_sdk::media::{Content, Doubt, MediaType};
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
        if MediaType::parse(&content_type).is_err() {
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
        let said = x.request().content();
        let silent =
            matches!(&said, Ok(said) if said.media_type.is_none() && said.obstacle().is_none());
        if silent {
            return Ok(());
        }
        self.fits(said).map(drop)
    }

    /// Converts the body and says so in its head. Empty ones stay what they are.
    pub fn apply(&self, message: Message<'_>, limits: Limits) -> Result<(), Fault> {
        let body = message.body()?;
        if body.is_empty() || !self.fits(message.content())? {
            return Ok(());
        }
        let new = convert(&body, self.from, self.to, &self.root, limits);
        let new = new.map_err(|mistake| self.fault(mistake))?;
        message.replace_body(new)?;
        message.set_header("content-type", &self.content_type)?;
        for name in STALE {
            if message.header_bytes(name).is_some() {
                message.remove_header(name)?;
            }
        }
        Ok(())
    }

    /// Whether it is to be converted; an error where it is not and may not pass either. `other` speaks of bodies that
    /// clearly are of another type, and of responses that name none. What may be one of ours and cannot be read never
    /// passes.
    fn fits(&self, said: Result<Content, Doubt>) -> Result<bool, Fault> {
        let said = said.map_err(|doubt| self.refuse(&doubt.to_string()))?;
        let foreign = match &said.media_type {
            Some(media_type) if self.accepts(media_type) => {
                if let Some(why) = said.obstacle() {
                    return Err(self.refuse(why));
                }
                if !media_type.is_utf8() {
                    return Err(self.refuse("its charset is not UTF-8"));
                }
                return Ok(true);
            }
            Some(_) if self.may_be_taken_for_ours(&said) => {
                return Err(self.refuse("services read its content type in more than one way"));
            }
            Some(media_type) => format!("its content type is {}", shown(media_type.essence())),
            None => match (said.obstacle(), self.side) {
                (Some(why), _) => return Err(self.refuse(why)),
                (None, Side::Request) => return Err(self.refuse("it has no content type")),
                (None, Side::Response) => "it has no content type".to_owned(),
            },
        };
        match self.other {
            Other::Pass => Ok(false),
            Other::Refuse => Err(self.refuse(&foreign)),
        }
    }

    /// JSON by a name that is not ours, or parts of anything.
    fn may_be_taken_for_ours(&self, said: &Content) -> bool {
        let media_type = said.media_type.as_ref();
        media_type.is_some_and(|media_type| {
            let in_parts = said.partial && media_type.essence().starts_with("multipart/");
            let like_json = media_type.passes_for_json() && !media_type.is_json();
            in_parts || (self.from == Source::Json && like_json)
        })
    }

    fn accepts(&self, media_type: &MediaType) -> bool {
        let essence = media_type.essence();
        self.accept
            .iter()
            .any(|pattern| match pattern.strip_prefix('*') {
                Some(suffix) => essence.ends_with(suffix),
                None => *pattern == essence,
            })
    }

    /// A body that is not what it should be is the client's mistake, or the upstream's.
    fn refuse(&self, why: &str) -> Fault {
        let from = self.from.name();
        match self.side {
            Side::Request => Refusal::unsupported_media_type()
                .detail(format!("the body should be {from}, but {why}"))
                .into(),
            Side::Response => self.bad_gateway(&format!("it should be {from}, but {why}")),
        }
    }

    /// Not a failure: where the plugin fails open, that would let the response pass.
    fn bad_gateway(&self, why: &str) -> Fault {
        Refusal::bad_gateway()
            .because(format!("the response is not converted: {why}"))
            .into()
    }

    /// A request that cannot be converted is the client's mistake, a response the upstream's.
    fn fault(&self, mistake: Mistake) -> Fault {
        let from = self.from.name();
        if self.side == Side::Response {
            let detail = match mistake.pointer {
                Some(pointer) => format!("{pointer:?}: {}", mistake.detail),
                None => mistake.detail,
            };
            return self.bad_gateway(&detail);
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
