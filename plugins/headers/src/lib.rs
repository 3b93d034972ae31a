//! Filter: set, add and remove headers
use portcullis_sdk::prelude::*;
struct Stub;
#[portcullis_sdk::plugin]
impl Filter for Stub {
    type Settings = portcullis_sdk::serde_json::Value;
    fn configure(_: Self::Settings) -> Result<Self, String> {
        Ok(Stub)
    }
    fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        if let Some(id) = x.caller_id() {
            x.set_header("x-user-id", id)?;
        }
        Ok(Verdict::Next)
    }
}
