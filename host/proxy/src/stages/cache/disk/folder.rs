//! The folder of the disk tier: private, locked, and with nothing in it that is half written.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Files of responses by number, in 256 folders.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// For as long as this gateway uses it.
    _lock: File,
}

/// Why a folder is not used.
#[derive(Debug)]
pub enum FolderError {
    /// Others may enter it: what is stored for one caller is there in clear text. A mistake of the configuration.
    Exposed(String),
    /// It cannot be made, written to or locked, at this time.
    Unusable(String),
}

const FOLDERS: u64 = 256;
/// Of a file that is being written.
const UNFINISHED: &str = "part";

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (FolderError::Exposed(why) | FolderError::Unusable(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for FolderError {}

/// Makes the folder where it is missing, and sees to it that it belongs to this user alone.
pub fn private_folder(path: &Path) -> Result<(), FolderError> {
    let shown = path.display();
    let unusable = |error: io::Error| {
        FolderError::Unusable(format!("cannot keep responses in {shown}: {error}"))
    };
    make(path, true).map_err(unusable)?;
    let meta = path.metadata().map_err(unusable)?;
    let exposed = |why: &str| {
        FolderError::Exposed(format!(
            "cannot keep responses in {shown}: {why}. What is stored for one caller is there to be read: \
             `chmod 700 {shown}`, or name a folder of the gateway's own"
        ))
    };
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(exposed("it belongs to another user"));
    }
    match meta.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(exposed("others may enter it")),
    }
}

fn make(path: &Path, recursive: bool) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(recursive).mode(0o700).create(path)
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Folder, FolderError> {
        private_folder(path)?;
        let unusable = |why: String| {
            FolderError::Unusable(format!(
                "cannot keep responses in {}: {why}",
                path.display()
            ))
        };
        let lock = ours().open(path.join("lock"));
        let lock = lock.map_err(|error| unusable(error.to_string()))?;
        lock.try_lock()
            .map_err(|_| unusable("another gateway uses it".to_owned()))?;
        let folder = Folder {
            root: path.to_owned(),
            _lock: lock,
        };
        for number in 0..FOLDERS {
            let made = make(folder.parent(number).as_path(), true);
            made.map_err(|error| unusable(error.to_string()))?;
        }
        Ok(folder)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn parent(&self, number: u64) -> PathBuf {
        self.root.join(format!("{:02x}", number % FOLDERS))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.parent(number).join(format!("{number:016x}"))
    }

    pub(super) fn read(&self, number: u64) -> io::Result<File> {
        File::open(self.path(number))
    }

    /// The file is there whole or not at all. Not synced: what a power cut leaves of it fails its checksum.
    pub(super) fn write(&self, number: u64, parts: [&[u8]; 2]) -> io::Result<()> {
        let path = self.path(number);
        let unfinished = path.with_extension(UNFINISHED);
        let done = write(&unfinished, parts).and_then(|()| std::fs::rename(&unfinished, &path));
        if done.is_err() {
            // It may not be there; what is left of it is taken away at the next start.
            let _ = std::fs::remove_file(&unfinished);
        }
        done
    }

    /// Whether it was there.
    pub(super) fn remove(&self, number: u64) -> io::Result<bool> {
        match std::fs::remove_file(self.path(number)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every file, oldest first. What was never finished is taken away; what is not ours is left alone.
    pub(super) fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for folder in 0..FOLDERS {
            for entry in std::fs::read_dir(self.parent(folder))? {
                let path = entry?.path();
                let name = path.file_stem().and_then(|name| name.to_str());
                let number = name.and_then(|name| u64::from_str_radix(name, 16).ok());
                let Some(number) = number.filter(|number| number % FOLDERS == folder) else {
                    continue;
                };
                if path == self.path(number) {
                    numbers.push(number);
                } else if path == self.path(number).with_extension(UNFINISHED) {
                    std::fs::remove_file(&path)?;
                }
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// Opens and makes files that only this user may read.
pub(super) fn ours() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options
}

fn write(path: &Path, parts: [&[u8]; 2]) -> io::Result<()> {
    let mut options = ours();
    options.truncate(true);
    let mut file = match options.open(path) {
        // Somebody tidied up.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(path.parent().unwrap_or(path), false)?;
            options.open(path)?
        }
        opened => opened?,
    };
    parts.iter().try_for_each(|part| file.write_all(part))
}
