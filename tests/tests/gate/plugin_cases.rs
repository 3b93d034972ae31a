//! The cases that shipped plugins bring along pass with `portcullis plugin test`.

use std::fs;
use std::path::Path;
use std::process::Command;

use portcullis_tests::gateway::{binary, guest_path, repository};

#[test]
fn the_cases_of_every_shipped_plugin_pass() {
    let plugins = repository().join("plugins");
    let (mut ran, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(&plugins).expect("the plugins") {
        let folder = entry.expect("it can be read").path();
        let cases = folder.join("tests/cases.toml");
        if !cases.exists() {
            continue;
        }
        let name = folder.file_name().expect("a folder has a name");
        ran += 1;
        if let Err(said) = pass(&name.to_string_lossy(), &cases) {
            wrong.push(said);
        }
    }
    assert!(ran >= 3, "only {ran} plugins have cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn pass(plugin: &str, cases: &Path) -> Result<(), String> {
    let component = guest_path(&format!("{}.wasm", plugin.replace('-', "_")));
    let mut command = Command::new(binary());
    command
        .args(["plugin", "test"])
        .arg(component)
        .arg("--cases")
        .arg(cases);
    let output = command.output().expect("the binary runs");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = fs::read_to_string(cases).expect("it is there");
    let count = text.lines().filter(|line| *line == "[[case]]").count();
    // `3 cases: 3 ok, 0 failed`
    let all = format!(": {count} ok, 0 failed");
    if output.status.success() && count > 0 && said.contains(&all) {
        Ok(())
    } else {
        Err(format!("{}, {}\n{said}", cases.display(), output.status))
    }
}
