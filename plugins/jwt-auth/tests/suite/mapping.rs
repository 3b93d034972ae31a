//! Whom a token names.

use crate::kit::{NOW, ask, claims, token, verdict, with};

#[test]
fn claims_become_a_caller() {
    let settings = r#","id":"uid","roles":"/realm_access/roles","default_roles":["user"],
        "claims":{"email":"email","tenant":"/org/0/id","level":"level","gone":"gone","list":"amr"}"#;
    let claims = format!(
        r#"{{"uid":42,"exp":{},"email":"a@b.test","org":[{{"id":"t1"}}],"level":7,"amr":["pwd"],
        "realm_access":{{"roles":["admin","user","with space","with,comma",""]}},"roles":["root"]}}"#,
        NOW + 60
    );
    let caller = ask(&with(settings), &token(&claims)).unwrap();
    assert_eq!(caller.id, "42");
    assert_eq!(caller.roles, ["user", "admin"]);
    let claims: Vec<(&str, &str)> = caller
        .claims
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        claims,
        [("email", "a@b.test"), ("level", "7"), ("tenant", "t1")]
    );
}

#[test]
fn roles_are_a_list_or_text_with_spaces() {
    let many = format!(r#","roles":"{}""#, "r ".repeat(65));
    let cases = [
        (r#","roles":["a","b","a"]"#, Some(vec!["a", "b"])),
        (r#","roles":"a b""#, Some(vec!["a", "b"])),
        (r#","roles":"a,b c""#, Some(vec!["c"])),
        (r#","roles":"""#, Some(vec![])),
        (r#","roles":[]"#, Some(vec![])),
        (r#","roles":null"#, Some(vec![])),
        ("", Some(vec![])),
        (r#","roles":[1]"#, None),
        (r#","roles":["a",null]"#, None),
        (r#","roles":{"a":true}"#, None),
        (r#","roles":true"#, None),
        (&many, None),
    ];
    for (more, want) in cases {
        let outcome = ask(&with(""), &token(&claims(more)));
        match want {
            Some(roles) => assert_eq!(outcome.unwrap().roles, roles, "{more}"),
            None => assert_eq!(verdict(outcome), "claim", "{more}"),
        }
    }
}

#[test]
fn an_id_is_text_or_a_whole_number() {
    let long = format!(r#""{}""#, "x".repeat(257));
    let cases = [
        (r#""42""#, Some("42")),
        ("42", Some("42")),
        ("-42", Some("-42")),
        ("9007199254740993", Some("9007199254740993")),
        ("true", None),
        (r#""""#, None),
        ("null", None),
        ("4.2", None),
        (r#"["42"]"#, None),
        (r#""4\n2""#, None),
        (r#""4\u00002""#, None),
        (&long, None),
    ];
    for (id, want) in cases {
        let outcome = ask(
            &with(""),
            &token(&format!(r#"{{"sub":{id},"exp":{}}}"#, NOW + 60)),
        );
        match want {
            Some(id) => assert_eq!(outcome.unwrap().id, id),
            None => assert_eq!(verdict(outcome), "claim", "{id}"),
        }
    }
}

#[test]
fn a_claim_fits_into_a_header() {
    let settings = r#","claims":["name"]"#;
    for bad in [
        r#""a\r\nb""#.to_owned(),
        format!(r#""{}""#, "x".repeat(1025)),
    ] {
        let outcome = ask(
            &with(settings),
            &token(&claims(&format!(r#","name":{bad}"#))),
        );
        assert_eq!(verdict(outcome), "claim", "{bad}");
    }
    let caller = ask(
        &with(settings),
        &token(&claims(r#","name":"Jörg \"J\" 🚪""#)),
    )
    .unwrap();
    assert_eq!(
        caller.claims,
        [("name".to_owned(), "Jörg \"J\" 🚪".to_owned())]
    );
}
