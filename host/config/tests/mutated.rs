//! Nothing that can stand in a file makes the reader panic.

use std::path::Path;

use portcullis_config::{parse, to_single};

const DEMO: &str = include_str!("../../../gateway.toml");

/// What a file needs besides its plugin.
const REST: &str = r#"
[upstream.u]
servers = ["127.0.0.1:1"]

[[route]]
name = "r"
path = "/"
public = true
plugins = ["a"]
upstream = "u"
"#;

/// Reads and renders; what comes out does not matter here.
fn survive(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(report) = parse("gateway.toml", &text, Path::new("nowhere"), &|_| None) {
        assert!(
            !report.diagnostics().is_empty(),
            "refused without a reason:\n{text}"
        );
        assert!(!report.to_string().is_empty());
    }
}

#[test]
fn a_file_cut_at_any_byte_does_not_panic() {
    for end in 0..DEMO.len() {
        survive(&DEMO.as_bytes()[..end]);
    }
}

#[test]
fn a_file_with_a_flipped_byte_does_not_panic() {
    let mut bytes = DEMO.as_bytes().to_vec();
    // xorshift: the same bytes every time, so that a failure can be repeated.
    let mut random: u32 = 0x9e37_79b9;
    for at in 0..bytes.len() {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let kept = bytes[at];
        for byte in [
            kept ^ (1 << (random % 8)),
            (random >> 8) as u8,
            b"\"'[]{}=.\n#,1"[at % 12],
        ] {
            bytes[at] = byte;
            survive(&bytes);
        }
        bytes[at] = kept;
    }
}

#[test]
fn a_file_without_any_one_of_its_lines_does_not_panic() {
    let lines: Vec<&str> = DEMO.lines().collect();
    for skipped in 0..lines.len() {
        let mut kept = lines.clone();
        kept.remove(skipped);
        survive(kept.join("\n").as_bytes());
        kept.insert(skipped, lines[(skipped * 7 + 3) % lines.len()]);
        survive(kept.join("\r\n").as_bytes());
    }
}

#[test]
fn any_value_in_the_place_of_any_other_does_not_panic() {
    let values = [
        "1",
        "-1",
        "1.5",
        "true",
        "\"\"",
        "\"x\"",
        "[]",
        "[1]",
        "{}",
        "{ a = 1 }",
        "nan",
        "1979-05-27",
    ];
    for (at, line) in DEMO.lines().enumerate() {
        let Some((key, _)) = line.split_once('=') else {
            continue;
        };
        for value in values {
            let replaced = format!("{key}= {value}");
            let lines = DEMO.lines().enumerate();
            let text: Vec<_> = lines
                .map(|(n, line)| if n == at { replaced.as_str() } else { line })
                .collect();
            survive(text.join("\n").as_bytes());
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_shallow_nesting_is_not() {
    let dotted = |depth| format!("settings.{}x = 1", "a.".repeat(depth));
    let arrays = |depth| format!("settings.x = {}1{}", "[".repeat(depth), "]".repeat(depth));
    let tables = |depth| format!("settings = {}1{}", "{a=".repeat(depth), "}".repeat(depth));
    let shapes: [&dyn Fn(usize) -> String; 3] = [&dotted, &arrays, &tables];
    for (number, shape) in shapes.into_iter().enumerate() {
        let read = |depth| {
            let text = format!(
                "[plugin.a]\ncomponent = \"a.wasm\"\n{}\n{REST}",
                shape(depth)
            );
            parse("gateway.toml", &text, Path::new("nowhere"), &|_| None)
        };
        if let Err(report) = read(3) {
            panic!("shape {number}, which nothing else may be wrong with: {report}");
        }
        assert!(read(2000).is_err(), "shape {number} is accepted");
    }
}

#[test]
fn any_cut_of_a_url_does_not_panic() {
    let url = "http://[::1]:3000/ä?b#c";
    for (end, _) in url.char_indices() {
        if let Err(report) = to_single(&url[..end], ([127, 0, 0, 1], 0).into()) {
            assert!(report.to_string().contains("error: "));
        }
    }
}
