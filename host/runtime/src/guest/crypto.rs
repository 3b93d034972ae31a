//! `crypto` of the contract: the names and bounds of its functions, and what each is charged.

use std::time::Duration;

use portcullis_crypto::{Algorithm, Hash, HmacKey, Kind, bounded};

use crate::guest::contract::crypto;
use crate::guest::session::Session;

/// The HMAC key that an instance used last: most use one, and making it ready is half of the work of a short message.
pub(crate) struct LastKey {
    hash: Hash,
    secret: Vec<u8>,
    key: HmacKey,
}

type Answer<T> = wasmtime::Result<Result<T, crypto::CryptoError>>;

/// What hashing costs, with room for a slow machine.
const PER_BYTE: Duration = Duration::from_nanos(3);
const PER_HASH: Duration = Duration::from_micros(2);

/// What a signature or a key costs, with room for a slow machine.
fn signature_work(kind: Kind) -> Duration {
    match kind {
        Kind::Ed25519 | Kind::P256 | Kind::Rsa => Duration::from_micros(200),
        Kind::P384 => Duration::from_micros(800),
    }
}

/// Gives up the function with an error of its own.
macro_rules! checked {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(error) => return Ok(Err(said(error))),
        }
    };
}

impl Session {
    /// Counts one call and the bytes that it brought, and charges its work.
    fn crypto_call(&mut self, bytes: usize, work: Duration) -> wasmtime::Result<()> {
        self.count()?;
        self.copy_out(bytes)?;
        let hashed = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.charge(work + PER_BYTE * hashed)
    }

    fn hmac_key(&mut self, hash: Hash, secret: Vec<u8>) -> Result<&HmacKey, crypto::CryptoError> {
        let last = self.last_hmac_key.take();
        // The guest has given both secrets: how long this takes tells it nothing.
        let last = match last.filter(|last| last.hash == hash && last.secret == secret) {
            Some(last) => last,
            None => {
                let key = HmacKey::new(hash, &secret).map_err(said)?;
                Box::new(LastKey { hash, secret, key })
            }
        };
        Ok(&self.last_hmac_key.insert(last).key)
    }
}

impl crypto::Host for Session {
    fn digest(&mut self, hash: String, data: Vec<u8>) -> Answer<Vec<u8>> {
        self.crypto_call(data.len(), PER_HASH)?;
        checked!(bounded(&[&data], &[]));
        let digest = checked!(Hash::named(&hash)).digest(&data);
        self.copy_in(digest.len())?;
        Ok(Ok(digest))
    }

    fn hmac(&mut self, hash: String, key: Vec<u8>, message: Vec<u8>) -> Answer<Vec<u8>> {
        self.crypto_call(key.len() + message.len(), PER_HASH)?;
        checked!(bounded(&[&message], &key));
        let hash = checked!(Hash::named(&hash));
        let code = match self.hmac_key(hash, key) {
            Ok(key) => key.code(&message).as_ref().to_vec(),
            Err(error) => return Ok(Err(error)),
        };
        self.copy_in(code.len())?;
        Ok(Ok(code))
    }

    fn verify_hmac(
        &mut self,
        hash: String,
        key: Vec<u8>,
        message: Vec<u8>,
        code: Vec<u8>,
    ) -> Answer<()> {
        self.crypto_call(key.len() + message.len() + code.len(), PER_HASH)?;
        checked!(bounded(&[&message, &code], &key));
        let hash = checked!(Hash::named(&hash));
        let key = self.hmac_key(hash, key);
        Ok(key.and_then(|key| key.verify(&message, &code).map_err(said)))
    }

    fn verify(
        &mut self,
        algorithm: String,
        key: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Answer<()> {
        let algorithm = Algorithm::named(&algorithm);
        let work = algorithm.map_or(PER_HASH, |known| signature_work(known.kind()));
        self.crypto_call(key.len() + message.len() + signature.len(), work)?;
        checked!(bounded(&[&message, &signature], &key));
        let verdict = portcullis_crypto::verify(&key, checked!(algorithm), &message, &signature);
        Ok(verdict.map_err(said))
    }

    fn key_kind(&mut self, key: Vec<u8>) -> Answer<String> {
        self.crypto_call(key.len(), signature_work(Kind::P384))?;
        checked!(bounded(&[], &key));
        let kind = checked!(portcullis_crypto::kind_of(&key)).as_str();
        self.copy_in(kind.len())?;
        Ok(Ok(kind.to_owned()))
    }

    fn equal(&mut self, a: Vec<u8>, b: Vec<u8>) -> wasmtime::Result<bool> {
        self.crypto_call(a.len() + b.len(), PER_HASH)?;
        Ok(portcullis_crypto::equal(&a, &b))
    }
}

fn said(error: portcullis_crypto::CryptoError) -> crypto::CryptoError {
    use portcullis_crypto::CryptoError as E;
    match error {
        E::Mismatch => crypto::CryptoError::Mismatch,
        E::UnknownAlgorithm => crypto::CryptoError::UnknownAlgorithm,
        E::Key(why) => crypto::CryptoError::Key(why.to_owned()),
        E::TooLarge => crypto::CryptoError::TooLarge,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::guest::contract::crypto::{CryptoError, Host as _};
    use crate::guest::meter::Overrun;
    use crate::spec::{Budget, Copying, Grants, SecretText, Spec};
    use crate::state::memory::Memory;

    const MIB: usize = 1 << 20;

    fn session(cpu: Duration, bytes_out: u64) -> Session {
        let spec = Spec {
            name: "under-test".into(),
            settings: SecretText("{}".into()),
            grants: Grants::default(),
            budget: Budget {
                memory: MIB,
                time: cpu,
                cpu,
                host_calls: 100,
                bytes_in: 1 << 20,
                bytes_out,
                concurrent: 1,
            },
            kept: false,
            copying: Copying::Auto,
            fail_open: false,
        };
        let mut session = Session::new(Arc::new(spec), Arc::new(Memory::default()));
        session.configured = true;
        session
    }

    fn generous() -> Session {
        session(Duration::from_secs(1), 64 << 20)
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn a_code_is_checked_under_the_key_of_this_call() {
        let mut s = generous();
        let hmac = |s: &mut Session, hash: &str, key: &[u8]| {
            s.hmac(text(hash), key.to_vec(), b"message".to_vec())
                .unwrap()
                .unwrap()
        };
        let code = hmac(&mut s, "sha-256", b"key");
        let mut passes = |hash: &str, key: &[u8], message: &[u8], code: &[u8]| {
            let (key, message, code) = (key.to_vec(), message.to_vec(), code.to_vec());
            let verdict = s.verify_hmac(text(hash), key, message, code).unwrap();
            match verdict {
                Ok(()) => true,
                Err(CryptoError::Mismatch) => false,
                Err(other) => panic!("{other:?}"),
            }
        };
        // The last key is kept ready: neither another key nor another hash may get it.
        for _ in 0..2 {
            assert!(passes("sha-256", b"key", b"message", &code));
            assert!(!passes("sha-256", b"kez", b"message", &code));
            assert!(!passes("sha-256", b"key", b"massage", &code));
            assert!(passes("sha-256", b"key", b"message", &code));
            assert!(!passes("sha-384", b"key", b"message", &code));
            assert!(!passes("sha-256", b"key", b"message", &code[..31]));
        }
    }

    #[test]
    fn what_cannot_be_used_is_an_error_and_no_trap() {
        let mut s = generous();
        let (much, long) = (vec![0; MIB + 1], vec![0; 5000]);
        let digest = s.digest(text("sha-256"), much.clone()).unwrap();
        assert!(matches!(digest, Err(CryptoError::TooLarge)), "{digest:?}");
        let digest = s.digest(text("SHA-256"), Vec::new()).unwrap();
        assert!(matches!(digest, Err(CryptoError::UnknownAlgorithm)));
        let hmac = s.hmac(text("sha-256"), long.clone(), Vec::new()).unwrap();
        assert!(matches!(hmac, Err(CryptoError::TooLarge)), "{hmac:?}");
        let hmac = s.hmac(text("sha-256"), Vec::new(), Vec::new()).unwrap();
        assert!(matches!(hmac, Err(CryptoError::Key(_))), "{hmac:?}");
        let mut verify = |algorithm: &str, key: &[u8], message: &[u8]| {
            let (key, message) = (key.to_vec(), message.to_vec());
            s.verify(text(algorithm), key, message, vec![0; 64])
                .unwrap()
        };
        let verdict = verify("none", b"", b"");
        assert!(matches!(verdict, Err(CryptoError::UnknownAlgorithm)));
        let verdict = verify("Ed25519", &[1; 32], b"");
        assert!(matches!(verdict, Err(CryptoError::Key(_))), "{verdict:?}");
        let verdict = verify("Ed25519", &[1; 44], &much);
        assert!(matches!(verdict, Err(CryptoError::TooLarge)), "{verdict:?}");
        let verdict = verify("RS256", &long, b"");
        assert!(matches!(verdict, Err(CryptoError::TooLarge)), "{verdict:?}");
        let kind = s.key_kind(b"key".to_vec()).unwrap();
        assert!(matches!(kind, Err(CryptoError::Key(_))), "{kind:?}");
    }

    #[test]
    fn work_is_charged_by_operation_and_byte() {
        let mut s = session(Duration::from_millis(1), 64 << 20);
        let verify =
            |s: &mut Session| s.verify(text("ES256"), vec![0; 91], Vec::new(), vec![0; 64]);
        for call in 1..=4 {
            assert!(verify(&mut s).is_ok(), "call {call}");
        }
        let spent = verify(&mut s).unwrap_err();
        assert!(spent.is::<Overrun>(), "{spent:?}");

        let mut s = session(Duration::from_millis(5), 64 << 20);
        assert!(s.digest(text("sha-512"), vec![0; MIB]).is_ok());
        let spent = s.digest(text("sha-512"), vec![0; MIB]).unwrap_err();
        assert!(spent.is::<Overrun>(), "{spent:?}");
        assert_eq!(s.meter.host_calls, 2);
    }

    #[test]
    fn bytes_and_calls_count_before_anything_is_computed() {
        let mut s = session(Duration::from_secs(1), 100);
        assert!(s.equal(vec![0; 50], vec![0; 50]).unwrap());
        assert!(s.equal(vec![0; 1], Vec::new()).is_err());
        let mut s = generous();
        for _ in 0..100 {
            assert!(!s.equal(b"a".to_vec(), b"b".to_vec()).unwrap());
        }
        assert!(s.equal(Vec::new(), Vec::new()).is_err());
    }
}
