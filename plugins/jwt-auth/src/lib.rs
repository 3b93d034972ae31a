//! Authenticator: JSON Web Tokens.
//!
//! This file is the way of a token: found, parsed, verified, checked, mapped. The types hold the order: only a
//! signature yields [`Claims`], and only claims yield a caller.

#![warn(missing_docs)]

mod algorithm;
mod caller;
mod claims;
mod json;
mod jwk;
mod jwks;
mod key;
mod pem;
mod places;
mod plan;
mod problem;
mod settings;
mod token;

use portcullis_sdk::prelude::*;

pub use algorithm::{Algorithm, Kind};
pub use caller::Mapping;
pub use claims::{Claims, Demands};
pub use jwk::Jwk;
pub use jwks::Jwks;
pub use key::{Key, Material};
pub use places::Places;
pub use plan::Plan;
pub use problem::Problem;
pub use settings::Settings;
pub use token::Token;

/// The plugin.
#[derive(Debug)]
pub struct JwtAuth {
    plan: Plan,
}

#[portcullis_sdk::plugin]
impl Authenticator for JwtAuth {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(JwtAuth {
            plan: Plan::new(settings)?,
        })
    }

    fn authenticate(&self, x: &mut Exchange) -> Result<Caller, Fault> {
        let text = self.plan.places.take(x)?;
        let now = clock::unix_seconds();
        let token = Token::parse(&text, &self.plan.demands)?;
        let claims = self.plan.verify(&token, now)?;
        claims.check(&self.plan.demands, now)?;
        Ok(self.plan.mapping.caller(&claims)?)
    }
}
