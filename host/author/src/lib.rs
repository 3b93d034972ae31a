//! `portcullis plugin`: the plugin author's toolkit, from an empty folder to a tested component. Everything runs in the
//! gateway's own runtime; nothing here is needed to serve.

mod bench;
mod build;
mod case;
mod differ;
mod inspect;
mod new;
mod play;
mod scene;
mod script;
mod stage;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as Group, Subcommand};
use portcullis_terminal::Failure;

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Begin a plugin: a crate that builds and whose tests pass.
    New(NewOptions),
    /// Build the component of a crate, adding the target wasm32-wasip2 when it is missing.
    Build(BuildOptions),
    /// Run cases in the real sandbox, within the real limits; exit code 1 when one fails.
    Test(TestOptions),
    /// Say what a component is, asks for and can do.
    Inspect(InspectOptions),
    /// Say what the calls of cases cost, by where their instances come from.
    Bench(BenchOptions),
}

#[derive(Debug, Group)]
pub struct NewOptions {
    /// What it decides.
    #[arg(long, value_enum)]
    kind: new::Kind,
    /// The folder to make; its last part is the name of the plugin.
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// Where the SDK is: a folder, or the URL of a git repository.
    #[arg(long, value_name = "PATH|GIT-URL")]
    sdk: Option<OsString>,
}

#[derive(Debug, Group)]
pub struct BuildOptions {
    /// The folder of the crate.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    path: PathBuf,
}

#[derive(Debug, Group)]
pub struct TestOptions {
    /// A component; else the crate in this folder is built.
    #[arg(value_name = "FILE.wasm")]
    component: Option<PathBuf>,
    /// The file of cases.
    #[arg(long, value_name = "FILE", default_value = "tests/cases.toml")]
    cases: PathBuf,
    /// Only cases with this in their name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

#[derive(Debug, Group)]
pub struct InspectOptions {
    /// A component.
    #[arg(value_name = "FILE.wasm")]
    component: PathBuf,
    /// Try it with what the plugins of this gateway.toml that name it give it.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Group)]
pub struct BenchOptions {
    /// A component; else the crate in this folder is built.
    #[arg(value_name = "FILE.wasm")]
    component: Option<PathBuf>,
    /// The file of cases.
    #[arg(long, value_name = "FILE", default_value = "tests/cases.toml")]
    cases: PathBuf,
    /// Only cases with this in their name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// Runs a subcommand of `plugin`.
pub fn run(command: &PluginCommand) -> Result<(), Failure> {
    match command {
        PluginCommand::New(options) => new::new(options),
        PluginCommand::Build(options) => build::build(options),
        PluginCommand::Test(options) => test::test(options),
        PluginCommand::Inspect(options) => inspect::inspect(options),
        PluginCommand::Bench(options) => bench::bench(options),
    }
}
