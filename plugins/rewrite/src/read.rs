//! A body, as far as the rules may read it.

use portcullis_sdk::Message;
use portcullis_sdk::media::{Content, Doubt};
use portcullis_sdk::prelude::*;
use shape::Json;

use crate::Stop;
use crate::settings::Other;

/// A body.
pub(crate) enum Read {
    Nothing,
    Json(Json),
    /// A response that clearly is no JSON and passes as it is.
    Foreign,
}

/// What a message says that its body is.
enum Said {
    Json,
    /// It clearly is something else, and the text says what.
    Other(String),
    /// It is JSON or may be, and cannot be read.
    Unreadable(String),
}

/// Reads a body for rules that need it. One that cannot be read is refused: what the rules take out must not pass
/// because of how it is written.
pub(crate) fn read(x: &Exchange, message: Message<'_>, other: Option<Other>) -> Result<Read, Stop> {
    let body = message.body()?;
    if body.is_empty() {
        return Ok(Read::Nothing);
    }
    let status = x.status();
    match (said(message.content()), status) {
        (Said::Json, _) => {}
        (Said::Other(_), Some(status)) if passes(other, status) => return Ok(Read::Foreign),
        (Said::Other(why) | Said::Unreadable(why), Some(_)) => return Err(unreadable(&why)),
        (Said::Other(why) | Said::Unreadable(why), None) => {
            let detail = format!("the body should be JSON, but {why}");
            let refusal = Refusal::unsupported_media_type().detail(detail);
            return Err(Stop::Fault(refusal.into()));
        }
    }
    match Json::parse(&body) {
        Ok(json) => Ok(Read::Json(json)),
        Err(why) if status.is_some() => Err(unreadable(&format!("it is no JSON: {why}"))),
        Err(why) => {
            let refusal = Refusal::invalid_request().detail(format!("the body is no JSON: {why}"));
            Err(Stop::Fault(refusal.into()))
        }
    }
}

/// A response that cannot have a body; RFC 9110 section 6.4.1.
pub(crate) fn is_bodiless(x: &Exchange) -> bool {
    x.status()
        .is_some_and(|status| [204, 205, 304].contains(&status) || x.method() == "HEAD")
}

/// Error pages pass. A client may choose the type of an answer by `Accept`, and other names for the same secrets with
/// it.
fn passes(other: Option<Other>, status: u16) -> bool {
    match other {
        Some(other) => other == Other::Pass,
        None => !(200..300).contains(&status),
    }
}

/// A body without a content type is read as JSON, which it is or is not.
fn said(content: Result<Content, Doubt>) -> Said {
    let content = match content {
        Ok(content) => content,
        Err(doubt) => return Said::Unreadable(doubt.to_string()),
    };
    let in_parts = |essence: &str| content.partial && essence.starts_with("multipart/");
    match &content.media_type {
        Some(media) if !media.is_json() && !in_parts(media.essence()) => {
            return Said::Other("it has another content type".to_owned());
        }
        Some(media) if !media.is_utf8() => {
            return Said::Unreadable("its charset is not UTF-8".to_owned());
        }
        _ => {}
    }
    match content.obstacle() {
        Some(why) => Said::Unreadable(why.to_owned()),
        None => Said::Json,
    }
}

fn unreadable(why: &str) -> Stop {
    let refusal = Refusal::bad_gateway();
    let because = format!("the response is not reshaped, for its body cannot be read: {why}");
    Stop::Fault(refusal.because(because).into())
}
