//! The author's path: the real binary, in folders outside of this workspace, from nothing to a tested component.
//!
//! The crates of a plugin are those of the workspace's own lock file, so that a warm registry is enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use portcullis_tests::gateway::{binary, repository};
use serde_json::Value;
use tempfile::TempDir;

/// One for all tests and runs: the SDK is built once.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/author");

/// A plugin that `plugin new` made.
struct Crate {
    folder: PathBuf,
    /// Of one test alone: cargo tells crates in one target directory apart by name, not by folder.
    name: String,
    _parent: TempDir,
}

impl Crate {
    fn new(kind: &str, test: &str) -> Crate {
        let parent = TempDir::new().expect("a temporary folder");
        let name = format!("{kind}-{test}");
        let made = portcullis(parent.path(), &["plugin", "new", "--kind", kind, &name]);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
        assert!(
            said(&made).contains("portcullis plugin test"),
            "{}",
            said(&made)
        );
        let folder = parent.path().join(&name);
        fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock"))
            .expect("the lock file");
        Crate {
            folder,
            name,
            _parent: parent,
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        portcullis(&self.folder, args)
    }

    /// Builds; the component.
    fn build(&self) -> String {
        let built = self.run(&["plugin", "build"]);
        assert_eq!(built.status.code(), Some(0), "{}", said(&built));
        let line = String::from_utf8_lossy(&built.stdout).into_owned();
        let (path, size) = line.trim_end().rsplit_once(" (").expect("path and size");
        assert!(
            path.ends_with(&format!("{}.wasm", self.name.replace('-', "_")))
                && size.ends_with("KiB)"),
            "{line}"
        );
        path.to_owned()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).expect(file)
    }

    /// Runs the cases after a change to them.
    fn test_with(&self, component: &str, from: &str, to: &str) -> Output {
        let cases = self.read("tests/cases.toml");
        assert!(cases.contains(from), "the cases no longer say {from:?}");
        fs::write(
            self.folder.join("tests/changed.toml"),
            cases.replacen(from, to, 1),
        )
        .expect("written");
        self.run(&["plugin", "test", component, "--cases", "tests/changed.toml"])
    }
}

fn portcullis(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command
        .args(args)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", TARGET)
        .env("CARGO_NET_OFFLINE", "true");
    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Exit code and what must be said.
fn assert_says(output: &Output, code: i32, parts: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
}

#[test]
fn a_new_filter_builds_passes_its_cases_and_can_be_looked_into() {
    let plugin = Crate::new("filter", "looked-into");
    let schema = plugin.read("settings.schema.json");
    let component = plugin.build();
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let now = plugin.read("settings.schema.json");
    assert_eq!(
        json(&schema),
        json(&now),
        "the template's schema is what the settings say"
    );

    // Without a file it is built anew, and nothing has changed.
    assert_says(
        &plugin.run(&["plugin", "test"]),
        0,
        &["4 cases: 4 ok, 0 failed", "host calls"],
    );
    let one = plugin.run(&["plugin", "test", &component, "--filter", "client does not"]);
    assert_says(&one, 0, &["1 case: 1 ok"]);

    let inspected = plugin.run(&["plugin", "inspect", &component, "--json"]);
    assert_says(&inspected, 0, &[]);
    let page = json(&String::from_utf8_lossy(&inspected.stdout));
    assert_eq!(page["kind"], "filter");
    assert_eq!(page["contract"], "portcullis:plugin@0.1.1");
    assert_eq!(
        page["settings_schema"]["properties"]["header"]["type"],
        "string"
    );
    let imports = page["imports"].as_array().expect("imports");
    assert!(
        imports
            .iter()
            .all(|import| import["refused"] == false && import["lets"] != ""),
        "{page:#}"
    );
    assert_says(
        &plugin.run(&["plugin", "inspect", &component]),
        0,
        &["has no `header`"],
    );
}

#[test]
fn a_case_that_expects_something_else_fails_and_says_what_differs() {
    let plugin = Crate::new("filter", "differs");
    let component = plugin.build();
    let cases = [
        (
            "x-user = \"42\" }",
            "x-user = \"43\" }",
            ["- header x-user: 43", "+ header x-user: 42"],
        ),
        (
            "decision = \"next\"",
            "decision = \"respond\"",
            ["- decision: respond", "+ decision: next"],
        ),
        (
            "absent = [\"x-user\"]",
            "absent = [\"host\"], target = \"/\"",
            ["- target: /", "+ target: /orders"],
        ),
        (
            "absent = [\"server\"]",
            "absent = [\"x-kept\"]",
            ["- header x-kept: nothing", "+ header x-kept: yes"],
        ),
        (
            "status = 200, absent",
            "status = 201, absent",
            ["- status: 201", "+ status: 200"],
        ),
        (
            "denied a change: invalid",
            "out of time",
            ["- because: …out of time…", "a change: invalid"],
        ),
        (
            "decision = \"fail\", status = 500",
            "decision = \"next\"",
            ["- decision: next", "+ decision: fail: the plugin reported"],
        ),
    ];
    for (from, to, parts) in cases {
        let output = plugin.test_with(&component, from, to);
        assert_says(
            &output,
            1,
            &["FAILED", "tests/changed.toml:", "3 ok, 1 failed"],
        );
        assert_says(&output, 1, &parts);
    }
}

#[test]
fn calls_of_upstreams_are_those_of_the_case_and_no_others() {
    let plugin = Crate::new("handler", "calls");
    let component = plugin.build();
    let first = "expect = { upstream = \"users\", path = \"/users/7\" }";
    let output = plugin.test_with(
        &component,
        first,
        "expect = { upstream = \"users\", path = \"/users/6\" }",
    );
    let parts = [
        "- upstream call: none but those of the case",
        "+ upstream call: GET /users/7 of users",
        "- upstream call: GET /users/6 of users",
    ];
    assert_says(&output, 1, &parts);
    // Slower than the plugin may be: its limits are those of gateway.toml.
    let late = "answer = { delay = \"1s\", json = { name = \"Ada\" } }";
    let output = plugin.test_with(
        &component,
        "answer = { json = { name = \"Ada\", born = 1815 } }",
        late,
    );
    assert_says(
        &output,
        1,
        &["+ decision: refuse unavailable", "did not answer in time"],
    );
    let output = plugin.test_with(&component, "text = \"Good day, Ada!\"", "text = \"Hi\"");
    assert_says(
        &output,
        1,
        &["- json.text: \"Hi\"", "+ json.text: \"Good day, Ada!\""],
    );
    // Without the grant it does not load.
    let output = plugin.test_with(
        &component,
        "[grants]",
        "[limits]\ntime = \"40ms\"\n[grants]\nlog = \"1KiB\"\n#",
    );
    assert_says(&output, 0, &[]);
    let output = plugin.test_with(&component, "upstreams = [{", "#");
    assert_says(&output, 2, &["which it is not granted", "upstreams = ["]);
}

#[test]
fn what_is_no_case_is_a_mistake_with_its_place() {
    let plugin = Crate::new("filter", "mistakes");
    let component = plugin.build();
    let cases = [
        (
            "expect  =",
            "expects =",
            ["unknown field `expects`", "changed.toml"],
        ),
        (
            "path = \"/orders\"",
            "path = \"orders\"",
            ["request.path: ", "changed.toml:"],
        ),
        ("hide   =", "hyde   =", ["hyde", "hide"]),
        (
            "[settings]",
            "[limits]\ntime = \"soon\"\n[settings]",
            ["as gateway.toml", "time"],
        ),
    ];
    for (from, to, parts) in cases {
        let output = plugin.test_with(&component, from, to);
        // Settings that the schema refuses are what a case may expect, hence no mistake of the file.
        let code = if from.starts_with("hide") { 1 } else { 2 };
        assert_says(&output, code, &parts);
    }
    let output = plugin.run(&["plugin", "test", &component, "--filter", "nobody"]);
    assert_says(&output, 2, &["has no such case"]);
}

#[test]
fn new_overwrites_nothing_and_takes_only_names_that_serve() {
    let folder = TempDir::new().expect("a temporary folder");
    fs::create_dir(folder.path().join("there")).expect("made");
    for (name, part) in [
        ("there", "is there already"),
        ("My-Plugin", "begin with a letter a-z"),
        ("a.b", "may hold a-z"),
        ("match", "means something to Rust"),
    ] {
        let output = portcullis(folder.path(), &["plugin", "new", "--kind", "filter", name]);
        assert_says(&output, 2, &[part, " hint: "]);
    }
    let elsewhere = ["plugin", "new", "--kind", "filter", "a", "--sdk", "there"];
    assert_says(
        &portcullis(folder.path(), &elsewhere),
        2,
        &["is not the SDK"],
    );
    let git = [
        "plugin",
        "new",
        "--kind",
        "filter",
        "a",
        "--sdk",
        "https://host/portcullis.git",
    ];
    assert_says(&portcullis(folder.path(), &git), 0, &[]);
    let manifest = fs::read_to_string(folder.path().join("a/Cargo.toml")).expect("written");
    assert!(
        manifest.contains("portcullis-sdk = { git = \"https://host/portcullis.git\" }"),
        "{manifest}"
    );
}

#[test]
fn the_cost_of_a_call_is_measured_for_each_way_to_an_instance() {
    let plugin = Crate::new("filter", "bench");
    let component = plugin.build();
    let output = plugin.run(&["plugin", "bench", &component, "--filter", "who was asking"]);
    assert_says(
        &output,
        0,
        &[
            "kept",
            "fresh, configured anew",
            "× fresh",
            "the service learns who was asking",
            "µs",
        ],
    );
}

#[test]
#[ignore = "builds all kinds, natively too"]
fn every_kind_begins_with_tests_that_pass_and_code_that_is_formatted() {
    for kind in ["authenticator", "authorizer", "filter", "handler"] {
        let plugin = Crate::new(kind, "full");
        assert_says(&plugin.run(&["plugin", "test"]), 0, &[" 0 failed"]);
        for args in [&["test"][..], &["fmt", "--check"]] {
            let mut cargo = Command::new("cargo");
            cargo
                .args(args)
                .current_dir(&plugin.folder)
                .env("CARGO_TARGET_DIR", TARGET);
            let output = cargo
                .env("CARGO_NET_OFFLINE", "true")
                .output()
                .expect("cargo runs");
            assert_says(&output, 0, &[]);
        }
    }
}

#[test]
#[ignore = "builds a plugin for each example"]
fn the_examples_of_the_guide_pass_their_cases() {
    let guide = fs::read_to_string(repository().join("sdk/GUIDE.md")).expect("the guide");
    let plugin = Crate::new("handler", "guide");
    let mut examples = 0;
    for rest in guide.split("```rust\n").skip(1) {
        let (code, rest) = rest.split_once("```").expect("a block ends");
        let (_, rest) = rest.split_once("```toml\n").expect("cases follow");
        let (cases, _) = rest.split_once("```").expect("a block ends");
        fs::write(plugin.folder.join("src/lib.rs"), code).expect("written");
        fs::write(plugin.folder.join("tests/cases.toml"), cases).expect("written");
        assert_says(&plugin.run(&["plugin", "test"]), 0, &[" 0 failed"]);
        examples += 1;
    }
    assert_eq!(examples, 5);
}
