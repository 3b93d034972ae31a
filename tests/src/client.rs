//! Clients to stand before the gateway. None of them corrects what a test writes.

pub mod answer;
pub mod curl;
pub mod h2;
pub mod load;
pub mod plain;
pub mod stream;
pub mod websocket;

pub use self::answer::Answer;
pub use self::plain::Client;
