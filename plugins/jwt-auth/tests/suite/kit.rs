//! What the tests share: tokens made on the spot, and what the plugin says to them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jwt_auth::JwtAuth;
use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::{Fake, set_now};
use sha2::Sha256;

pub const NOW: u64 = 1_767_225_660;
pub const SECRET: &str = "a-secret-for-tests-only-of-forty-bytes!!";

pub fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Any header and any claims, signed with HS256.
pub fn signed(secret: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    sealed(secret, &message)
}

/// Any message, signed with HS256.
pub fn sealed(secret: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(mac.finalize().into_bytes()))
}

/// Claims as JSON, signed as they should be.
pub fn token(claims: &str) -> String {
    signed(SECRET, r#"{"alg":"HS256","typ":"JWT"}"#, claims)
}

/// Claims that pass, with more.
pub fn claims(more: &str) -> String {
    format!(r#"{{"sub":"42","exp":{}{more}}}"#, NOW + 60)
}

pub fn plugin(settings: &str) -> JwtAuth {
    set_now(Duration::from_secs(NOW));
    JwtAuth::configure(settings::parse(settings).unwrap()).unwrap()
}

/// The plugin with a secret and more settings.
pub fn with(more: &str) -> JwtAuth {
    plugin(&format!(
        r#"{{"algorithms":["HS256"],"keys":[{{"secret":"{SECRET}"}}]{more}}}"#
    ))
}

pub fn ask(plugin: &JwtAuth, token: &str) -> Result<Caller, Fault> {
    let fake = Fake::request("GET", "/").with_header("authorization", format!("Bearer {token}"));
    plugin.authenticate(&mut fake.exchange())
}

/// "ok", or what the log is told up to the colon. What the client is told is the same for all.
pub fn verdict(outcome: Result<Caller, Fault>) -> String {
    let fault = match outcome {
        Ok(_) => return "ok".to_owned(),
        Err(fault) => fault,
    };
    let refusal = fault.refusal().unwrap();
    assert_eq!(refusal.reason(), "unauthenticated");
    assert_eq!(refusal.told(), Some("credentials are not valid"));
    assert_eq!(
        refusal.header_value("www-authenticate"),
        Some(b"Bearer error=\"invalid_token\"".as_slice())
    );
    let logged = refusal.logged().unwrap();
    logged.split(':').next().unwrap().to_owned()
}
