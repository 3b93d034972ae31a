//! Python literals against a real CPython: `python3` must be in PATH.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::process::{Command, Stdio};

use convert::{Limits, PRINTABLE_UNICODE, Source, Target, printable};
use fastrand::Rng;

const SEED: u64 = 20_240_607;

fn to_python(json: &str) -> String {
    let made = convert::convert(
        json.as_bytes(),
        Source::Json,
        Target::Python,
        "",
        Limits::default(),
    );
    String::from_utf8(made.unwrap_or_else(|mistake| panic!("{json}: {mistake:?}"))).unwrap()
}

fn to_json(literal: &str) -> Result<String, convert::tree::Mistake> {
    let made = convert::convert(
        literal.as_bytes(),
        Source::Python,
        Target::Json,
        "",
        Limits::default(),
    );
    made.map(|json| String::from_utf8(json).unwrap())
}

/// Runs one python3 and gives what it printed; anything but success is the test's failure.
fn python(script: &str, arguments: &[&str], input: Vec<u8>) -> String {
    let mut child = Command::new("python3")
        .arg("-c")
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("these tests compare with CPython: put python3 (3.8 or later) into PATH");
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join().unwrap(); // a script that ends early says so itself
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "python3 says:\n{printed}");
    printed
}

// === JSON to Python ===

/// A JSON document in one line, as nasty as the grammar allows.
fn document(rng: &mut Rng, depth: u32, out: &mut String) {
    match rng.u32(0..if depth == 0 { 6 } else { 9 }) {
        0 => out.push_str(["null", "true", "false"][rng.usize(0..3)]),
        1 | 2 => number(rng, out),
        3..=5 => string(rng, out),
        6 | 7 => {
            out.push('[');
            for i in 0..rng.u32(0..5) {
                out.push_str(if i == 0 { "" } else { " ,\t" });
                document(rng, depth - 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for i in 0..rng.u32(0..5) {
                // The number keeps the keys apart.
                out.push_str(if i == 0 { "\"" } else { ", \"" });
                out.push_str(&i.to_string());
                letters(rng, out);
                out.push_str("\" : ");
                document(rng, depth - 1, out);
            }
            out.push('}');
        }
    }
}

fn string(rng: &mut Rng, out: &mut String) {
    out.push('"');
    letters(rng, out);
    out.push('"');
}

fn letters(rng: &mut Rng, out: &mut String) {
    for _ in 0..rng.u32(0..10) {
        match rng.u32(0..12) {
            0 => out.push('\''),
            1 => out.push_str(
                [r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"][rng.usize(0..8)],
            ),
            2 => out.push_str(&format!("\\u{:04x}", rng.u32(0..0xd800))),
            3 => out.push_str(&format!("\\u{:04X}", rng.u32(0..0x100))),
            4 => {
                let (high, low) = (rng.u32(0xd800..0xdc00), rng.u32(0xdc00..0xe000));
                out.push_str(&format!("\\u{high:04x}\\u{low:04X}"));
            }
            5 => out.push(rng.char('\u{80}'..)),
            6 => out.push(rng.char('\u{7f}'..='\u{24f}')),
            _ => out.push(
                *rng.choice(&[
                    'a', 'Z', '0', ' ', '{', '\u{7f}', '\u{ad}', '\u{2028}', '\u{e000}',
                ])
                .unwrap(),
            ),
        }
    }
}

fn digits(rng: &mut Rng, most: usize, out: &mut String) {
    for _ in 0..rng.usize(1..=most) {
        out.push(rng.digit(10));
    }
}

fn number(rng: &mut Rng, out: &mut String) {
    if rng.bool() {
        out.push('-');
    }
    let int = match rng.u32(0..4) {
        0 => "0".to_owned(),
        _ => {
            let mut int = char::from(rng.u8(b'1'..=b'9')).to_string();
            let most = if rng.u32(0..20) == 0 { 4000 } else { 25 };
            digits(rng, most, &mut int);
            int
        }
    };
    let mut small = int.len() < 40;
    out.push_str(&int);
    if small && rng.bool() {
        out.push('.');
        digits(rng, 30, out);
    } else if rng.bool() {
        small = false;
    }
    if small && rng.bool() {
        out.push_str(["e", "E", "e+", "E-", "e-"][rng.usize(0..5)]);
        out.push_str(&rng.u32(0..250).to_string());
    }
}

#[test]
fn json_becomes_what_repr_writes() {
    let mut rng = Rng::with_seed(SEED);
    let mut input = String::new();
    let edges = [
        "1e16",
        "1E+16",
        "9999999999999998.0",
        "1e15",
        "0.0001",
        "0.00001",
        "1.0",
        "-0.0",
        "-0",
        "1e22",
        "5e-324",
        "2e-400",
        "1.7976931348623157e308",
        "123456789.123456789123456789",
        "[]",
        "{}",
        r#"["'", "\"", "'\"", "\\'", "\\"]"#,
        r#"{"'":{"\"":[null]}}"#,
    ];
    for json in edges {
        input.push_str(&format!("{json}\n{}\n", to_python(json)));
    }
    for _ in 0..6000 {
        let mut json = String::new();
        document(&mut rng, 5, &mut json);
        input.push_str(&format!("{json}\n{}\n", to_python(&json)));
    }
    let script = include_str!("cpython/check_repr.py");
    let said = python(script, &[PRINTABLE_UNICODE], input.into_bytes());
    assert_eq!(said.trim(), "checked 6018");
}

#[test]
fn printable_is_what_cpython_says() {
    let script = "import unicodedata\nprint(unicodedata.unidata_version)\n\
        print(''.join('01'[chr(c).isprintable()] for c in range(0x110000)))";
    let said = python(script, &[], Vec::new());
    let (version, flags) = said.trim().split_once('\n').unwrap();
    let differ = |c: &char| flags.as_bytes()[*c as usize] != u8::from(printable(*c)) + b'0';
    let differences = ('\0'..=char::MAX).filter(differ);
    if version == PRINTABLE_UNICODE {
        assert_eq!(differences.collect::<Vec<_>>(), []);
    } else {
        // Unicode only gives names to what had none.
        assert!(
            differences.count() < 60_000,
            "Unicode {version} is another world"
        );
    }
}

// === Python to JSON ===

#[test]
fn what_repr_writes_becomes_json() {
    let script = include_str!("cpython/objects.py");
    let (seed, count) = (SEED.to_string(), "6000");
    let literals = python(script, &["write", &seed, count], Vec::new());
    let made = literals
        .split('\n')
        .map(|literal| to_json(literal).unwrap_or_else(|mistake| panic!("{literal}: {mistake:?}")));
    let made: Vec<String> = made.collect();
    let said = python(
        script,
        &["check", &seed, count],
        made.join("\n").into_bytes(),
    );
    assert_eq!(said.trim(), "checked 6000");
}

/// Cuts, doubles and swaps what literals are made of: what is still accepted must be what Python reads.
#[test]
fn nothing_is_accepted_that_python_reads_otherwise() {
    let mut rng = Rng::with_seed(SEED);
    let pieces = [
        "'",
        "\"",
        "'''",
        "\"\"\"",
        "\\",
        "\\x41",
        "\\u00e4",
        "\\U0001F600",
        "\\101",
        "\\7",
        "\\8",
        "\\d",
        "\\\n",
        "\n",
        " ",
        "\t",
        "\r",
        "a",
        "\u{e4}",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "1",
        "0",
        "00",
        "0x1F",
        "0b1",
        "0o7",
        "_",
        ".",
        "e",
        "E5",
        "-",
        "+",
        "True",
        "None",
        "False",
        "r'",
        "u\"",
        "R",
        "b'",
        "1.5",
        "1e400",
        "j",
        "'a'",
        "'b':",
        "1,",
        "#",
    ];
    let mut input = String::new();
    let mut accepted = 0;
    for _ in 0..300_000 {
        let length = rng.usize(1..9);
        let literal: String = (0..length).map(|_| *rng.choice(&pieces).unwrap()).collect();
        if let Ok(json) = to_json(&literal) {
            let quoted = portcullis_sdk::serde_json::to_string(&literal).unwrap();
            input.push_str(&format!("{quoted}\n{json}\n"));
            accepted += 1;
        }
    }
    assert!(accepted > 5_000, "only {accepted} were literals");
    let script = include_str!("cpython/check_literals.py");
    let said = python(script, &[], input.into_bytes());
    assert_eq!(said.trim(), format!("checked {accepted}"));
}
