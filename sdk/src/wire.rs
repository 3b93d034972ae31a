//! The one place that knows where the host is: across the component boundary in WebAssembly, in
//! [`testing`](crate::testing) natively. Everything above is the same code in both.

/// Header and body bytes as text, see [`Message::header`](crate::Message::header).
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(target_family = "wasm")]
pub(crate) use guest::*;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::*;

#[cfg(target_family = "wasm")]
mod guest {
    use crate::bindings::host::portcullis::plugin as wit;
    use crate::upstream::{Answer, Call, CallError};

    pub(crate) use wit::clock::{monotonic_ns, now_ms, remaining_ms};
    pub(crate) use wit::exchange::Exchange as Wire;
    pub(crate) use wit::state;
    pub(crate) use wit::telemetry::{enabled as log_enabled, log};
    pub(crate) use wit::upstream::Pending;

    pub(crate) fn send(call: Call) -> Result<Answer, CallError> {
        wit::upstream::send(&lower(call))
            .map(lift)
            .map_err(CallError::from)
    }

    pub(crate) fn send_all(calls: Vec<Call>) -> Vec<Result<Answer, CallError>> {
        let calls: Vec<_> = calls.into_iter().map(lower).collect();
        wit::upstream::send_all(&calls)
            .into_iter()
            .map(|slot| slot.map(lift).map_err(CallError::from))
            .collect()
    }

    pub(crate) fn start(call: Call) -> Result<Pending, CallError> {
        wit::upstream::start(&lower(call)).map_err(CallError::from)
    }

    pub(crate) fn next(pending: &[&Pending]) -> usize {
        wit::upstream::next(pending) as usize
    }

    pub(crate) fn take(pending: Pending) -> Result<Answer, CallError> {
        Pending::take(pending).map(lift).map_err(CallError::from)
    }

    /// Plain pairs to fields of the contract.
    pub(crate) fn fields(pairs: Vec<(String, Vec<u8>)>) -> Vec<wit::types::Field> {
        pairs
            .into_iter()
            .map(|(name, value)| wit::types::Field { name, value })
            .collect()
    }

    fn lower(call: Call) -> wit::upstream::Call {
        wit::upstream::Call {
            upstream: call.upstream,
            method: call.method,
            path_and_query: call.target,
            fields: fields(call.headers),
            body: call.body,
            timeout_ms: call.timeout_ms,
            max_response: call.max_response,
        }
    }

    fn lift(answer: wit::upstream::Answer) -> Answer {
        Answer {
            status: answer.status,
            headers: answer
                .fields
                .into_iter()
                .map(|field| (field.name, field.value))
                .collect(),
            body: answer.body,
        }
    }

    pub(crate) mod crypto {
        use super::wit::crypto;
        pub(crate) use super::wit::crypto::equal;
        use crate::crypto::CryptoError;

        type Answer<T> = Result<T, CryptoError>;

        pub(crate) fn digest(hash: &str, data: &[u8]) -> Answer<Vec<u8>> {
            Ok(crypto::digest(hash, data)?)
        }

        pub(crate) fn hmac(hash: &str, key: &[u8], message: &[u8]) -> Answer<Vec<u8>> {
            Ok(crypto::hmac(hash, key, message)?)
        }

        pub(crate) fn verify_hmac(
            hash: &str,
            key: &[u8],
            message: &[u8],
            code: &[u8],
        ) -> Answer<()> {
            Ok(crypto::verify_hmac(hash, key, message, code)?)
        }

        pub(crate) fn verify(
            algorithm: &str,
            key: &[u8],
            message: &[u8],
            signature: &[u8],
        ) -> Answer<()> {
            Ok(crypto::verify(algorithm, key, message, signature)?)
        }

        pub(crate) fn key_kind(key: &[u8]) -> Answer<String> {
            Ok(crypto::key_kind(key)?)
        }

        impl From<crypto::CryptoError> for CryptoError {
            fn from(error: crypto::CryptoError) -> CryptoError {
                match error {
                    crypto::CryptoError::Mismatch => CryptoError::Mismatch,
                    crypto::CryptoError::UnknownAlgorithm => CryptoError::UnknownAlgorithm,
                    crypto::CryptoError::Key(why) => CryptoError::Key(why),
                    crypto::CryptoError::TooLarge => CryptoError::TooLarge,
                }
            }
        }
    }

    impl From<wit::upstream::CallError> for CallError {
        fn from(error: wit::upstream::CallError) -> CallError {
            use wit::upstream::CallError as E;
            match error {
                E::NotGranted => CallError::NotGranted,
                E::Timeout => CallError::Timeout,
                E::Connect(why) => CallError::Connect(why),
                E::TooLarge => CallError::TooLarge,
                E::Budget => CallError::Budget,
                E::Cancelled => CallError::Cancelled,
                E::Invalid(why) => CallError::Invalid(why),
                E::Other(why) => CallError::Other(why),
            }
        }
    }
}

#[cfg(not(target_family = "wasm"))]
mod native {
    pub(crate) use crate::testing::Fake as Wire;
    pub(crate) use crate::testing::crypto;
    pub(crate) use crate::testing::host::{
        Pending, log, log_enabled, monotonic_ns, next, now_ms, remaining_ms, send, send_all, start,
        take,
    };
    pub(crate) use crate::testing::state;
}
