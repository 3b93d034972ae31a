//! `access`, `maintenance`, `compress`, `mirror` and the limits on heads.

use ipnet::IpNet;
use toml::de::DeValue;

use super::general::networks;
use super::{File, upstream};
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{
    Access, AnswerPlan, Compress, Encoding, HeadLimits, Level, Listen, Maintenance, MirrorPlan,
    TypePattern,
};
use crate::spelling;

pub(super) fn access(fields: &Fields<'_>) -> Access {
    let allow = networks(fields, "allow");
    let deny = networks(fields, "deny");
    for (span, inner) in &allow {
        if let Some((_, outer)) = deny.iter().find(|(_, outer)| outer.contains(inner)) {
            let fault = Fault::new(format!(
                "`{inner}` is allowed, but stays out: `{outer}` is denied"
            ));
            let fault = fault.with_hint("`deny` wins; narrow it, or take one of the two out");
            fields.mistakes().fault(*span, fault);
        }
    }
    Access {
        allow: nets(allow),
        deny: nets(deny),
    }
}

pub(super) fn maintenance(fields: &Fields<'_>) -> Maintenance {
    Maintenance {
        on: fields.flag("on"),
        retry_after: fields.duration("retry_after"),
        message: fields.text("message").map(|word| word.text.to_owned()),
        allow: nets(networks(fields, "allow")),
    }
}

fn nets(found: Vec<(crate::Span, IpNet)>) -> Vec<IpNet> {
    found.into_iter().map(|(_, net)| net).collect()
}

// === compress ===

pub(super) fn compress(fields: &Fields<'_>) -> Compress {
    Compress {
        encodings: listed(fields, "encodings", keys::ENCODINGS, encoding),
        types: listed(fields, "types", keys::TYPES, type_pattern),
        min_size: fields.size("min_size"),
        level: match fields.choice("level") {
            "balanced" => Level::Balanced,
            "small" => Level::Small,
            _ => Level::Fast,
        },
        concurrent: fields.count("concurrent") as usize,
    }
}

/// A list with a default that is written in words, for the reference.
fn listed<T>(
    fields: &Fields<'_>,
    key: &str,
    default: &str,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Vec<T> {
    let Some(item) = fields.item(key) else {
        let words = default.split(", ");
        return words
            .map(|word| read(word).expect("keys.rs has good defaults"))
            .collect();
    };
    if matches!(item.get_ref(), DeValue::Array(array) if array.is_empty()) {
        let fault = Fault::new(format!("`{key}` is empty: nothing would be compressed"));
        let hint = "leave the key out for the default, or take `[compress]` out";
        fields
            .mistakes()
            .fault(fields.span_of(key), fault.with_hint(hint));
    }
    let words = fields.distinct(key).into_iter();
    words
        .filter_map(|word| fields.mistakes().note(word.span, read(word.text)))
        .collect()
}

fn encoding(text: &str) -> Result<Encoding, Fault> {
    match text {
        "gzip" => Ok(Encoding::Gzip),
        "br" => Ok(Encoding::Brotli),
        "zstd" => Ok(Encoding::Zstd),
        _ => {
            let fault = Fault::new(format!("`{text}` is not an encoding that is made here"));
            let hint = spelling::hint(text, ["gzip", "br", "zstd"].into_iter(), "there are");
            Err(fault.with_hint(hint))
        }
    }
}

fn type_pattern(text: &str) -> Result<TypePattern, Fault> {
    let wrong = || {
        let fault = Fault::new(format!("`{text}` is not a content type"));
        fault.with_hint("write \"application/json\", \"text/*\" or \"application/*+json\"")
    };
    let lower = text.to_ascii_lowercase();
    let (kind, subtype) = lower.split_once('/').ok_or_else(wrong)?;
    let kind_fits = spelling::is_token(kind) && !kind.contains('*');
    let stars = subtype.matches('*').count();
    if !kind_fits || !spelling::is_token(subtype) || stars > 1 {
        return Err(wrong());
    }
    if flows(&lower) {
        let fault = Fault::new(format!("`{text}` has to flow and is never compressed"));
        return Err(fault.with_hint("take it out"));
    }
    Ok(match lower.split_once('*') {
        Some((before, after)) => TypePattern::Around(before.to_owned(), after.to_owned()),
        None => TypePattern::Exact(lower),
    })
}

fn flows(content_type: &str) -> bool {
    content_type == "text/event-stream" || content_type.starts_with("application/grpc")
}

// === the limits on heads ===

/// A route's own, at most those of the listener.
pub(super) fn head_limits(fields: &Fields<'_>, listen: &Listen) -> HeadLimits {
    let general = listen.head_limits();
    let size = |key: &str, most: usize| {
        let given = fields.size_or(key, most as u64) as usize;
        beyond(fields, key, given > most);
        given
    };
    let headers = fields.count_or("max_headers", general.headers as u64) as usize;
    beyond(fields, "max_headers", headers > general.headers);
    HeadLimits {
        head: size("max_head", general.head),
        uri: size("max_uri", general.uri),
        query: size("max_query", general.query),
        headers,
    }
}

fn beyond(fields: &Fields<'_>, key: &str, is: bool) {
    if is {
        let fault = Fault::new(format!("`{key}` is larger than that of `[listen]`"));
        let hint = "requests are refused by that before a route is found; raise it there too";
        fields
            .mistakes()
            .fault(fields.span_of(key), fault.with_hint(hint));
    }
}

// === mirror ===

/// None without `mirror`, and with a mistake noted.
pub(super) fn mirror(
    file: &File<'_>,
    route: &Fields<'_>,
    answer: Option<&AnswerPlan>,
) -> Option<MirrorPlan> {
    let (span, table) = route.table("mirror")?;
    let fields = Fields::new(&keys::MIRROR, span, table, route.mistakes());
    let name = upstream::named(file, &fields);
    let (share, max_body) = (fields.percent("share"), fields.size("max_body"));
    let in_flight = fields.count("in_flight");
    let forwards = match answer? {
        AnswerPlan::Upstream(upstream) if Some(upstream) == name.as_ref() => {
            let fault = Fault::new(format!(
                "`{upstream}` would get each of these requests twice"
            ));
            let fault = fault.with_hint("name another upstream");
            route.mistakes().fault(fields.span_of("upstream"), fault);
            return None;
        }
        AnswerPlan::Upstream(_) | AnswerPlan::Split(_) => true,
        AnswerPlan::Plugin | AnswerPlan::Redirect(_) | AnswerPlan::Respond(_) => false,
    };
    if !forwards {
        let fault = Fault::new("there is nothing to mirror: the route forwards no requests");
        let fault = fault.with_hint("`mirror` goes with `upstream` or `split`; take it out");
        route.mistakes().fault(span, fault);
    }
    Some(MirrorPlan {
        upstream: name?,
        share,
        max_body: max_body as usize,
        in_flight: in_flight as usize,
    })
}
