//! The shared vectors: made with and checked against five libraries of the field.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::crypto::PublicKey;
use serde::Deserialize;
use telegram_auth::{Key, Problem, Window, sign, verify};

/// Telegram's production key, which signed none of the vectors.
const PRODUCTION: &str = "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d";

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    expect: String,
    reason_code: String,
    mode: String,
    token: Option<String>,
    bot_id: Option<u64>,
    public_key_hex: Option<String>,
    now: u64,
    max_age_s: u64,
    future_skew_s: u64,
    init_data: String,
}

impl Vector {
    fn key(&self) -> Key {
        match self.mode.as_str() {
            "hmac" => from_token(self.token.as_ref().unwrap()),
            "ed25519" => Key::Public {
                bot_id: self.bot_id.unwrap(),
                key: public(self.public_key_hex.as_ref().unwrap()),
            },
            other => panic!("{other}"),
        }
    }

    fn verdict(&self, keys: &[Key]) -> Result<telegram_auth::Verified, Problem> {
        let window = Window {
            max_age: self.max_age_s,
            clock_skew: self.future_skew_s,
        };
        verify(&self.init_data, keys, self.now, window)
    }
}

fn public(hex: &str) -> PublicKey {
    PublicKey::ed25519(hex::decode(hex).unwrap()).unwrap()
}

fn from_token(token: &str) -> Key {
    Key::from_token(token).unwrap()
}

fn vectors() -> Vec<Vector> {
    let file: File = serde_json::from_str(include_str!("initdata.json")).unwrap();
    assert!(file.vectors.len() > 30, "the vectors are there");
    file.vectors
}

fn code(verdict: Result<telegram_auth::Verified, Problem>) -> &'static str {
    verdict.map_or_else(Problem::code, |_| "ok")
}

#[test]
fn every_vector_gets_its_verdict_and_reason() {
    for vector in vectors() {
        let got = code(vector.verdict(&[vector.key()]));
        assert_eq!(
            got == "ok",
            vector.expect == "valid",
            "{}: {got}",
            vector.id
        );
        assert_eq!(got, vector.reason_code, "{}", vector.id);
    }
}

#[test]
fn a_secret_gives_the_verdict_of_its_token() {
    for vector in vectors().iter().filter(|v| v.mode == "hmac") {
        let secret = secret(vector.token.as_ref().unwrap());
        assert_eq!(
            vector.verdict(&[Key::from_secret(&secret)]),
            vector.verdict(&[vector.key()]),
            "{}",
            vector.id
        );
    }
}

#[test]
fn another_bots_key_beside_it_changes_nothing_but_who_it_was() {
    let public = Key::Public {
        bot_id: 1,
        key: public(PRODUCTION),
    };
    for vector in vectors() {
        for other in [from_token("1:other"), public.clone()] {
            let got = vector.verdict(&[other, vector.key()]);
            assert_eq!(got.is_ok(), vector.expect == "valid", "{}", vector.id);
            if let Ok(verified) = got {
                assert_eq!(verified.key, 1, "{}", vector.id);
            }
        }
    }
}

#[test]
fn no_key_lets_nothing_pass() {
    for vector in vectors() {
        assert!(vector.verdict(&[]).is_err(), "{}", vector.id);
    }
}

#[test]
fn minimal_init_data_is_true_but_names_no_user() {
    let vector = vectors()
        .into_iter()
        .find(|v| v.id == "v06-minimal")
        .unwrap();
    assert_eq!(vector.verdict(&[vector.key()]).unwrap().user, None);
}

#[test]
fn what_sign_makes_passes_in_any_order_of_pairs() {
    let token = "42:abc";
    let made = sign::init_data(token, 7, 1_000, &[("start_param", "raid_9 & + %=\u{e4}")]);
    let mut pairs: Vec<&str> = made.split('&').collect();
    for _ in 0..pairs.len() {
        pairs.rotate_left(1);
        let window = Window {
            max_age: 10,
            clock_skew: 0,
        };
        let verified = verify(&pairs.join("&"), &[from_token(token)], 1_010, window).unwrap();
        assert_eq!((verified.user.unwrap().id, verified.auth_date), (7, 1_000));
        assert_eq!(verified.start_param.as_deref(), Some("raid_9 & + %=\u{e4}"));
    }
}

#[test]
fn the_edges_of_the_window_are_inside() {
    let made = sign::init_data("42:abc", 7, 1_000, &[]);
    let at = |now| {
        code(verify(
            &made,
            &[from_token("42:abc")],
            now,
            Window {
                max_age: 10,
                clock_skew: 5,
            },
        ))
    };
    assert_eq!(
        [at(994), at(995), at(1_010), at(1_011)],
        ["future", "ok", "ok", "expired"]
    );
    assert_eq!([at(0), at(u64::MAX)], ["future", "expired"]);
}

#[test]
fn a_field_cannot_be_folded_under_another_key() {
    let made = sign::sign(&[("auth_date", "1000"), ("start_param", "a=b")], "42:abc");
    let folded = made.replace("start_param=a%3Db", "start_param%3Da=b");
    assert_ne!(made, folded);
    let window = Window {
        max_age: 10,
        clock_skew: 0,
    };
    assert!(verify(&made, &[from_token("42:abc")], 1_000, window).is_ok());
    assert_eq!(
        code(verify(&folded, &[from_token("42:abc")], 1_000, window)),
        "format"
    );
}

#[test]
fn a_user_that_cannot_be_read_is_nobody() {
    for user in [
        "",
        "null",
        "7",
        "{}",
        r#"{"id":"7"}"#,
        r#"{"id":-7}"#,
        r#"{"id":7,"id":8}"#,
        r#"{"id":7} x"#,
    ] {
        let made = sign::sign(&[("auth_date", "1000"), ("user", user)], "42:abc");
        let verdict = verify(
            &made,
            &[from_token("42:abc")],
            1_000,
            Window {
                max_age: 10,
                clock_skew: 0,
            },
        );
        assert_eq!(code(verdict), "user", "{user}");
    }
}

fn secret(token: &str) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"WebAppData").unwrap();
    mac.update(token.as_bytes());
    mac.finalize().into_bytes().into()
}
