//! The third age: a plugin of one kind whose imports are granted. It is configured once, and a snapshot is taken.

use std::sync::Arc;
use std::time::Duration;

use crate::call::instance::Live;
use crate::call::phase::Phases;
use crate::call::worlds::Pre;
use crate::digest::Digest;
use crate::error::{CallError, LoadError};
use crate::kind::Kind;
use crate::life::configured::Configured;
use crate::life::runtime::Runtime;
use crate::life::snapshot::{self, Source};
use crate::serve::template::{Copied, Made, Snapshot, Template};
use crate::spec::{Copying, Spec};
use crate::text::{one_line, printable};

/// How long `configure` may take; no request waits for it.
const CONFIGURE_TIME: Duration = Duration::from_secs(5);

/// Notes of one registration, and characters of one key or value.
const MAX_NOTES: usize = 2000;
const MAX_NOTE: usize = 300;

/// A plugin of one kind whose imports are all granted.
pub struct Verified {
    pub(super) runtime: Runtime,
    pub(super) digest: Digest,
    pub(super) source: Source,
    pub(super) pre: Pre,
    pub(super) kind: Kind,
    pub(super) spec: Arc<Spec>,
    pub(super) imports: Vec<String>,
}

// === impl Verified ===

impl Verified {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives one instance its settings, reads what it registers, and takes a snapshot of it where instances are
    /// fresh. The snapshot is compiled afterwards: until then each instance is configured by itself.
    pub async fn configure(self) -> Result<Configured, LoadError> {
        let settings = Digest::of(&self.spec.settings.0);
        let key = (self.digest, settings, self.spec.kept, self.spec.copying);
        let spec = self.spec.clone();
        let templates = self.runtime.templates.clone();
        let template = match templates.get(&key) {
            Some(template) => template,
            None => templates.put(key, self.template().await?),
        };
        Ok(Configured { template, spec })
    }

    async fn template(self) -> Result<Template, LoadError> {
        let (runtime, spec) = (self.runtime, self.spec);
        let first = Live::first(&runtime.stores, &self.pre, &spec, CONFIGURE_TIME).await;
        let (store, instance, registration) = first.map_err(|error| refused(error, &spec))?;
        let none = |why: &str| Err(Snapshot::None(why.into()));
        let taken = match self.source.opaque {
            _ if spec.kept => Err(Snapshot::Kept),
            _ if spec.copying == Copying::Never => none("`snapshot = \"never\"`"),
            Some(why) => none(&why),
            None => snapshot::take(self.source.wasm, store, instance)
                .await
                .map_err(Snapshot::None),
        };
        let copy = match taken {
            Ok(bytes) => Copied::after(copied(runtime.clone(), self.kind, bytes)),
            Err(none) => Copied::none(none),
        };
        Ok(Template {
            stores: runtime.stores,
            pre: self.pre,
            kind: self.kind,
            digest: self.digest,
            imports: self.imports,
            phases: Phases::from(registration.phases),
            body_limit: registration.body_limit as usize,
            notes: bounded(registration.notes),
            copy,
        })
    }
}

/// What it notes about itself: text from a stranger.
fn bounded(notes: Vec<(String, String)>) -> Vec<(String, String)> {
    let notes = notes.into_iter().take(MAX_NOTES);
    let said = |text: String| printable(&text, MAX_NOTE);
    notes.map(|(key, value)| (said(key), said(value))).collect()
}

/// Compiles and links a snapshot.
async fn copied(runtime: Runtime, kind: Kind, bytes: Vec<u8>) -> Made {
    let machine = snapshot::compile(&runtime, bytes).await;
    let linked = machine.and_then(|machine| {
        let pre = runtime.link(kind, &machine.component);
        let pre = pre.map_err(|error| one_line(&error))?;
        let (bytes, whole) = (machine.size, machine.whole);
        Ok((pre, Snapshot::Taken { bytes, whole }))
    });
    linked.map_err(Snapshot::None)
}

fn refused(error: CallError, spec: &Spec) -> LoadError {
    match error {
        CallError::TimedOut(time) => LoadError::ConfigureTime(time),
        // The limiter's own words; there is no error type to match on.
        CallError::Trapped(text) if text.contains("memory minimum size") => LoadError::Memory {
            problem: text,
            limit: spec.budget.memory,
        },
        CallError::Failed(text) => LoadError::Settings(text),
        other => LoadError::Configure(other.to_string()),
    }
}
