//! `per`: what a limit counts by.

use toml::de::DeValue;

use crate::fields::{Fields, Word};
use crate::mistakes::Fault;
use crate::plan::{KeyPart, PerPlan};
use crate::spelling;

/// The header that `per = "api_key"` looks at first; also the default of the plugin api-key.
const API_KEY: &str = "x-api-key";
const PER: &str = "it is one of `client_ip`, `caller`, `route`, `tls_subject`, `api_key`, `header:NAME` and `everyone`, or a list of them";

// === per ===

pub(super) fn per(fields: &Fields<'_>) -> Option<PerPlan> {
    let item = fields.required("per")?;
    let words = match item.get_ref() {
        DeValue::Array(array) if array.is_empty() => {
            let fault = Fault::new("`per` is empty").with_hint("write \"everyone\" for one count");
            fields.mistakes().fault(item.span().into(), fault);
            return None;
        }
        DeValue::Array(_) => fields.distinct("per"),
        _ => fields.text("per").into_iter().collect(),
    };
    let alone = words.len() == 1;
    let part = |word: &Word<'_>| fields.mistakes().note(word.span, part(word.text, alone));
    // None only with a mistake noted.
    let parts: Option<Vec<Option<KeyPart>>> = words.iter().map(part).collect();
    let parts: Vec<KeyPart> = parts?.into_iter().flatten().collect();
    (!words.is_empty()).then(|| PerPlan {
        parts,
        ipv6_prefix: u8::try_from(fields.count("ipv6_prefix")).unwrap_or(128),
    })
}

/// None: everyone.
fn part(text: &str, alone: bool) -> Result<Option<KeyPart>, Fault> {
    Ok(Some(match text {
        "client_ip" => KeyPart::ClientIp,
        "caller" => KeyPart::Caller,
        "route" => KeyPart::Route,
        "tls_subject" => KeyPart::TlsSubject,
        "api_key" => KeyPart::ApiKey,
        "everyone" if alone => return Ok(None),
        "everyone" => {
            let fault = Fault::new("`everyone` cannot be combined");
            return Err(fault.with_hint("it is one count for all requests; leave the others out"));
        }
        text => match text.strip_prefix("header:") {
            Some(name) if name.eq_ignore_ascii_case(API_KEY) => KeyPart::ApiKey,
            Some(name) if spelling::is_token(name) => KeyPart::Header(name.to_ascii_lowercase()),
            Some(name) => {
                let fault = Fault::new(format!("`{name}` cannot be the name of a header"));
                return Err(fault.with_hint(PER));
            }
            None => {
                let fault = Fault::new(format!("nothing to count by is called `{text}`"));
                return Err(fault.with_hint(PER));
            }
        },
    }))
}
