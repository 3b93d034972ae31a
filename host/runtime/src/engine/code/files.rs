//! The files of machine code and of the key: nobody else can read them, and nobody reads half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

const KEY_LENGTH: usize = 32;
/// Larger than the machine code of any component.
const LARGEST: u64 = 256 << 20;

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read(path)
}

/// The installation's secret, made when it is asked for the first time.
pub(super) fn secret(path: &Path) -> Result<Vec<u8>, String> {
    let problem = |error: io::Error| format!("{}: {error}", path.display());
    if !path.try_exists().map_err(problem)? {
        make_secret(path).map_err(problem)?;
    }
    let mode = path.metadata().map_err(problem)?.permissions().mode();
    if mode & 0o077 != 0 {
        let shown = path.display();
        return Err(format!("others may read {shown}: `chmod 600 {shown}`"));
    }
    let secret = read(path).map_err(problem)?;
    if secret.len() != KEY_LENGTH {
        let shown = path.display();
        return Err(format!(
            "{shown} is no key of {KEY_LENGTH} bytes; remove it, and another one is made"
        ));
    }
    Ok(secret)
}

/// Of two gateways that make it at the same time one wins, and both read the same.
pub(super) fn make_secret(path: &Path) -> io::Result<()> {
    let mut secret = [0; KEY_LENGTH];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let temporary = temporary(path);
    let mut file = create(&temporary)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    let linked = match fs::hard_link(&temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    fs::remove_file(&temporary)?;
    linked
}

pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// A name that nothing else has, now or after a crash.
pub(super) fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = now.map_or(0, |now| now.as_nanos());
    path.with_extension(format!("{process}-{count}-{nanos}.new"))
}
