//! Files as they ought to be dropped: a temporary name, fsync, rename.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Puts `bytes` at `path` so that no reader ever sees a part of them.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Writes `bytes` at `path` in place, in pieces, over `time`.
pub(super) fn write_slowly(path: &Path, bytes: &[u8], time: Duration) -> io::Result<()> {
    const PIECES: u32 = 16;
    let mut file = File::create(path)?;
    for piece in bytes.chunks(bytes.len() / PIECES as usize + 1) {
        file.write_all(piece)?;
        thread::sleep(time / PIECES);
    }
    file.sync_all()
}
