//! Whether a response may be stored, and who may be given it (RFC 9111 section 3). When in doubt it is not: what is
//! stored by mistake is shown to somebody else.

use std::time::Instant;

use http::header::{AUTHORIZATION, COOKIE, ETAG, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use portcullis_config::plan::{Audience, RouteCache};

use super::control::Says;
use super::key::Vary;
use super::life::{Life, Times, is_heuristic};
use crate::stages::admit::speak_for_a_caller;

/// What matters of the request that a response answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) audience: Audience,
    /// It said or proved who asks when it came, or does as it is forwarded: by a certificate, by Authorization, or in
    /// a field that speaks for a caller.
    pub(super) credentials: bool,
    pub(super) cookie: bool,
}

/// A response that may be stored.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) says: Says,
    pub(super) vary: Vary,
    pub(super) life: Life,
}

impl Asker {
    pub(super) fn of(request: &HeaderMap, audience: Audience, credentials: bool) -> Asker {
        Asker {
            audience,
            credentials: credentials || speak_for_a_caller(request),
            cookie: request.contains_key(COOKIE),
        }
    }

    /// Whether a freshness may be assumed that the upstream did not state. Not where a credential may have chosen
    /// the response and nothing in it says that others may see it.
    fn may_assume(self) -> bool {
        match self.audience {
            Audience::Caller => true,
            Audience::Callers => false,
            Audience::Everyone => !self.credentials && !self.cookie,
        }
    }
}

/// None: not to be stored.
pub(super) fn judge(
    response: (StatusCode, &HeaderMap),
    request: &HeaderMap,
    asker: Asker,
    rules: &RouteCache,
    times: Times,
) -> Option<Verdict> {
    let (status, headers) = response;
    let says = Says::of(headers);
    if !is_understood(status, &says) || says.no_store || says.private {
        return None;
    }
    // Somebody's session: neither the cookie nor what was made for it is for others.
    if headers.contains_key(SET_COOKIE) {
        return None;
    }
    let vary = Vary::of(headers, request)?;
    let life = Life::of(response, &says, rules, times, asker.may_assume());
    if !may_be_given(asker, &says, &vary, &life) {
        return None;
    }
    let permitted = life.explicit || says.public || is_heuristic(status);
    let validated = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let useful = validated || life.is_of_use(Instant::now());
    (permitted && useful).then_some(Verdict { says, vary, life })
}

/// RFC 9111 section 3.5, and where callers are known also whether `Vary` speaks of a field that plugins may have
/// taken out: then the request as forwarded cannot tell two callers apart.
fn may_be_given(asker: Asker, says: &Says, vary: &Vary, life: &Life) -> bool {
    match asker.audience {
        Audience::Caller => true,
        Audience::Callers => {
            let by_credential = vary.names(&AUTHORIZATION) || vary.names(&COOKIE);
            says.is_for_all() && life.explicit && !by_credential
        }
        Audience::Everyone if asker.credentials => says.is_for_all(),
        // `max-age=0` with a validator is what personal pages say: they are for who asked.
        Audience::Everyone if asker.cookie => {
            says.public || (life.explicit && life.is_fresh(Instant::now()))
        }
        Audience::Everyone => true,
    }
}

/// Final, whole, and, where the response asks for it, of a status that we know (RFC 9111 section 3).
fn is_understood(status: StatusCode, says: &Says) -> bool {
    let partial = matches!(
        status,
        StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
    );
    let known = status.canonical_reason().is_some();
    !status.is_informational() && !partial && (known || !says.must_understand)
}
