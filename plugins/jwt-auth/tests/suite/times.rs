//! For whom a token is, and when.

use crate::kit::{NOW, ask, token, verdict, with};

/// What settings and claims come to.
fn told(more: &str, claims: &str) -> String {
    verdict(ask(&with(more), &token(claims)))
}

#[test]
fn a_token_has_a_beginning_and_an_end() {
    let cases = [
        (60, r#""exp":EXP"#, "ok"),
        (0, r#""exp":EXP"#, "expired"),
        (-59, r#""exp":EXP"#, "expired"),
        (60, r#""exp":EXP.9"#, "ok"),
        (0, r#""exp":EXP.9"#, "expired"),
        (60, r#""exp":"EXP""#, "claim"),
        (60, r#""exp":null"#, "claim"),
        (60, r#""exp":[EXP]"#, "claim"),
        (60, r#""exp":-EXP"#, "claim"),
        (60, r#""exp":1e300"#, "claim"),
        (60, r#""exp":true"#, "claim"),
        (60, r#""exp":18446744073709551615"#, "ok"),
        (60, r#""exp":1e10"#, "ok"),
        (60, r#""nbf":EXP,"exp":9999999999"#, "early"),
        (0, r#""nbf":EXP,"exp":9999999999"#, "ok"),
        (0, r#""nbf":EXP.1,"exp":9999999999"#, "early"),
        (0, r#""nbf":"EXP","exp":9999999999"#, "claim"),
        (
            0,
            r#""nbf":18446744073709551615,"exp":18446744073709551615"#,
            "early",
        ),
        (0, r#""iat":EXP,"exp":9999999999"#, "ok"),
        (1, r#""iat":EXP,"exp":9999999999"#, "future"),
        (0, r#""iat":"now","exp":9999999999"#, "claim"),
    ];
    for (offset, claims, want) in cases {
        let at = NOW.checked_add_signed(offset).unwrap().to_string();
        let claims = format!(r#"{{"sub":"42",{}}}"#, claims.replace("EXP", &at));
        assert_eq!(told(r#","clock_skew":"0s""#, &claims), want, "{claims}");
    }
}

#[test]
fn clocks_may_differ_a_little() {
    let exp = |offset: i64| {
        format!(
            r#"{{"sub":"42","exp":{}}}"#,
            NOW.checked_add_signed(offset).unwrap()
        )
    };
    let nbf = |offset: u64| format!(r#"{{"sub":"42","exp":9999999999,"nbf":{}}}"#, NOW + offset);
    for (claims, want) in [
        (exp(-59), "ok"),
        (exp(-60), "expired"),
        (nbf(60), "ok"),
        (nbf(61), "early"),
    ] {
        assert_eq!(told("", &claims), want, "{claims}");
    }
}

#[test]
fn a_token_is_not_old() {
    let iat = |age: u64| format!(r#"{{"sub":"42","exp":9999999999,"iat":{}}}"#, NOW - age);
    let settings = r#","clock_skew":"0s","max_age":"1h""#;
    assert_eq!(told(settings, &iat(3_600)), "ok");
    assert_eq!(told(settings, &iat(3_601)), "old");
    assert_eq!(
        told(settings, r#"{"sub":"42","exp":9999999999}"#),
        "without"
    );
}

#[test]
fn a_token_is_ours_and_from_whom_it_should_be() {
    let cases = [
        ("", "", "ok"),
        ("", r#","aud":"us""#, "audience"),
        ("", r#","aud":[]"#, "audience"),
        ("", r#","iss":"anyone""#, "ok"),
        (r#","audience":"us""#, "", "without"),
        (r#","audience":"us""#, r#","aud":"us""#, "ok"),
        (r#","audience":"us""#, r#","aud":["them","us"]"#, "ok"),
        (r#","audience":["we","us"]"#, r#","aud":"us""#, "ok"),
        (r#","audience":"us""#, r#","aud":"them""#, "audience"),
        (r#","audience":"us""#, r#","aud":["them"]"#, "audience"),
        (r#","audience":"us""#, r#","aud":[["us"]]"#, "audience"),
        (r#","audience":"us""#, r#","aud":{"us":"us"}"#, "audience"),
        (r#","audience":"us""#, r#","aud":"US""#, "audience"),
        (r#","audience":"us""#, r#","aud":"us ""#, "audience"),
        (r#","audience":"us""#, r#","aud":null"#, "audience"),
        (r#","issuer":"them""#, "", "without"),
        (r#","issuer":"them""#, r#","iss":"them""#, "ok"),
        (r#","issuer":["they","them"]"#, r#","iss":"them""#, "ok"),
        (r#","issuer":"them""#, r#","iss":"them/""#, "issuer"),
        (r#","issuer":"them""#, r#","iss":["them"]"#, "issuer"),
        (r#","require":["jti"]"#, "", "without"),
        (
            r#","require":["jti","/a/b"]"#,
            r#","jti":"1","a":{"b":0}"#,
            "ok",
        ),
        (r#","require":["/a/b"]"#, r#","a":{}"#, "without"),
    ];
    for (settings, more, want) in cases {
        assert_eq!(
            told(settings, &crate::kit::claims(more)),
            want,
            "{settings} {more}"
        );
    }
}

#[test]
fn a_token_of_another_type_is_another_token() {
    let ask = |settings: &str, typ: &str| {
        let header = format!(r#"{{"alg":"HS256"{typ}}}"#);
        let token = crate::kit::signed(crate::kit::SECRET, &header, &crate::kit::claims(""));
        verdict(ask(&with(settings), &token))
    };
    let settings = r#","type":"at+jwt""#;
    assert_eq!(ask(settings, r#","typ":"at+jwt""#), "ok");
    assert_eq!(ask(settings, r#","typ":"application/AT+JWT""#), "ok");
    assert_eq!(ask(settings, r#","typ":"JWT""#), "type");
    assert_eq!(ask(settings, ""), "type");
    assert_eq!(ask(settings, r#","typ":["at+jwt"]"#), "format");
    assert_eq!(ask("", r#","typ":"anything""#), "ok");
}
