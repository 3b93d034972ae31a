//! Tokens that must not pass, by what the log calls them.

use crate::kit::{
    self, NOW, SECRET, ask, claims, encode, plugin, sealed, signed, token, verdict, with,
};
use portcullis_sdk::serde_json::{Value, from_str, json};

fn vectors() -> Value {
    from_str(include_str!("vectors.json")).unwrap()
}

#[test]
fn the_plain_token_passes() {
    let plugin = with("");
    assert_eq!(verdict(ask(&plugin, &token(&claims("")))), "ok");
}

#[test]
fn the_header_decides_nothing() {
    let good = claims("");
    let cases = [
        (r#"{"alg":"none"}"#, "algorithm"),
        (r#"{"alg":"None"}"#, "algorithm"),
        (r#"{"alg":"NONE"}"#, "algorithm"),
        (r#"{"alg":"nOnE"}"#, "algorithm"),
        (r#"{"alg":""}"#, "algorithm"),
        (r#"{"alg":"hs256"}"#, "algorithm"),
        (r#"{"alg":"HS256 "}"#, "algorithm"),
        (r#"{"alg":"HS384"}"#, "algorithm"),
        (r#"{"alg":"RS256"}"#, "algorithm"),
        (r#"{"alg":["HS256"]}"#, "format"),
        (r#"{"alg":null}"#, "format"),
        (r#"{"alg":1}"#, "format"),
        (r#"{"typ":"JWT"}"#, "algorithm"),
        (r#"{}"#, "algorithm"),
        (r#"{"alg":"none","alg":"HS256"}"#, "format"),
        (r#"{"alg":"HS256","alg":"none"}"#, "format"),
        (r#"{"alg":"HS256","\u0061lg":"none"}"#, "format"),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "critical"),
        (r#"{"alg":"HS256","crit":["exp"]}"#, "critical"),
        (r#"{"alg":"HS256","crit":[]}"#, "critical"),
        (r#"{"alg":"HS256","crit":null}"#, "critical"),
        (r#"{"alg":"HS256","kid":1}"#, "format"),
        (r#"{"alg":"HS256","kid":null}"#, "format"),
        (r#"["HS256"]"#, "format"),
        (r#""HS256""#, "format"),
        ("", "format"),
        (r#"{"alg":"HS256"} {}"#, "format"),
        (r#"{"alg":"HS256"}x"#, "format"),
        ("{\"alg\":\"HS256\"}\0", "format"),
        (r#"{"alg":"HS256","typ":"JWT"}"#, "ok"),
        (
            r#"{"alg":"HS256","jku":"https://evil.test/keys","x5u":"https://evil.test/c"}"#,
            "ok",
        ),
    ];
    let plugin = with("");
    for (header, want) in cases {
        assert_eq!(
            verdict(ask(&plugin, &signed(SECRET, header, &good))),
            want,
            "{header}"
        );
    }
}

#[test]
fn a_header_brings_no_key() {
    let evil = "a-secret-that-the-attacker-has-chosen-itself";
    let jwk = json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": encode(evil) } });
    let token = signed(evil, &jwk.to_string(), &claims(""));
    assert_eq!(verdict(ask(&with(""), &token)), "signature");
}

#[test]
fn an_unsigned_token_is_none() {
    let good = encode(claims(""));
    let plugin = with("");
    for alg in ["none", "None", "NONE", "HS256"] {
        let header = encode(format!(r#"{{"alg":"{alg}"}}"#));
        let want = if alg == "HS256" {
            "signature"
        } else {
            "algorithm"
        };
        assert_eq!(verdict(ask(&plugin, &format!("{header}.{good}."))), want);
        assert_eq!(verdict(ask(&plugin, &format!("{header}.{good}"))), "format");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let vectors = vectors();
    let pem = vectors["keys"]["rsa"].as_str().unwrap();
    let settings = json!({ "algorithms": ["RS256", "HS256"], "keys": [{ "public_key": pem }, { "secret": SECRET }] });
    let both = plugin(&settings.to_string());
    let only =
        plugin(&json!({ "algorithms": ["RS256"], "keys": [{ "public_key": pem }] }).to_string());
    for secret in [
        pem,
        pem.trim(),
        vectors["jwks"]["rsa"]["n"].as_str().unwrap(),
    ] {
        let forged = signed(secret, r#"{"alg":"HS256"}"#, &claims(""));
        assert_eq!(verdict(ask(&both, &forged)), "signature");
        assert_eq!(verdict(ask(&only, &forged)), "algorithm");
        let relabelled = signed(secret, r#"{"alg":"RS256"}"#, &claims(""));
        assert_eq!(verdict(ask(&both, &relabelled)), "signature");
    }
    assert_eq!(
        verdict(ask(&both, vectors["tokens"]["RS256"].as_str().unwrap())),
        "ok"
    );
    assert_eq!(
        verdict(ask(&both, vectors["tokens"]["RS512"].as_str().unwrap())),
        "algorithm"
    );
}

#[test]
fn a_signature_has_one_text() {
    let good = token(&claims(""));
    let plugin = with("");
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    // 32 bytes are 43 letters; the last one has two bits that mean nothing and must be zero.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let twin = alphabet
        .chars()
        .nth(alphabet.find(last).unwrap() + 1)
        .unwrap();
    let cases = [
        (format!("{good}="), "format"),
        (format!("{good}A"), "signature"),
        (format!("{good}AA"), "format"),
        (format!("{good}."), "format"),
        (format!(".{good}"), "format"),
        (format!("{good}.{good}"), "format"),
        (format!("{signed}.{}", &signature[..40]), "signature"),
        (format!("{good}AAA"), "signature"),
        (format!("{signed}.{}{twin}", &signature[..42]), "format"),
        (format!("{signed}.{signature}\u{e9}"), "format"),
        (format!("{header}=.{payload}.{signature}"), "format"),
        (format!("{header}.{payload}==.{signature}"), "signature"),
        (format!("{header}\n.{payload}.{signature}"), "format"),
        (format!("{header} .{payload}.{signature}"), "format"),
        (
            format!(
                "{header}.{}.{signature}",
                encode(claims(r#","roles":["admin"]"#))
            ),
            "signature",
        ),
        (format!("..{signature}"), "format"),
        ("...".to_owned(), "format"),
        ("..".to_owned(), "format"),
        (".".to_owned(), "format"),
        ("x".to_owned(), "format"),
        ("é.é.é".to_owned(), "format"),
        (good.replace('.', "%2e"), "format"),
    ];
    for (bad, want) in cases {
        assert_eq!(verdict(ask(&plugin, &bad)), want, "{bad}");
    }
    let standard = sealed(SECRET, &format!("{header}.{}", "+/".repeat(4)));
    assert_eq!(verdict(ask(&plugin, &standard)), "format");
}

#[test]
fn what_is_signed_is_still_looked_at() {
    let cases = [
        ("{}".to_owned(), "without"),
        (r#"{"sub":"42"}"#.to_owned(), "without"),
        (format!(r#"{{"exp":{}}}"#, NOW + 60), "without"),
        (r#"[]"#.to_owned(), "format"),
        (
            r#"{"exp":1,"exp":9999999999,"sub":"42"}"#.to_owned(),
            "format",
        ),
        (claims(r#","sub":"1""#), "format"),
        (claims(r#","a":{"b":1,"b":2}"#), "format"),
        (
            claims(&format!(r#","a":{}{}"#, "[".repeat(64), "]".repeat(64))),
            "format",
        ),
        (claims(r#","a":"\ud800""#), "format"),
        (claims(r#","a":1e999"#), "format"),
        (claims("") + "{}", "format"),
        (claims("") + "\0", "format"),
    ];
    let plugin = with("");
    for (claims, want) in cases {
        assert_eq!(verdict(ask(&plugin, &token(&claims))), want, "{claims}");
    }
}

#[test]
fn a_token_is_not_long() {
    let plugin = with("");
    let pad = |length: usize| claims(&format!(r#","pad":"{}""#, "x".repeat(length)));
    assert_eq!(verdict(ask(&plugin, &token(&pad(4_000)))), "ok");
    assert_eq!(verdict(ask(&plugin, &token(&pad(6_500)))), "format");
    assert_eq!(verdict(ask(&plugin, &token(&pad(1_000_000)))), "format");
    let kid = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "x".repeat(257));
    assert_eq!(
        verdict(ask(&plugin, &signed(SECRET, &kid, &claims("")))),
        "format"
    );
}

#[test]
fn a_kid_chooses_among_our_keys_and_nothing_else() {
    let other = "another-secret-for-tests-of-forty-bytes!";
    let settings = json!({ "algorithms": ["HS256"], "keys": [
        { "secret": SECRET, "kid": "a" }, { "secret": other, "kid": "b" },
    ] });
    let plugin = plugin(&settings.to_string());
    let ask = |secret: &str, kid: &str| {
        let header = json!({ "alg": "HS256", "kid": kid }).to_string();
        verdict(ask(&plugin, &signed(secret, &header, &claims(""))))
    };
    assert_eq!(
        (ask(SECRET, "a"), ask(other, "b")),
        ("ok".to_owned(), "ok".to_owned())
    );
    assert_eq!(
        (ask(SECRET, "b"), ask(other, "a")),
        ("signature".to_owned(), "signature".to_owned())
    );
    for kid in [
        "",
        "A",
        "a ",
        "a\0",
        "../../../dev/null",
        "' or 1=1 --",
        "http://evil.test/",
        "\u{202e}a",
    ] {
        assert_eq!(ask(SECRET, kid), "unknown_key", "{kid:?}");
        assert_eq!(ask("", kid), "unknown_key", "{kid:?}");
    }
    let nameless = signed(other, r#"{"alg":"HS256"}"#, &claims(""));
    assert_eq!(verdict(kit::ask(&plugin, &nameless)), "ok");
}

#[test]
fn a_token_is_not_tried_with_many_keys() {
    let keys: Vec<Value> = (0..5)
        .map(|i| json!({ "secret": format!("{i}{SECRET}"), "kid": i.to_string() }))
        .collect();
    let plugin = plugin(&json!({ "algorithms": ["HS256"], "keys": keys }).to_string());
    assert_eq!(verdict(ask(&plugin, &token(&claims("")))), "many_keys");
}
