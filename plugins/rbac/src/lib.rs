//! Authorizer: roles to permissions
use portcullis_sdk::prelude::*;
struct Stub;
#[portcullis_sdk::plugin]
impl Authorizer for Stub {
    type Settings = portcullis_sdk::serde_json::Value;
    fn configure(_: Self::Settings) -> Result<Self, String> {
        Ok(Stub)
    }
    fn authorize(&self, _: &mut Exchange, caller: &Caller) -> Result<(), Fault> {
        if caller.has_role("user") {
            Ok(())
        } else {
            Err(Refusal::forbidden().into())
        }
    }
}
