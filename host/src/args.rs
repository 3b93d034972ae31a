//! The command line. Data goes to stdout, everything else to stderr; exit 0 done, 1 trouble, 2 mistake.

use std::net::SocketAddr;

use clap::{Args as Group, Parser, Subcommand};
use portcullis_author::PluginCommand;

use crate::client::AdminOptions;
use crate::config_file::ConfigFile;
use crate::explain::ExplainOptions;
use crate::top::TopOptions;

/// An API gateway whose policies are WebAssembly components.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve.
    Run(RunOptions),
    /// Say whether `run` would start: every mistake of gateway.toml and of the plugins, and what each plugin may do.
    Check(ConfigFile),
    /// List the routes in the order of gateway.toml.
    Routes(ConfigFile),
    /// Say which route a request takes and why, and what each step decides and costs; nobody is asked unless --live.
    Explain(ExplainOptions),
    /// Ask the running gateway to read gateway.toml and its plugins again.
    Reload(AdminOptions),
    /// Show what each plugin costs on each route of the running gateway.
    Top(TopOptions),
    /// Write, build, test and look into plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Write the JSON Schema of gateway.toml and of its plugins' settings, for editors.
    Schema(ConfigFile),
    /// Write a completion script for a shell.
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Group)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Serve without a file: everything is forwarded to this one address, such as http://127.0.0.1:3000.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(crate) to: Option<String>,
    /// With --to: where to listen.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        requires = "to"
    )]
    pub(crate) listen: SocketAddr,
}
