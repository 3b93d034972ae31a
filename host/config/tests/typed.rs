//! Settings against schemas: `typed/NAME.toml`, the schemas `typed/COMPONENT.schema.json` that its plugins carry, and
//! the exact text people read, `typed/NAME.err`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_config::{Diagnostic, Plan, Report, parse};

const SECRET: &str = "hunter2";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/typed")
}

fn plan(name: &str, text: &str) -> Plan {
    let env = |variable: &str| (variable == "SECRET").then(|| SECRET.to_owned());
    parse(name, text, &folder(), &env).unwrap()
}

fn checked(plan: &Plan) -> Vec<Diagnostic> {
    let of_plugin = |plugin| {
        let plugin: &portcullis_config::PluginPlan = plugin;
        let file = plugin.component.replace(".wasm", ".schema.json");
        plan.check_settings(plugin, &fs::read_to_string(folder().join(file)).unwrap())
    };
    plan.plugin.values().flat_map(of_plugin).collect()
}

#[test]
fn every_mistake_reads_as_written_down() {
    let mut stale = Vec::new();
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|found| found == "toml"));
    assert!(!files.is_empty());
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let plan = plan(name, &fs::read_to_string(&path).unwrap());
        let found = checked(&plan);
        assert!(!found.is_empty(), "{name} has no mistake");
        let seen = format!("{}\n", Report::new(plan.source.clone(), found));
        assert!(!seen.contains(SECRET), "{name} shows a secret");
        let wanted = path.with_extension("err");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&wanted, &seen).unwrap();
        }
        let want = fs::read_to_string(&wanted).unwrap_or_default();
        if want != seen {
            stale.push(format!("--- {name}, wanted:\n{want}--- seen:\n{seen}"));
        }
    }
    let stale = stale.join("\n");
    assert!(
        stale.is_empty(),
        "{stale}\nUPDATE=1 cargo test writes what is seen"
    );
}

fn with_settings(component: &str, settings: &str) -> Plan {
    let text = format!(
        "[plugin.p]\ncomponent = \"{component}.wasm\"\nsettings = {settings}\n[upstream.u]\nservers = \
         [\"127.0.0.1:1\"]\n[[route]]\nname = \"r\"\npath = \"/\"\npublic = true\nupstream = \"u\"\n"
    );
    plan("p", &text)
}

#[test]
fn good_settings_have_no_mistake() {
    for settings in [
        "{ bots = [{ token = \"t\" }] }",
        "{ bots = [{ token = { env = \"SECRET\" }, kind = \"live\" }], admin_ids = { env = \"SECRET\" } }",
        "{ bots = [{ token = \"t\" }], store = { kind = \"memory\", size = 1 }, mode = \"pass\", ratio = 1 }",
        "{ bots = [{ token = \"t\" }], roles = { a = [\"b\"] }, max_age = \"1h\", retries = 5 }",
    ] {
        assert_eq!(checked(&with_settings("shop", settings)), [], "{settings}");
    }
    assert_eq!(checked(&with_settings("nothing", "{}")), []);
}

#[test]
fn a_schema_that_goes_in_circles_ends() {
    checked(&with_settings("circle", "{ a = 1 }"));
}

#[test]
fn the_settings_of_the_demo_are_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("gateway.toml")).unwrap();
    let plan = plan("gateway.toml", &text);
    for plugin in plan.plugin.values() {
        let package = plugin.component.replace(".wasm", "").replace('_', "-");
        let path = root
            .join("plugins")
            .join(package)
            .join("settings.schema.json");
        let schema = fs::read_to_string(&path).unwrap();
        let found = plan.check_settings(plugin, &schema);
        let report = Report::new(plan.source.clone(), found.clone());
        assert!(found.is_empty(), "{report}");
    }
}
