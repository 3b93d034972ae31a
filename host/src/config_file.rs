//! Which configuration file a command reads, and the reading of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as Group;
use portcullis_config::plan::Plan;
use portcullis_terminal::Failure;

#[derive(Debug, Group)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Where a file is looked for when none is named.
const PLACES: [&str; 2] = ["gateway.toml", "/etc/portcullis/gateway.toml"];

impl ConfigFile {
    /// The file to read; the mistake says where was looked and how to begin.
    pub(crate) fn find(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.config {
            return Ok(path.clone());
        }
        let found = PLACES.iter().map(Path::new).find(|path| path.is_file());
        found.map(Path::to_path_buf).ok_or_else(|| {
            Failure::Mistake(format!(
                "error: there is no configuration: looked for {}\n hint: name one with --config FILE, \
                 or try without: portcullis run --to http://127.0.0.1:3000",
                PLACES.join(" and ")
            ))
        })
    }
}

/// The plan in a file; every mistake of the file at once.
pub(crate) fn read(path: &Path) -> Result<Arc<Plan>, Failure> {
    portcullis_config::read(path)
        .map(Arc::new)
        .map_err(Failure::mistake)
}
