//! What instances are made from. A template serves as soon as its first instance took the settings, configuring each
//! instance again. The copy of that first one is compiled meanwhile and takes over once it is there.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::SetOnce;
use tokio::task::JoinSet;

use crate::call::bill::Bill;
use crate::call::instance::Live;
use crate::call::phase::Phases;
use crate::call::store::Stores;
use crate::call::worlds::Pre;
use crate::digest::Digest;
use crate::error::CallError;
use crate::kind::Kind;
use crate::spec::{Copying, Spec};

/// What instances are made from. Plugins of one component and the same settings share it.
pub(crate) struct Template {
    pub(crate) stores: Stores,
    pub(crate) pre: Pre,
    pub(crate) kind: Kind,
    pub(crate) digest: Digest,
    pub(crate) imports: Vec<String>,
    pub(crate) phases: Phases,
    pub(crate) body_limit: usize,
    pub(crate) notes: Vec<(String, String)>,
    pub(crate) copy: Copied,
}

/// The copy of the configured instance, once there is one.
pub(crate) struct Copied {
    made: Arc<SetOnce<Made>>,
    /// The task that makes it; ends with the template.
    _maker: JoinSet<()>,
}

/// The linked component and what is said of it, or why there is none.
pub(crate) type Made = Result<(Pre, Snapshot), Snapshot>;

/// How instances of a plugin come to be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapshot {
    /// The copy is being compiled; until then each instance is configured by itself.
    Pending,
    /// Instances are copied from a configured one.
    Taken {
        /// The size of the component that holds it.
        bytes: usize,
        /// Why a copy has parts that no call needs. It serves all the same, and costs more.
        whole: Option<String>,
    },
    /// Instances are kept: each is configured once in its long life.
    Kept,
    /// Each instance is configured by itself; why there is no snapshot.
    None(String),
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Snapshot::Pending => {
                f.write_str("configured for each request until its copy is compiled")
            }
            Snapshot::Taken { bytes, whole } => {
                write!(f, "configured once, then copied ({bytes} bytes)")?;
                match whole {
                    Some(why) => write!(f, ", with parts that no call needs: {why}"),
                    None => Ok(()),
                }
            }
            Snapshot::Kept => f.write_str("configured once per kept instance"),
            Snapshot::None(why) => write!(f, "configured for each request: {why}"),
        }
    }
}

/// The templates in use.
#[derive(Default)]
pub(crate) struct Templates(Mutex<HashMap<TemplateKey, Weak<Template>>>);

/// Component, settings, and how instances come to be.
pub(crate) type TemplateKey = (Digest, Digest, bool, Copying);

// === impl Template ===

impl Template {
    /// A configured instance. Where it has to be configured first, that may take `time`.
    pub(crate) async fn instance(
        &self,
        spec: &Arc<Spec>,
        bill: &Arc<Bill>,
        time: Duration,
    ) -> Result<Live, CallError> {
        match self.copy.made.get() {
            Some(Ok((pre, _))) => Live::copy(&self.stores, pre, spec, bill).await,
            Some(Err(_)) | None => Live::start(&self.stores, &self.pre, spec, bill, time).await,
        }
    }
}

// === impl Copied ===

impl Copied {
    /// No copy, now or later.
    pub(crate) fn none(why: Snapshot) -> Copied {
        Copied {
            made: Arc::new(SetOnce::new_with(Some(Err(why)))),
            _maker: JoinSet::new(),
        }
    }

    /// A copy that `making` yields.
    pub(crate) fn after(making: impl Future<Output = Made> + Send + 'static) -> Copied {
        let made = Arc::new(SetOnce::new());
        let mut maker = JoinSet::new();
        let done = made.clone();
        maker.spawn(async move {
            // It is set only here.
            let _ = done.set(making.await);
        });
        Copied {
            made,
            _maker: maker,
        }
    }

    /// The state now.
    pub(crate) fn state(&self) -> Snapshot {
        match self.made.get() {
            None => Snapshot::Pending,
            Some(Ok((_, state)) | Err(state)) => state.clone(),
        }
    }

    /// Waits until the state is final.
    pub(crate) async fn settled(&self) {
        self.made.wait().await;
    }
}

// === impl Templates ===

impl Templates {
    pub(crate) fn get(&self, key: &TemplateKey) -> Option<Arc<Template>> {
        let known = self.0.lock();
        known.get(key).and_then(Weak::upgrade)
    }

    pub(crate) fn put(&self, key: TemplateKey, template: Template) -> Arc<Template> {
        let template = Arc::new(template);
        let mut known = self.0.lock();
        known.retain(|_, template| template.strong_count() > 0);
        known.insert(key, Arc::downgrade(&template));
        template
    }
}
