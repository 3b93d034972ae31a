//! Watching the plugin folder, gateway.toml and the files of TLS. An event only means "look again"; a rescan every second finds what
//! events miss (NFS, containers). A file counts once it has stopped changing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use portcullis_admin::Action;
use portcullis_proxy::Gate;
use tokio::sync::{Notify, mpsc};

use crate::folder::Stamp;
use crate::reload::{FILE_CHANGE, Request};
use crate::{keyring, load};

const RESCAN: Duration = Duration::from_secs(1);
/// How long a file must look the same before it is read; a rename is one change, a copy is many.
const SETTLE: Duration = Duration::from_millis(60);

type Seen = BTreeMap<PathBuf, Option<Stamp>>;

/// Runs until the supervisor is gone.
pub(crate) async fn watch(
    gate: Arc<Gate>,
    config: Option<PathBuf>,
    supervisor: mpsc::Sender<Request>,
) {
    let dirty = Arc::new(Notify::new());
    // Without events the rescan alone still finds everything, only later.
    let _watcher = notifier(&gate, config.as_deref(), dirty.clone()).inspect_err(
        |error| tracing::warn!(%error, "no file events; looking every second instead"),
    );
    // Empty: the first look asks for a reload, which finds what changed between the first load and now.
    let mut seen = Seen::new();
    loop {
        let mut now = look(&gate, config.as_deref());
        if now == seen {
            // Whichever comes first; a time-out is a rescan.
            let _ = tokio::time::timeout(RESCAN, dirty.notified()).await;
            continue;
        }
        loop {
            tokio::time::sleep(SETTLE).await;
            let again = look(&gate, config.as_deref());
            if again == now {
                break;
            }
            now = again;
        }
        seen = now;
        if supervisor
            .send(Request {
                cause: FILE_CHANGE,
                action: Action::Reload,
                answer: None,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}

fn notifier(
    gate: &Gate,
    config: Option<&Path>,
    dirty: Arc<Notify>,
) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |_| dirty.notify_one())?;
    let folder = gate.lease().plan.plugins.folder.clone();
    if folder.is_dir() {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    // The directory, not the file: editors replace files by renaming.
    if let Some(directory) = config.and_then(Path::parent) {
        let directory = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// The stamps of all files that a reload would read.
fn look(gate: &Gate, config: Option<&Path>) -> Seen {
    let plan = gate.lease().plan.clone();
    let components = plan.plugin.values().map(|plugin| load::path(&plan, plugin));
    let keys = keyring::files(&plan).into_iter().map(Path::to_path_buf);
    components
        .chain(keys)
        .chain(config.map(Path::to_path_buf))
        .map(|path| (path.clone(), Stamp::of(&path)))
        .collect()
}
