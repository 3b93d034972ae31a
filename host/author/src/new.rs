//! `plugin new`: a crate of one kind from the templates of this crate.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::Path;

use portcullis_terminal::Failure;

use crate::NewOptions;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Says who is asking.
    Authenticator,
    /// Says whether they may.
    Authorizer,
    /// Changes the request and the response.
    Filter,
    /// Answers in the upstream's place.
    Handler,
}

/// What a crate of one kind is made from.
struct Template {
    what: &'static str,
    code: &'static str,
    cases: &'static str,
    gateway: &'static str,
    schema: &'static str,
}

/// Where the SDK comes from, as Cargo.toml says it.
struct Sdk(String);

const MANIFEST: &str = include_str!("../templates/manifest.toml");
const README: &str = include_str!("../templates/readme.md");

/// The SDK of the repository that this binary was built from.
const OWN_SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk");

/// As gateway.toml names plugins.
const LONGEST_NAME: usize = 64;

/// Rust's keywords, and what cargo keeps for itself or the crate depends on.
const TAKEN: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override portcullis-sdk \
    portcullis_sdk priv proc-macro proc_macro pub ref return self serde static std struct super test \
    trait true try type typeof unsafe unsized use virtual where while yield";

/// Makes the crate and says what to type next. Nothing that exists is overwritten.
pub(super) fn new(options: &NewOptions) -> Result<(), Failure> {
    let folder = &options.folder;
    let name = checked_name(
        folder
            .file_name()
            .and_then(OsStr::to_str)
            .unwrap_or_default(),
    )?;
    let sdk = match &options.sdk {
        Some(given) => Sdk::given(given)?,
        None => Sdk::own()?,
    };
    if folder.exists() {
        return Err(Failure::Mistake(format!(
            "error: {} is there already, and nothing is overwritten\n hint: choose another name, or remove it first",
            folder.display()
        )));
    }
    write(folder, name, options.kind, &sdk).map_err(|error| {
        Failure::Trouble(format!("{} cannot be made: {error}", folder.display()))
    })?;
    println!("{} is a new {}. Next:\n", folder.display(), options.kind);
    println!("  cd {}", folder.display());
    println!(
        "  portcullis plugin test      # builds it, and runs tests/cases.toml in the real sandbox"
    );
    println!("  cargo test                  # its logic, natively");
    println!("  portcullis plugin build     # the component, to be dropped into the plugin folder");
    println!("\nThe policy is in src/lib.rs; README.md has the lines for gateway.toml.");
    Ok(())
}

fn write(folder: &Path, name: &str, kind: Kind, sdk: &Sdk) -> std::io::Result<()> {
    let template = kind.template();
    let file = format!("{}.wasm", name.replace('-', "_"));
    let fill = |text: &str| {
        text.replace("{{gateway}}", template.gateway.trim_end())
            .replace("{{What}}", template.what)
            .replace("{{name}}", name)
            .replace("{{file}}", &file)
            .replace("{{sdk}}", &sdk.0)
    };
    fs::create_dir_all(folder.parent().unwrap_or(Path::new("")))?;
    // Not `create_dir_all`: another process may have made it meanwhile.
    fs::create_dir(folder)?;
    fs::create_dir(folder.join("src"))?;
    fs::create_dir(folder.join("tests"))?;
    fs::write(folder.join("Cargo.toml"), fill(MANIFEST))?;
    fs::write(folder.join("README.md"), fill(README))?;
    fs::write(folder.join(".gitignore"), "/target\n")?;
    fs::write(folder.join("src/lib.rs"), template.code)?;
    fs::write(folder.join("settings.schema.json"), template.schema)?;
    fs::write(folder.join("tests/cases.toml"), template.cases)
}

/// A name that cargo and gateway.toml both take.
fn checked_name(name: &str) -> Result<&str, Failure> {
    let fault = if name.is_empty() || name.len() > LONGEST_NAME {
        "it must have 1 to 64 characters"
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "it must begin with a letter a-z"
    } else if !name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
    {
        "it may hold a-z, 0-9, - and _"
    } else if TAKEN.split_whitespace().any(|taken| taken == name) {
        "it means something to Rust or cargo"
    } else {
        return Ok(name);
    };
    Err(Failure::Mistake(format!(
        "error: a plugin cannot be named `{name}`: {fault}\n hint: my-plugin is a name"
    )))
}

// === impl Sdk ===

impl Sdk {
    fn own() -> Result<Sdk, Failure> {
        Sdk::folder(Path::new(OWN_SDK)).map_err(|_| {
            Failure::Mistake(
                "error: the SDK is not where this binary was built\n hint: say where it is: \
                 --sdk path/to/portcullis/sdk, or --sdk https://host/owner/portcullis.git"
                    .to_owned(),
            )
        })
    }

    fn given(given: &OsStr) -> Result<Sdk, Failure> {
        match given.to_str() {
            Some(url) if is_url(url) => Ok(Sdk(format!("git = {}", quoted(url)))),
            _ => Sdk::folder(Path::new(given)),
        }
    }

    fn folder(folder: &Path) -> Result<Sdk, Failure> {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        let absolute = folder.canonicalize().ok();
        let path = absolute.as_deref().and_then(Path::to_str);
        match path.filter(|_| manifest.contains("name = \"portcullis-sdk\"")) {
            Some(path) => Ok(Sdk(format!("path = {}", quoted(path)))),
            None => Err(Failure::Mistake(format!(
                "error: {} is not the SDK: it has no Cargo.toml of portcullis-sdk\n hint: the SDK is the folder \
                 `sdk` of Portcullis's repository; a git repository is given by its URL, https://… or git@…",
                folder.display()
            ))),
        }
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@")
}

/// As a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

// === impl Kind ===

macro_rules! template {
    ($what:literal, $kind:literal) => {
        Template {
            what: $what,
            code: include_str!(concat!("../templates/", $kind, ".rs")),
            cases: include_str!(concat!("../templates/", $kind, ".cases.toml")),
            gateway: include_str!(concat!("../templates/", $kind, ".gateway.toml")),
            schema: include_str!(concat!("../templates/", $kind, ".schema.json")),
        }
    };
}

impl Kind {
    fn template(self) -> Template {
        match self {
            Kind::Authenticator => template!(
                "An authenticator: callers known by a key in a header",
                "authenticator"
            ),
            Kind::Authorizer => template!(
                "An authorizer: callers with one of some roles may",
                "authorizer"
            ),
            Kind::Filter => template!("A filter: tells the service who was asking", "filter"),
            Kind::Handler => template!(
                "A handler: greets a user whom it asks an upstream about",
                "handler"
            ),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Authenticator => "authenticator",
            Kind::Authorizer => "authorizer",
            Kind::Filter => "filter",
            Kind::Handler => "handler",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_cargo_and_gateway_toml_take() {
        for good in ["a", "my-plugin", "my_plugin2"] {
            assert!(checked_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "2a",
            "-a",
            "My",
            "a b",
            "ä",
            "fn",
            "test",
            "serde",
            "a.b",
            &"a".repeat(65),
        ] {
            assert!(checked_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_told_from_a_folder() {
        assert!(is_url("https://host/portcullis.git") && is_url("git@host:portcullis.git"));
        assert!(!is_url("../portcullis/sdk") && !is_url("/srv/portcullis.git/sdk"));
    }
}
