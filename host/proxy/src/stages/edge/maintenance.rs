//! Maintenance: closed for a while, except for those who mend it.

use std::net::IpAddr;

use http::header::{HeaderValue, RETRY_AFTER};
use portcullis_config::plan;

use super::addresses::Networks;
use crate::ground::refusal::{Reason, Refusal};

#[derive(Debug)]
pub(super) struct Maintenance {
    retry_after: HeaderValue,
    message: Option<String>,
    allow: Networks,
}

impl Maintenance {
    /// None while everything is open.
    pub(super) fn of(plan: &plan::Maintenance) -> Option<Maintenance> {
        plan.on.then(|| Maintenance {
            retry_after: plan.retry_after.as_secs().into(),
            message: plan.message.clone(),
            allow: Networks::new(&plan.allow),
        })
    }

    pub(super) fn check(&self, ip: Option<IpAddr>) -> Result<(), Refusal> {
        if ip.is_some_and(|ip| self.allow.contains(ip)) {
            return Ok(());
        }
        let mut refusal = Refusal::new(Reason::Maintenance);
        refusal.detail.clone_from(&self.message);
        refusal
            .headers
            .insert(RETRY_AFTER, self.retry_after.clone());
        Err(refusal)
    }
}
