//! Authorizer: roles to permissions. Denies by default.

#![warn(missing_docs)]

pub mod pattern;
mod roles;

use portcullis_sdk::prelude::*;

pub use roles::{Roles, Settings};

/// The plugin.
#[derive(Debug)]
pub struct Rbac {
    roles: Roles,
}

#[portcullis_sdk::plugin]
impl Authorizer for Rbac {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(Rbac {
            roles: Roles::new(&settings)?,
        })
    }

    fn authorize(&self, x: &mut Exchange, caller: &Caller) -> Result<(), Fault> {
        let checked = self
            .roles
            .check(&caller.id, &caller.roles, &x.method(), &x.path());
        // Nothing for the client: which role would have been enough is not its business.
        checked.map_err(|because| Refusal::forbidden().because(because).into())
    }
}
