//! What instances are made from. A template serves as soon as its first instance took the settings, configuring each
//! instance anew; the copy of that first one is compiled meanwhile and takes over once it is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::task::JoinSet;

use crate::call::bill::Bill;
use crate::call::instance::{Live, Pre};
use crate::digest::Digest;
use crate::engine::Runtime;
use crate::error::CallError;
use crate::kind::Kind;
use crate::life::snapshot::Snapshot;
use crate::serve::plugin::Phases;
use crate::spec::{Copying, Spec};

/// What instances are made from. Plugins of one component and the same settings share it.
pub(crate) struct Template {
    pub(crate) runtime: Runtime,
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
    /// Who makes it; ends with the template.
    _maker: JoinSet<()>,
}

/// The linked component and its bytes, or why there is none.
pub(crate) type Made = Result<(Pre, usize), Snapshot>;

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
            Some(Ok((pre, _))) => Live::copy(&self.runtime, pre, spec, bill).await,
            Some(Err(_)) | None => Live::start(&self.runtime, &self.pre, spec, bill, time).await,
        }
    }
}

// === impl Copied ===

impl Copied {
    /// There is none, and will be none.
    pub(crate) fn none(why: Snapshot) -> Copied {
        Copied {
            made: Arc::new(SetOnce::new_with(Some(Err(why)))),
            _maker: JoinSet::new(),
        }
    }

    /// There will be one.
    pub(crate) fn after(making: impl Future<Output = Made> + Send + 'static) -> Copied {
        let made = Arc::new(SetOnce::new());
        let mut maker = JoinSet::new();
        let done = made.clone();
        maker.spawn(async move {
            // Nobody else sets it.
            let _ = done.set(making.await);
        });
        Copied {
            made,
            _maker: maker,
        }
    }

    /// How things are now.
    pub(crate) fn state(&self) -> Snapshot {
        match self.made.get() {
            None => Snapshot::Pending,
            Some(Ok((_, bytes))) => Snapshot::Taken { bytes: *bytes },
            Some(Err(why)) => why.clone(),
        }
    }

    /// Waits until that changes no more.
    pub(crate) async fn settled(&self) {
        self.made.wait().await;
    }
}

// === impl Templates ===

impl Templates {
    pub(crate) fn get(&self, key: &TemplateKey) -> Option<Arc<Template>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).and_then(Weak::upgrade)
    }

    pub(crate) fn put(&self, key: TemplateKey, template: Template) -> Arc<Template> {
        let template = Arc::new(template);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, template| template.strong_count() > 0);
        known.insert(key, Arc::downgrade(&template));
        template
    }
}
