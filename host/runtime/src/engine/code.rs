//! Machine code that is kept on disk between starts. It is run as it is, so nothing is read that this installation did
//! not write: each file begins with a MAC under a key of the installation, over the code, what it was compiled from and
//! what compiled it. Whatever is wrong with a file, the component is compiled again, and that is counted.

mod files;

use std::fs::{self, File};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use portcullis_crypto::{Hash, HmacKey};
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::digest::Digest;
use crate::engine::code::files::{create, read, secret, temporary};

/// The machine code of components: kept, or made when it is asked for.
pub(crate) struct CodeCache {
    engine: wasmtime::Engine,
    folder: Option<CodeFolder>,
    counts: [AtomicU64; CodeSource::ALL.len()],
}

/// Where machine code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeSource {
    /// It was kept.
    Kept,
    /// Compiled: nothing was kept.
    Compiled,
    /// Compiled: another version of the gateway, or other options, made what was kept.
    OtherVersion,
    /// Compiled: what was kept was damaged, or this installation did not write it.
    Rejected,
}

/// What was compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The component as it was read.
    Plain,
    /// With the exports that a snapshot is read through.
    Instrumented,
}

/// A directory that no other user may enter, with a key that no other user may read.
struct CodeFolder {
    path: PathBuf,
    key: HmacKey,
    maker: [u8; 32],
}

/// Begins what the MAC is over.
const MAGIC: [u8; 8] = *b"ptclcod1";
const MAC: usize = 32;
/// After the MAC: the magic, the form, the component's digest, what compiled it.
const HEADER: usize = MAGIC.len() + 1 + 32 + 32;

/// The file of the key.
const KEY: &str = "key";
/// How the files of machine code end.
const SUFFIX: &str = ".code";

/// All that is kept, in bytes; what was not used for longest goes.
const LARGEST_SUM: u64 = 1 << 30;

// === impl CodeSource ===

impl CodeSource {
    pub const ALL: [(CodeSource, &'static str); 4] = [
        (CodeSource::Kept, "kept"),
        (CodeSource::Compiled, "compiled"),
        (CodeSource::OtherVersion, "other_version"),
        (CodeSource::Rejected, "rejected"),
    ];
}

// === impl CodeCache ===

impl CodeCache {
    /// Without a folder nothing is kept.
    pub(crate) fn open(
        engine: &wasmtime::Engine,
        folder: Option<&Path>,
    ) -> Result<CodeCache, String> {
        let open = |path: &Path| {
            CodeFolder::open(path, maker(engine)).map_err(|problem| {
                format!("cannot keep machine code in {}: {problem}", path.display())
            })
        };
        Ok(CodeCache {
            engine: engine.clone(),
            folder: folder.map(open).transpose()?,
            counts: Default::default(),
        })
    }

    /// How often machine code came from each source.
    pub(crate) fn counts(&self) -> [(CodeSource, u64); CodeSource::ALL.len()] {
        CodeSource::ALL.map(|(source, _)| {
            let count = self.counts[source as usize].load(Ordering::Relaxed);
            (source, count)
        })
    }

    /// The machine code of a component: as it was kept, or compiled now and kept for the next start.
    pub(crate) fn component<E>(
        &self,
        form: Form,
        digest: Digest,
        compile: impl FnOnce() -> Result<Component, E>,
    ) -> Result<Component, E> {
        let found = match &self.folder {
            Some(folder) => folder.find(&self.engine, form, digest),
            None => Err(CodeSource::Compiled),
        };
        let source = match found {
            Ok(component) => {
                self.count(CodeSource::Kept);
                return Ok(component);
            }
            Err(source) => source,
        };
        let component = compile()?;
        self.count(source);
        if let Some(folder) = &self.folder
            && let Err(error) = folder.keep(form, digest, &component)
        {
            let folder = folder.path.display();
            tracing::warn!("machine code is not kept in {folder}: {error}");
        }
        Ok(component)
    }

    fn count(&self, source: CodeSource) {
        self.counts[source as usize].fetch_add(1, Ordering::Relaxed);
    }
}

// === impl CodeFolder ===

impl CodeFolder {
    fn open(path: &Path, maker: [u8; 32]) -> Result<CodeFolder, String> {
        let problem = |error: io::Error| error.to_string();
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(path);
        made.map_err(problem)?;
        let path = path.canonicalize().map_err(problem)?;
        let meta = path.metadata().map_err(problem)?;
        if meta.permissions().mode() & 0o077 != 0 {
            let shown = path.display();
            return Err(format!("others may enter it: `chmod 700 {shown}`"));
        }
        let secret = secret(&path.join(KEY))?;
        let key = HmacKey::new(Hash::Sha256, &secret).map_err(|error| error.to_string())?;
        Ok(CodeFolder { path, key, maker })
    }

    fn file(&self, form: Form, digest: Digest) -> PathBuf {
        let form = match form {
            Form::Plain => "plain",
            Form::Instrumented => "instrumented",
        };
        self.path.join(format!("{digest}-{form}{SUFFIX}"))
    }

    /// The code that was kept, or why it cannot be used.
    fn find(
        &self,
        engine: &wasmtime::Engine,
        form: Form,
        digest: Digest,
    ) -> Result<Component, CodeSource> {
        let path = self.file(form, digest);
        let content = match read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CodeSource::Compiled);
            }
            Err(_) => return Err(CodeSource::Rejected),
        };
        let code = self.checked(&content, form, digest)?;
        // Used a moment ago: others go before it.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        deserialize(engine, code).map_err(|_| CodeSource::Rejected)
    }

    /// The code of a file, once it is known that this installation wrote it for this component and this engine.
    fn checked<'c>(
        &self,
        content: &'c [u8],
        form: Form,
        digest: Digest,
    ) -> Result<&'c [u8], CodeSource> {
        let (mac, signed) = content.split_at_checked(MAC).ok_or(CodeSource::Rejected)?;
        let verdict = self.key.verify(signed, mac);
        verdict.map_err(|_| CodeSource::Rejected)?;
        let header = self.header(form, digest);
        let (held, code) = signed
            .split_at_checked(HEADER)
            .ok_or(CodeSource::Rejected)?;
        let (origin, maker) = held.split_at(HEADER - self.maker.len());
        if !header.starts_with(origin) {
            return Err(CodeSource::Rejected);
        }
        if maker != self.maker {
            return Err(CodeSource::OtherVersion);
        }
        Ok(code)
    }

    fn header(&self, form: Form, digest: Digest) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.push(form as u8);
        header.extend_from_slice(digest.as_bytes());
        header.extend_from_slice(&self.maker);
        header
    }

    /// Under a temporary name first: nobody reads half a file, and after a crash the MAC does not fit.
    fn keep(&self, form: Form, digest: Digest, component: &Component) -> io::Result<()> {
        let code = component.serialize();
        let code = code.map_err(|error| io::Error::other(format!("{error:#}")))?;
        let mut signed = self.header(form, digest);
        signed.extend_from_slice(&code);
        let mac = self.key.code(&signed);
        let path = self.file(form, digest);
        let temporary = temporary(&path);
        let written = create(&temporary)
            .and_then(|mut file| {
                file.write_all(mac.as_ref())?;
                file.write_all(&signed)
            })
            .and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            // It may never have been there.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        self.tidy(LARGEST_SUM)
    }

    /// Removes what was not used for longest until all that is left has at most so many bytes.
    fn tidy(&self, largest: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().ends_with(SUFFIX) {
                continue;
            }
            // Another gateway may have removed it a moment ago.
            if let Ok(meta) = entry.metadata() {
                files.push((meta.modified()?, meta.len(), entry.path()));
            }
        }
        files.sort();
        let mut sum: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if sum <= largest {
                break;
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => sum -= length,
            }
        }
        Ok(())
    }
}

/// What compiles: the gateway's version, wasmtime's, and everything of the engine that machine code depends on.
fn maker(engine: &wasmtime::Engine) -> [u8; 32] {
    struct Hashed(Sha256);

    impl Hasher for Hashed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }

    let mut hashed = Hashed(Sha256::new());
    env!("CARGO_PKG_VERSION").hash(&mut hashed);
    wasmtime_environ::VERSION.hash(&mut hashed);
    engine.precompile_compatibility_hash().hash(&mut hashed);
    hashed.0.finalize().into()
}

/// Machine code that `checked` let through, made by this installation with this engine.
#[expect(
    unsafe_code,
    reason = "wasmtime cannot know who wrote the code; its MAC says that we did"
)]
fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are those that `Component::serialize` gave to `keep`: the MAC over them was checked, under a key
    // that only this user can read.
    unsafe { Component::deserialize(engine, code) }
}

#[cfg(test)]
mod tests;
