//! The plugin folder: which components are in it, each read only once it has settled.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_runtime::{Artifact, Compiled, Digest, LoadError, Runtime, settings_schema};
use portcullis_terminal::Progress;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::version::Version;

/// Compiled components by file, so that a reload compiles only what changed.
#[derive(Default)]
pub(crate) struct Folder {
    files: HashMap<PathBuf, Known>,
}

/// The newest reading of one file.
struct Known {
    /// None: it could not be read.
    stamp: Option<Stamp>,
    digest: Option<Digest>,
    compiled: MachineCode,
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

/// A file that is new or may have changed.
struct Fresh {
    path: PathBuf,
    /// As it was before it was read: were it replaced in between, its stamp would differ the next time.
    stamp: Option<Stamp>,
    read: Result<(Artifact, Option<Arc<str>>), LoadError>,
}

/// Of one component, or why there is none.
type MachineCode = Result<Compiled, LoadError>;

/// Compiles components at the same time, as many as there are cores.
struct Compiler<'r> {
    runtime: &'r Runtime,
    cores: Arc<Semaphore>,
    /// None: the compiler panicked.
    tasks: JoinSet<Option<(Digest, MachineCode)>>,
    machine_code: HashMap<Digest, MachineCode>,
}

// === impl Folder ===

impl Folder {
    /// Reads and compiles those of the files that are new or changed, on all cores and off the request threads.
    /// Files of the same bytes are compiled once.
    pub(crate) async fn look(
        &mut self,
        files: BTreeSet<PathBuf>,
        runtime: &Runtime,
        progress: &Progress,
    ) {
        let changed = files.into_iter().filter(|path| {
            let known = self.files.get(path);
            known.is_none_or(|known| known.stamp.is_none() || known.stamp != Stamp::of(path))
        });
        let reading: Vec<_> = changed
            .map(|path| tokio::task::spawn_blocking(|| Fresh::read(path)))
            .collect();
        let (mut fresh, mut compiler) = (Vec::new(), Compiler::new(runtime));
        for read in reading {
            // A panic of the reader would be a bug; the file then counts as unread and is looked at again.
            let Ok(Fresh { path, stamp, read }) = read.await else {
                continue;
            };
            match read {
                Ok((artifact, schema)) => {
                    let digest = artifact.digest();
                    fresh.push((path, stamp, digest, schema));
                    compiler.add(artifact, || self.same_bytes(digest));
                }
                Err(error) => {
                    self.files.insert(path, Known::unreadable(error));
                }
            }
        }
        let machine_code = compiler.finish(progress).await;
        for (path, stamp, digest, schema) in fresh {
            let known = Known {
                stamp,
                digest: Some(digest),
                compiled: machine_code[&digest].clone(),
                schema,
            };
            self.files.insert(path, known);
        }
    }

    /// The version in a file that was looked at.
    pub(crate) fn version(&self, path: &Path) -> Result<Version, LoadError> {
        match self.files.get(path) {
            Some(known) => Ok(Version {
                compiled: known.compiled.clone()?,
                schema: known.schema.clone(),
            }),
            None => Err(LoadError::Compile("it was not looked at".into())),
        }
    }

    /// What a file holds, whether it compiles or not, and its size.
    pub(crate) fn holds(&self, path: &Path) -> Option<(Digest, u64)> {
        let known = self.files.get(path)?;
        Some((known.digest?, known.stamp?.size))
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

// === impl Known ===

impl Known {
    /// Looked at again the next time.
    fn unreadable(error: LoadError) -> Known {
        Known {
            stamp: None,
            digest: None,
            compiled: Err(error),
            schema: None,
        }
    }
}

// === impl Fresh ===

impl Fresh {
    fn read(path: PathBuf) -> Fresh {
        let stamp = Stamp::of(&path);
        let read = Artifact::read(&path).map(|artifact| {
            let schema = settings_schema(artifact.bytes()).map(Arc::from);
            (artifact, schema)
        });
        Fresh { path, stamp, read }
    }
}

// === impl Compiler ===

impl<'r> Compiler<'r> {
    fn new(runtime: &'r Runtime) -> Compiler<'r> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Compiler {
            runtime,
            cores: Arc::new(Semaphore::new(cores)),
            tasks: JoinSet::new(),
            machine_code: HashMap::new(),
        }
    }

    /// Begins with a component, unless these bytes are being compiled already, or were compiled `before`.
    fn add(&mut self, artifact: Artifact, before: impl FnOnce() -> Option<Compiled>) {
        let digest = artifact.digest();
        if self.machine_code.contains_key(&digest) {
            return;
        }
        if let Some(compiled) = before() {
            self.machine_code.insert(digest, Ok(compiled));
            return;
        }
        // Replaced once it is compiled: stays only if the compiler panicked.
        let unfinished = LoadError::Compile("the compiler failed".into());
        self.machine_code.insert(digest, Err(unfinished));
        let (runtime, cores) = (self.runtime.clone(), self.cores.clone());
        self.tasks.spawn(async move {
            let _core = cores.acquire_owned().await;
            let compiled = tokio::task::spawn_blocking(move || artifact.compile(&runtime));
            Some((digest, compiled.await.ok()?))
        });
    }

    /// The machine code of all, by the digest of the component.
    async fn finish(mut self, progress: &Progress) -> HashMap<Digest, MachineCode> {
        progress.begin("compiling plugins", self.tasks.len());
        while let Some(done) = self.tasks.join_next().await {
            progress.one_more();
            if let Ok(Some((digest, compiled))) = done {
                self.machine_code.insert(digest, compiled);
            }
        }
        self.machine_code
    }
}
