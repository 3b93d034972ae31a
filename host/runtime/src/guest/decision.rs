//! What a plugin decided, from the contract's types into the host's. All of it is text from a stranger and is checked.

use bytes::Bytes;
use portcullis_exchange::{Caller, Refusal, RefusalReason, Reply};

use crate::error::CallError;
use crate::guest::checked::{checked_headers, final_status};
use crate::guest::contract::{identity, outcome};
use crate::text::printable;

/// The caller as an authorizer sees it.
pub(crate) fn identity_of(caller: &Caller) -> identity::Caller {
    identity::Caller {
        id: caller.id.to_string(),
        roles: caller.roles.clone(),
        claims: caller.claims.clone(),
    }
}

/// The plugin's decision, or how it failed to make one.
pub(crate) fn judge<T>(answer: Result<T, outcome::Fault>) -> Result<T, CallError> {
    match answer {
        Ok(value) => Ok(value),
        Err(outcome::Fault::Refuse(refusal)) => {
            Err(CallError::Refused(Box::new(valid_refusal(refusal)?)))
        }
        Err(outcome::Fault::Failed(text)) => Err(CallError::Failed(printable(&text, 500))),
    }
}

pub(crate) fn valid_caller(caller: identity::Caller) -> Result<Caller, CallError> {
    if caller.id.is_empty() || caller.id.len() > 256 || caller.id.chars().any(char::is_control) {
        return Err(CallError::Invalid(
            "a caller id must have 1 to 256 printable characters".into(),
        ));
    }
    if caller.roles.len() > 64 || caller.claims.len() > 64 {
        return Err(CallError::Invalid(
            "a caller has at most 64 roles and 64 claims".into(),
        ));
    }
    Ok(Caller {
        id: caller.id.into(),
        roles: caller.roles,
        claims: caller.claims,
    })
}

pub(crate) fn valid_reply(reply: outcome::Reply) -> Result<Reply, CallError> {
    let status = final_status(reply.status)
        .ok_or_else(|| CallError::Invalid(format!("{} is not a final status", reply.status)))?;
    let headers = checked_headers(reply.fields).map_err(CallError::Invalid)?;
    Ok(Reply {
        status,
        headers,
        body: Bytes::from(reply.body),
    })
}

fn valid_refusal(refusal: outcome::Refusal) -> Result<Refusal, CallError> {
    let reason = RefusalReason::named(&refusal.reason).ok_or_else(|| {
        CallError::Invalid(format!(
            "no refusal is named `{}`",
            printable(&refusal.reason, 64)
        ))
    })?;
    let headers = checked_headers(refusal.fields).map_err(CallError::Invalid)?;
    Ok(Refusal {
        reason,
        detail: refusal.detail.map(|text| printable(&text, 1000)),
        because: refusal.because.map(|text| printable(&text, 1000)),
        headers,
        members: refusal.members.into_iter().take(16).collect(),
    })
}
