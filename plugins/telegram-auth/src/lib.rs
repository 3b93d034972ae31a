//! Authenticator: Telegram Mini App initData
use portcullis_sdk::prelude::*;
struct Stub;
#[portcullis_sdk::plugin]
impl Authenticator for Stub {
    type Settings = portcullis_sdk::serde_json::Value;
    fn configure(_: Self::Settings) -> Result<Self, String> {
        Ok(Stub)
    }
    fn authenticate(&self, x: &mut Exchange) -> Result<Caller, Fault> {
        match x.header("authorization") {
            Some(h) if h.starts_with("tma ") => Ok(Caller::new("1").role("user")),
            _ => Err(Refusal::unauthenticated().header("www-authenticate", "tma").into()),
        }
    }
}
