//! The answers made one, and the mark when a part is missing.

use portcullis_sdk::Reply;
use serde_json::json;
use shape::{IndexMap, Json, Scope, header_value};

use crate::loss::{Loss, Reason};
use crate::output::Output;
use crate::plan::Plan;
use crate::run::Part;

/// The reply, or what was needed and is missing.
pub(crate) fn compose(plan: &Plan, parts: &mut [Part], scope: &Scope) -> Result<Reply, Loss> {
    let mut body = match &plan.output {
        Output::Merge(_) => Json::Object(merge(plan, parts)?),
        Output::Page(page) => page
            .fill_json(&scope.value())
            .map_err(|trouble| Loss::of_trouble(&trouble.at("template"), true))?,
    };
    let lost: Vec<(&str, Reason)> = plan
        .calls
        .iter()
        .zip(parts.iter())
        .filter_map(|(call, part)| match part {
            Part::Lost(reason) => Some((call.name.as_str(), *reason)),
            Part::Got(_) => None,
        })
        .collect();
    if let (false, Some(member), Json::Object(members)) =
        (lost.is_empty(), &plan.mark.member, &mut body)
    {
        let list: Vec<Json> = lost
            .iter()
            .map(|(part, reason)| json!({ "part": part, "reason": reason.name() }).into())
            .collect();
        members.insert(member.clone(), Json::Array(list));
    }
    let text = body.to_string();
    if text.len() > plan.max_total {
        let because = format!("the answer is larger than {} bytes", plan.max_total);
        return Err(Loss::new(Reason::TooLarge, because));
    }
    let mut reply = Reply::new(plan.status).header("content-type", "application/json");
    for (name, value) in headers(plan, scope)? {
        reply = reply.header(name, value);
    }
    if !lost.is_empty() {
        // A cache would keep the hole for others.
        reply = reply.header("cache-control", "no-store");
        if let Some(header) = &plan.mark.header {
            reply = reply.header(header, listed(&lost));
        }
    }
    Ok(reply.body(text))
}

/// Each member. An optional part whose answer lacks what is asked of it is lost after all.
fn merge(plan: &Plan, parts: &mut [Part]) -> Result<IndexMap<String, Json>, Loss> {
    let mut members = IndexMap::new();
    let Output::Merge(list) = &plan.output else {
        return Ok(members);
    };
    for (_, at, pointer) in list {
        let planned = &plan.calls[*at];
        let lacks = matches!(&parts[*at], Part::Got(json) if pointer.get(json).is_none());
        if lacks && !planned.optional {
            let because = "the answer lacks what `merge` takes of it";
            return Err(Loss::new(Reason::Missing, because).of(&planned.name));
        }
        if lacks {
            parts[*at] = Part::Lost(Reason::Missing);
        }
    }
    for (member, at, pointer) in list {
        let answer = match &parts[*at] {
            Part::Got(json) => Some(json),
            Part::Lost(_) => plan.calls[*at].default.as_ref(),
        };
        let value = answer.and_then(|answer| pointer.get(answer)).cloned();
        members.insert(member.clone(), value.unwrap_or_default());
    }
    Ok(members)
}

fn headers(plan: &Plan, scope: &Scope) -> Result<Vec<(String, String)>, Loss> {
    let mut out = Vec::new();
    let scope = scope.value();
    for (name, text) in &plan.headers {
        let value = text.fill_or_none(&scope).and_then(|value| {
            value.as_deref().map_or(Ok(()), header_value)?;
            Ok(value)
        });
        let answers = plan.calls.iter().any(|call| text.uses().takes(&call.name));
        match value {
            Ok(Some(value)) => out.push((name.clone(), value)),
            Ok(None) => {}
            Err(trouble) => {
                return Err(Loss::of_trouble(
                    &trouble.at(&format!("headers.{name}")),
                    answers,
                ));
            }
        }
    }
    Ok(out)
}

/// A list of RFC 9651: `mentions;reason=timeout, raids;reason=status`.
fn listed(lost: &[(&str, Reason)]) -> String {
    let items: Vec<String> = lost
        .iter()
        .map(|(part, reason)| format!("{part};reason={}", reason.name()))
        .collect();
    items.join(", ")
}
