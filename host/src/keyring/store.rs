//! What files of TLS came to: read when they have changed, the last good content kept when the new one is bad.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_config::diagnostic::Diagnostic;
use portcullis_config::plan::FilePlan;
use portcullis_proxy::tls::{Part, Unusable};

use super::Findings;
use crate::folder::Stamp;

/// What files came to.
pub(super) struct Store<T>(HashMap<Vec<PathBuf>, Kept<T>>);

pub(super) struct Kept<T> {
    stamps: Vec<Option<Stamp>>,
    last_good: Option<Arc<T>>,
    trouble: Option<Trouble>,
}

/// What is wrong, and with which of the files.
#[derive(Clone)]
pub(super) struct Trouble {
    file: usize,
    message: String,
    hint: String,
}

// === impl Store ===

impl<T> Default for Store<T> {
    fn default() -> Self {
        Store(HashMap::new())
    }
}

impl<T> Store<T> {
    /// What these files hold; read again when one of them changed.
    pub(super) fn get(
        &mut self,
        paths: Vec<PathBuf>,
        read: impl FnOnce(&[Vec<u8>]) -> Result<T, Unusable>,
    ) -> &Kept<T> {
        let stamps: Vec<_> = paths.iter().map(|path| Stamp::of(path)).collect();
        let fresh = self.0.get(&paths).is_some_and(|kept| kept.stamps == stamps);
        if !fresh {
            let done = contents(&paths).and_then(|files| read(&files).map_err(Trouble::of));
            let last_good = self.0.remove(&paths).and_then(|kept| kept.last_good);
            let (last_good, trouble) = match done {
                Ok(value) => (Some(Arc::new(value)), None),
                Err(trouble) => (last_good, Some(trouble)),
            };
            let kept = Kept {
                stamps,
                last_good,
                trouble,
            };
            self.0.insert(paths.clone(), kept);
        }
        &self.0[&paths]
    }

    /// Forgets what is not used any more.
    pub(super) fn keep(&mut self, used: &[&Path]) {
        self.0
            .retain(|paths, _| paths.iter().all(|path| used.contains(&path.as_path())));
    }
}

impl<T> Kept<T> {
    /// The last good content. What is wrong with the files goes to the findings: as a mistake where there is no good content.
    pub(super) fn content(&self, files: &[&FilePlan], findings: &mut Findings) -> Option<Arc<T>> {
        let Some(trouble) = &self.trouble else {
            return self.last_good.clone();
        };
        let file = files[trouble.file.min(files.len() - 1)];
        let path = file.path.display();
        if self.last_good.is_some() {
            findings
                .stale
                .insert(path.to_string().into(), trouble.message.clone());
        } else {
            let message = format!("{path}: {}", trouble.message);
            let mistake = Diagnostic::new(file.span, message);
            findings
                .mistakes
                .push(mistake.with_hint(trouble.hint.clone()));
        }
        self.last_good.clone()
    }
}

fn contents(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Trouble> {
    let read = |(file, path): (usize, &PathBuf)| {
        std::fs::read(path).map_err(|error| Trouble {
            file,
            message: format!("the file cannot be read: {error}"),
            hint: "name a file that this process may read; paths are relative to gateway.toml"
                .to_owned(),
        })
    };
    paths.iter().enumerate().map(read).collect()
}

impl Trouble {
    fn of(unusable: Unusable) -> Trouble {
        Trouble {
            file: match unusable.part {
                Part::Certificate | Part::Authorities => 0,
                Part::Key => 1,
            },
            message: unusable.message,
            hint: unusable.hint.to_owned(),
        }
    }
}
