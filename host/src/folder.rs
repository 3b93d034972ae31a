//! The plugin folder: which components are in it, each read only once it has settled.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_runtime::{Artifact, Compiled, Digest, LoadError, Runtime, settings_schema};

/// Compiled components by file, so that a reload compiles only what changed.
#[derive(Default)]
pub(crate) struct Folder {
    files: HashMap<PathBuf, Known>,
}

/// The newest reading of one file.
struct Known {
    stamp: Stamp,
    digest: Option<Digest>,
    compiled: Result<Compiled, LoadError>,
    /// The schema of its settings, if it carries one.
    schema: Option<Arc<str>>,
}

/// Tells whether a file may have changed. Renaming another file into place changes all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path).ok()?;
        Some(Stamp {
            modified: meta.modified().ok(),
            size: meta.len(),
            inode: meta.ino(),
        })
    }
}

impl Folder {
    /// The compiled component of a file. Compiles when the file is new or its bytes changed; takes a while then.
    pub(crate) fn compiled(
        &mut self,
        path: &Path,
        runtime: &Runtime,
    ) -> Result<Compiled, LoadError> {
        let stamp = Stamp::of(path);
        let known = self.files.get(path);
        if let (Some(stamp), Some(known)) = (stamp, known)
            && known.stamp == stamp
        {
            return known.compiled.clone();
        }
        let artifact = Artifact::read(path)?;
        // Read again: were the file replaced in between, its stamp would differ the next time.
        let schema = std::fs::read(path)
            .ok()
            .and_then(|bytes| settings_schema(&bytes))
            .map(Arc::from);
        let digest = artifact.digest();
        let compiled = match self.same_bytes(digest) {
            Some(compiled) => Ok(compiled),
            None => artifact.compile(runtime),
        };
        if let Some(stamp) = stamp {
            self.files.insert(
                path.to_owned(),
                Known {
                    stamp,
                    digest: Some(digest),
                    compiled: compiled.clone(),
                    schema,
                },
            );
        }
        compiled
    }

    /// The schema of the settings of a component that was compiled, if it carries one.
    pub(crate) fn schema(&self, path: &Path) -> Option<Arc<str>> {
        self.files.get(path)?.schema.clone()
    }

    /// A component whose bytes were compiled before, under whatever name.
    fn same_bytes(&self, digest: Digest) -> Option<Compiled> {
        let same = self
            .files
            .values()
            .find(|known| known.digest == Some(digest));
        same.and_then(|known| known.compiled.clone().ok())
    }

    /// Forgets files that no plugin uses any more, and with them their machine code.
    pub(crate) fn keep(&mut self, used: impl Fn(&Path) -> bool) {
        self.files.retain(|path, _| used(path));
    }
}
