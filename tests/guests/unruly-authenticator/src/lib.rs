//! Authenticator of the tests: does what the header `x-do` says, most of which no plugin should do.

use portcullis_sdk::prelude::*;

/// The plugin.
#[derive(Debug)]
pub struct Unruly;

#[portcullis_sdk::plugin]
impl Authenticator for Unruly {
    type Settings = portcullis_sdk::NoSettings;

    fn configure(_: Self::Settings) -> Result<Self, String> {
        Ok(Unruly)
    }

    fn authenticate(&self, x: &mut Exchange) -> Result<Caller, Fault> {
        let wish = x.header("x-do").unwrap_or_default();
        match wish.as_str() {
            "split id" => return Ok(Caller::new("ann\r\nx-admin: 1")),
            "no id" => return Ok(Caller::new("")),
            "many roles" => {
                let roles = (0..1000).map(|i| i.to_string());
                return Ok(roles.fold(Caller::new("ann"), Caller::role));
            }
            "split challenge" => {
                let refusal = Refusal::unauthenticated();
                return Err(refusal.header("www-authenticate", "a\r\nx-b: 2").into());
            }
            "stranger" => {
                let refusal = Refusal::unauthenticated().header("www-authenticate", "Test");
                return Err(refusal.because("as asked").into());
            }
            "other path" => {
                if x.set_target("/elsewhere").is_ok() {
                    return Err(Fault::failed("another path was taken"));
                }
            }
            other => drop(misdeeds::does(other)),
        }
        Ok(Caller::new("ann"))
    }
}
