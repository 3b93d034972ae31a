//! The keys of `[listen]` that say how a request is read.

use portcullis_syntax::headers::{NamePatterns, is_ambiguous, is_the_gateways};
use portcullis_syntax::{PathParameters, PathRules, Target, TargetError};

use crate::fields::{Fields, Word};
use crate::mistakes::Fault;
use crate::plan::{Admission, ClientFrom, Condition, HeaderRules, PathPattern, Segment, Want};
use crate::spelling;

pub(super) fn read(fields: &Fields<'_>) -> Admission {
    Admission {
        paths: paths(fields),
        client_from: match fields.choice("client_address") {
            "x-forwarded-for" => ClientFrom::XForwardedFor,
            "forwarded" => ClientFrom::Forwarded,
            _ => ClientFrom::Either,
        },
        headers: HeaderRules {
            remove: patterns(fields, "remove_headers"),
            keep: patterns(fields, "keep_headers"),
            keep_ambiguous: fields.choice("ambiguous_headers") == "keep",
        },
    }
}

fn paths(fields: &Fields<'_>) -> PathRules {
    let mut rules = PathRules {
        parameters: match fields.choice("path_parameters") {
            "remove" => PathParameters::Remove,
            "forward" => PathParameters::Forward,
            _ => PathParameters::Refuse,
        },
        ..PathRules::default()
    };
    if fields.item("strict_paths").is_some() {
        (rules.iis, rules.php, rules.cgi) = (false, false, false);
        for word in fields.distinct("strict_paths") {
            match word.text {
                "iis" => rules.iis = true,
                "php" => rules.php = true,
                "cgi" => rules.cgi = true,
                other => {
                    let fault = Fault::new(format!("`{other}` is no family of servers"));
                    let hint = "write \"iis\", \"php\" or \"cgi\"; servlet containers and WSGI servers are what `path_parameters` is for";
                    fields.mistakes().fault(word.span, fault.with_hint(hint));
                }
            }
        }
    }
    rules
}

fn patterns(fields: &Fields<'_>, key: &str) -> NamePatterns {
    let words = fields.distinct(key).into_iter();
    let good: Vec<&str> = words
        .filter_map(|word| {
            fields.mistakes().note(word.span, check_pattern(word))?;
            Some(word.text)
        })
        .collect();
    NamePatterns::new(good)
}

fn check_pattern(word: Word<'_>) -> Result<(), Fault> {
    let name = word.text.strip_suffix('*').unwrap_or(word.text);
    if name.contains('*') || !spelling::is_token(name) {
        let fault = Fault::new(format!(
            "`{}` is no header and no beginning of headers",
            word.text
        ));
        return Err(fault.with_hint("write \"x-team\" or \"x-internal-*\""));
    }
    if is_the_gateways(&word.text.to_ascii_lowercase()) {
        let fault = Fault::new(format!(
            "`{}` is the gateway's own to read and write",
            word.text
        ));
        return Err(fault.with_hint(
            "take it out of the list: no key lets it through, and services get the gateway's own",
        ));
    }
    Ok(())
}

/// Notes a path of a route that no request can have once it is admitted.
pub(super) fn check_path(fields: &Fields<'_>, path: &PathPattern, rules: PathRules) {
    let mut text = String::new();
    for segment in &path.segments {
        text.push('/');
        text.push_str(match segment {
            Segment::Literal(text) => text,
            Segment::Param(_) => "x",
        });
    }
    if path.open || text.is_empty() {
        text.push_str("/x");
    }
    let Err(why) = Target::parse_by(&text, rules) else {
        return;
    };
    let hint = match why {
        TargetError::Parameter => "`path_parameters` of [listen] says what becomes of `;`",
        TargetError::Iis | TargetError::Script => {
            "`strict_paths` of [listen] says whose readings are refused"
        }
        _ => "such requests are refused, whatever routes there are",
    };
    let key = if fields.item("path").is_some() {
        "path"
    } else {
        "prefix"
    };
    let fault = Fault::new(format!("no request can have this path: {why}"));
    fields
        .mistakes()
        .fault(fields.span_of(key), fault.with_hint(hint));
}

/// Notes conditions on headers that no request has once it is admitted.
pub(super) fn check_conditions(fields: &Fields<'_>, conditions: &[Condition], rules: &HeaderRules) {
    let gone = |c: &&Condition| {
        is_ambiguous(&c.name) && !rules.keep_ambiguous && !rules.keep.hold(&c.name)
    };
    for condition in conditions
        .iter()
        .filter(|c| c.want != Want::Absent)
        .filter(gone)
    {
        let fault = Fault::new(format!(
            "the header `{}` is taken out of every request",
            condition.name
        ));
        let hint = "its name could be taken for another; `keep_headers` of [listen] lets it in";
        fields
            .mistakes()
            .fault(fields.span_of("headers"), fault.with_hint(hint));
    }
}
