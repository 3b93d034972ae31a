//! Python literals by hand: what is read, and what is refused how.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use convert::tree::{Kind, Mistake};
use convert::{Limits, Source, Target, convert};

fn json(literal: &str) -> Result<String, Mistake> {
    let limits = Limits::default();
    convert(literal.as_bytes(), Source::Python, Target::Json, "", limits)
        .map(|json| String::from_utf8(json).unwrap())
}

fn python(json: &str) -> Result<String, Mistake> {
    let limits = Limits::default();
    convert(json.as_bytes(), Source::Json, Target::Python, "", limits)
        .map(|literal| String::from_utf8(literal).unwrap())
}

#[test]
fn literals_are_read() {
    for (literal, expected) in [
        ("None", "null"),
        (" [True, False,]\n", "[true,false]"),
        (
            "{'a': (1, 2), 'b': (3,), 'c': (4), 'd': ()}",
            r#"{"a":[1,2],"b":[3],"c":4,"d":[]}"#,
        ),
        ("{\n 'a' :\n 1,\n}", r#"{"a":1}"#),
        ("1_000_000", "1000000"),
        ("0xFF", "255"),
        ("-0x_ff", "-255"),
        ("0b101", "5"),
        ("0o17", "15"),
        ("00", "0"),
        ("-0", "0"),
        ("- 1", "-1"),
        ("+1", "1"),
        ("-0.0", "-0.0"),
        ("1.", "1.0"),
        (".5", "0.5"),
        ("01.5e+05", "1.5e05"),
        ("1e16", "1.0e16"),
        (
            "0xffffffffffffffffffffffff",
            "79228162514264337593543950335",
        ),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        (r#"'it''s' "x" r'\n' u'\xe4'"#, r#""itsx\\nä""#),
        (
            r"'\x41\101\u0042\U0001f600\
\d\t'",
            "\"AAB\u{1f600}\\\\d\\t\"",
        ),
        ("'''a'\nb'''", r#""a'\nb""#),
        (r#"'"'"#, r#""\"""#),
        ("''", "\"\""),
    ] {
        assert_eq!(json(literal), Ok(expected.to_owned()), "{literal}");
    }
}

#[test]
fn what_json_cannot_hold_is_unfit_and_has_a_place() {
    for (literal, told) in [
        (
            "{'a': {1, 2}}",
            "line 1, column 7: a set cannot be converted",
        ),
        ("{'a'}", "line 1, column 1: a set cannot be converted"),
        ("set()", "line 1, column 1: set cannot be converted"),
        (
            "[\n  b'x']",
            "line 2, column 3: a bytes literal cannot be converted",
        ),
        (
            "[1, 2j]",
            "line 1, column 5: a complex number cannot be converted",
        ),
        (
            "1+2j",
            "line 1, column 2: an expression or a complex number cannot be converted",
        ),
        (
            "{1: 2}",
            "line 1, column 2: a key that is no string cannot be converted",
        ),
        ("[inf]", "line 1, column 2: inf cannot be converted"),
        (
            "-1e999",
            "line 1, column 1: a float beyond all floats cannot be converted",
        ),
        (
            r"'\ud83d\ude00'",
            "line 1, column 2: half of a surrogate pair cannot be converted",
        ),
        (
            r"'\N{DASH}'",
            "line 1, column 2: a character by its name cannot be converted",
        ),
    ] {
        let mistake = json(literal).unwrap_err();
        assert_eq!(
            (mistake.kind, mistake.detail.as_str()),
            (Kind::Unfit, told),
            "{literal}"
        );
    }
    let long = "9".repeat(4301);
    for literal in [
        long.as_str(),
        &format!("0x{}", "f".repeat(9000)),
        &format!("0x1{}", "0".repeat(99_999)),
    ] {
        assert_eq!(json(literal).unwrap_err().kind, Kind::Unfit);
    }
}

#[test]
fn what_is_no_literal_is_malformed() {
    for literal in [
        "",
        " ",
        "[",
        "[1",
        "[1 2]",
        "{'a'}b",
        "{'a' 1}",
        "{'a': 1, 'a': 2}",
        "{'a': 1, 2}",
        "(1, 2",
        "1 2",
        "True1",
        "true",
        "null",
        "foo",
        "f'x'",
        "print(1)",
        "'a",
        "'a\nb'",
        "'a\rb'",
        "'\\x4'",
        "'\\u12'",
        "'\\U00110000'",
        "012",
        "1__0",
        "_1",
        "1_",
        "0x",
        "0b2",
        "0o8",
        "1e",
        "1.e+",
        "1..2",
        ".",
        "-",
        "--1",
        "-'a'",
        "- [1]",
        "# c",
        "[1] # c",
        "...",
        "1 if 1 else 2",
        "'a' + 'b'x",
        "\0",
        "'\0'",
        "[,]",
        "(,)",
        "{,}",
        "{'a':}",
        "'a'\n'b'x",
        "lambda: 1",
    ] {
        let mistake = json(literal).unwrap_err();
        assert_ne!(mistake.kind, Kind::TooLarge, "{literal:?}: {mistake:?}");
    }
    assert_eq!(
        json("[1 2]").unwrap_err().detail,
        "line 1, column 4: a comma or ] is missing"
    );
    assert_eq!(
        json("{'a': 1, 'a': 2}").unwrap_err().detail,
        "the key \"a\" is there twice"
    );
    assert!(
        convert(
            b"'\xff'",
            Source::Python,
            Target::Json,
            "",
            Limits::default()
        )
        .is_err()
    );
}

#[test]
fn limits_hold_on_the_way_in() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let brackets = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    for read in [json, python] {
        assert!(read(&deep(64)).is_ok());
        assert_eq!(read(&deep(65)).unwrap_err().kind, Kind::TooLarge);
        assert_eq!(read(&"[".repeat(100_000)).unwrap_err().kind, Kind::TooLarge);
        let many = format!("[{}]", "0,".repeat(100_000) + "0");
        assert_eq!(read(&many).unwrap_err().kind, Kind::TooLarge);
    }
    assert_eq!(json(&brackets(65)).unwrap_err().kind, Kind::TooLarge);
}

#[test]
fn numbers_that_python_cannot_hold_are_refused_with_their_place() {
    for (text, pointer) in [
        (r#"{"a":[1,1E400]}"#, "/a/1"),
        (r#"{"a/b":{"c~d":-1e999}}"#, "/a~1b/c~0d"),
        ("1e309", ""),
    ] {
        let mistake = python(text).unwrap_err();
        assert_eq!(
            (mistake.kind, mistake.pointer.as_deref()),
            (Kind::Unfit, Some(pointer)),
            "{text}"
        );
    }
    assert_eq!(python(&"9".repeat(4301)).unwrap_err().kind, Kind::Unfit);
    assert!(python(&"9".repeat(4300)).is_ok());
}

#[test]
fn json_is_read_strictly() {
    for text in [
        "",
        "nul",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "1.",
        ".1",
        "+1",
        "1e",
        "NaN",
        "Infinity",
        "'a'",
        "\"\t\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\x41\"",
        "[1] 2",
        "// c\n1",
        "{\"a\":1,\"\\u0061\":2}",
        "\"",
    ] {
        assert_eq!(python(text).unwrap_err().kind, Kind::Malformed, "{text}");
    }
    assert!(
        convert(
            b"\"\xff\"",
            Source::Json,
            Target::Python,
            "",
            Limits::default()
        )
        .is_err()
    );
}
