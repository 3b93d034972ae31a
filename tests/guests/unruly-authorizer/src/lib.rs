//! Authorizer of the tests: does what the header `x-do` says, most of which no plugin should do.

use portcullis_sdk::prelude::*;

/// The plugin.
#[derive(Debug)]
pub struct Unruly;

#[portcullis_sdk::plugin]
impl Authorizer for Unruly {
    type Settings = portcullis_sdk::NoSettings;

    fn configure(_: Self::Settings) -> Result<Self, String> {
        Ok(Unruly)
    }

    fn authorize(&self, x: &mut Exchange, _: &Caller) -> Result<(), Fault> {
        let wish = x.header("x-do").unwrap_or_default();
        if let Some(wish) = wish.strip_prefix("authorize ") {
            misdeeds::does(wish);
        }
        if x.set_header("x-a", "1").is_ok() {
            return Err(Fault::failed("a header was taken"));
        }
        Ok(())
    }
}
