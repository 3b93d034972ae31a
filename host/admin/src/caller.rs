//! Who sends a request, and what they may do: by a token, by a certificate, or by being on this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_config::plan::{AdminPlan, AdminRole, TokenPlan};
use portcullis_exchange::ClientCertificate;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::answer::Problem;
use crate::operation::Role;

/// Where a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The listener is on loopback: every client is on this machine.
    pub(crate) local: bool,
    /// Verified.
    pub(crate) certificate: Option<Arc<ClientCertificate>>,
}

#[derive(Debug)]
pub(crate) struct Caller {
    /// For the audit log: never a secret.
    pub(crate) name: String,
    role: Role,
}

impl Caller {
    /// Refused if neither the headers nor the peer name a known caller.
    pub(crate) fn of(admin: &AdminPlan, peer: &Peer, headers: &HeaderMap) -> Result<Self, Problem> {
        let known = [by_token(admin, headers)?, by_certificate(admin, peer)];
        let best = known.into_iter().flatten().max_by_key(|(_, role)| *role);
        match best {
            Some((name, role)) => Ok(Caller {
                name: format!("{name} at {}", peer.address),
                role: role.into(),
            }),
            None if peer.local && !admin.asks_who() => Ok(Caller {
                name: peer.address.to_string(),
                role: Role::Write,
            }),
            None => Err(unknown("send a token: `Authorization: Bearer …`")),
        }
    }

    pub(crate) fn may(&self, needed: Role) -> Result<(), Problem> {
        if self.role >= needed {
            return Ok(());
        }
        let text = "this changes something: it needs the role `write`";
        Err(Problem::new(StatusCode::FORBIDDEN, "not_allowed", text))
    }
}

/// A token that is not good is refused whatever else there is.
fn by_token(
    admin: &AdminPlan,
    headers: &HeaderMap,
) -> Result<Option<(String, AdminRole)>, Problem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = given.next().filter(|_| !admin.tokens.is_empty()) else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(unknown("`Authorization` is there twice"));
    }
    let token = bearer(first).ok_or_else(|| unknown("`Authorization` is not `Bearer …`"))?;
    let found = find(&admin.tokens, token).ok_or_else(|| unknown("the token is not known"))?;
    Ok(Some((found.name.to_string(), found.role)))
}

/// RFC 6750 section 2.1; the scheme in any case (RFC 9110 section 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then_some(token.trim_ascii())
}

/// In a time that depends on nothing but how many tokens there are: all are compared, by digests of one length.
fn find<'t>(tokens: &'t [TokenPlan], given: &[u8]) -> Option<&'t TokenPlan> {
    let given = Sha256::digest(given);
    let mut found = None;
    for known in tokens {
        let digest = Sha256::digest(known.token.expose().as_bytes());
        if bool::from(digest.as_slice().ct_eq(given.as_slice())) {
            found = Some(known);
        }
    }
    found
}

fn by_certificate(admin: &AdminPlan, peer: &Peer) -> Option<(String, AdminRole)> {
    let tls = admin.tls.as_ref().filter(|tls| tls.client_auth.is_some())?;
    let certificate = peer.certificate.as_ref()?;
    let name = match certificate.subject.as_str() {
        "" => format!("certificate {}", certificate.fingerprint),
        subject => subject.to_owned(),
    };
    Some((name, tls.client_role))
}

fn unknown(text: &str) -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"portcullis admin\"");
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", text);
    problem.with_header(WWW_AUTHENTICATE, challenge)
}

impl From<AdminRole> for Role {
    fn from(role: AdminRole) -> Role {
        match role {
            AdminRole::Read => Role::Read,
            AdminRole::Write => Role::Write,
        }
    }
}
