//! A version of a plugin's component, kept apart from its file: what serving it again needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_admin::Standing;
use portcullis_runtime::{Compiled, Digest};

/// Versions of one plugin that are kept after they served, in addition to the one that serves.
const KEPT: usize = 2;

/// Machine code, the component it was made from, and the schema of its settings.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) compiled: Compiled,
    pub(crate) schema: Option<Arc<str>>,
}

/// The versions of every plugin that may serve again, and those that are pinned.
#[derive(Default)]
pub(crate) struct Shelf(BTreeMap<Arc<str>, Place>);

/// The versions of one plugin.
#[derive(Clone, Default)]
struct Place {
    serving: Option<Version>,
    /// The newest last; none twice, and not the serving one.
    earlier: Vec<Version>,
    pin: Option<Pin>,
}

/// A version that serves instead of its file, for as long as that file stays what it is.
#[derive(Clone)]
struct Pin {
    version: Version,
    file: PathBuf,
    /// What the file held then. None: it could not be read.
    over: Option<Digest>,
}

/// How a plugin's place was, to put it back.
pub(crate) struct Undo {
    name: Arc<str>,
    place: Place,
}

impl Version {
    pub(crate) fn digest(&self) -> Digest {
        self.compiled.digest()
    }
}

impl Shelf {
    /// What serves in place of `file`, which holds `now`. A file that changed since takes its pin away.
    pub(crate) fn pinned(
        &mut self,
        plugin: &str,
        file: &Path,
        now: Option<Digest>,
    ) -> Option<Version> {
        let place = self.0.get_mut(plugin)?;
        let pin = place.pin.as_ref()?;
        let same = pin.file == file && (now.is_none() || pin.over == now);
        if !same {
            place.pin = None;
        }
        place.pin.as_ref().map(|pin| pin.version.clone())
    }

    /// Pins the version that served before. `now` is what `file` holds.
    pub(crate) fn roll_back(
        &mut self,
        plugin: &Arc<str>,
        file: &Path,
        now: Option<Digest>,
    ) -> Option<(Digest, Undo)> {
        let undo = self.undo(plugin)?;
        let place = self.0.get_mut(plugin)?;
        let version = place.earlier.pop()?;
        let digest = version.digest();
        place.pin = Some(Pin {
            version,
            file: file.to_owned(),
            over: now,
        });
        Some((digest, undo))
    }

    /// Lets the file serve again. None: nothing is pinned.
    pub(crate) fn unpin(&mut self, plugin: &Arc<str>) -> Option<Undo> {
        let undo = self.undo(plugin)?;
        self.0.get_mut(plugin)?.pin.take()?;
        Some(undo)
    }

    fn undo(&self, plugin: &Arc<str>) -> Option<Undo> {
        let place = self.0.get(plugin)?.clone();
        Some(Undo {
            name: plugin.clone(),
            place,
        })
    }

    pub(crate) fn put_back(&mut self, undo: Undo) {
        self.0.insert(undo.name, undo.place);
    }

    /// Notes which version serves from now on. The one before is kept, unless it is what the file holds: unpinning
    /// brings that back.
    pub(crate) fn serves(&mut self, plugin: &Arc<str>, version: Version) {
        let place = self.0.entry(plugin.clone()).or_default();
        let digest = version.digest();
        let over = place.pin.as_ref().and_then(|pin| pin.over);
        let before = place.serving.replace(version);
        place.earlier.extend(before);
        let spare = |kept: &Version| kept.digest() != digest && Some(kept.digest()) != over;
        place.earlier.retain(spare);
        let beyond = place.earlier.len().saturating_sub(KEPT);
        place.earlier.drain(..beyond);
    }

    pub(crate) fn is_pinned(&self, plugin: &str) -> bool {
        self.0.get(plugin).is_some_and(|place| place.pin.is_some())
    }

    pub(crate) fn serving(&self, plugin: &str) -> Option<&Version> {
        self.0.get(plugin)?.serving.as_ref()
    }

    /// Forgets plugins that are no more.
    pub(crate) fn keep(&mut self, used: impl Fn(&str) -> bool) {
        self.0.retain(|plugin, _| used(plugin));
    }

    pub(crate) fn standings(&self) -> BTreeMap<Arc<str>, Standing> {
        let standing = |(name, place): (&Arc<str>, &Place)| {
            let serving = place.serving.as_ref();
            let standing = Standing {
                size: serving.map_or(0, |version| version.compiled.size()),
                pinned: place.pin.is_some(),
                before: place.earlier.last().map(Version::digest),
            };
            (name.clone(), standing)
        };
        self.0.iter().map(standing).collect()
    }
}
