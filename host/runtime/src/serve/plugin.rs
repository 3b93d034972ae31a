//! A plugin in service: one component with its settings and what it was given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::call::bill::Bill;
use crate::digest::Digest;
use crate::guest::contract::types;
use crate::kind::Kind;
use crate::life::snapshot::Snapshot;
use crate::serve::post::Post;
use crate::serve::template::Template;
use crate::spec::Spec;

/// Which callbacks of a filter are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    pub request: bool,
    pub request_body: bool,
    pub response: bool,
    pub response_body: bool,
}

/// A plugin in service. Dropping the last reference retires it: its code and instances are freed.
pub struct Plugin {
    pub(crate) template: Arc<Template>,
    spec: Arc<Spec>,
    pub(crate) busy: Busy,
}

/// Counts calls at the same time.
#[derive(Debug, Default)]
pub(crate) struct Busy(AtomicU32);

/// One of the calls that may run at the same time.
pub(crate) struct Turn<'a>(&'a AtomicU32);

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Template { kind, digest, .. } = &*self.template;
        write!(f, "Plugin({kind} {} {digest:?})", self.spec.name)
    }
}

impl Plugin {
    pub(crate) fn new(template: Arc<Template>, spec: Arc<Spec>) -> Plugin {
        Plugin {
            template,
            spec,
            busy: Busy::default(),
        }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    pub fn kind(&self) -> Kind {
        self.template.kind
    }

    pub fn digest(&self) -> Digest {
        self.template.digest
    }

    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// WIT names of everything it imports.
    pub fn imports(&self) -> &[String] {
        &self.template.imports
    }

    pub fn phases(&self) -> Phases {
        self.template.phases
    }

    /// Largest body, in bytes, that its body callbacks take.
    pub fn body_limit(&self) -> usize {
        self.template.body_limit
    }

    /// What it noted about itself when it was configured, by open keys such as `openapi.operation`.
    pub fn notes(&self) -> &[(String, String)] {
        &self.template.notes
    }

    /// How its instances come to be configured now.
    pub fn snapshot(&self) -> Snapshot {
        self.template.copy.state()
    }

    /// Instances that the pool has given out, to all plugins together.
    pub fn pool_in_use(&self) -> usize {
        let metrics = self.template.runtime.engine.pooling_allocator_metrics();
        let in_use = metrics.map_or(0, |metrics| metrics.component_instances());
        usize::try_from(in_use).unwrap_or(usize::MAX)
    }

    /// Waits until its snapshot is compiled, or it is known that there is none.
    pub async fn settled(&self) {
        self.template.copy.settled().await;
    }

    /// Puts it to work on a route, with what the route leaves it of its spec. Calls are written on `bill`.
    pub fn post(self: &Arc<Self>, spec: Arc<Spec>, bill: Arc<Bill>) -> Arc<Post> {
        Arc::new(Post::new(self.clone(), spec, bill))
    }
}

impl Busy {
    /// A turn, where less than `limit` are taken.
    pub(crate) fn turn(&self, limit: u32) -> Option<Turn<'_>> {
        let turn = Turn(&self.0);
        (self.0.fetch_add(1, Ordering::Relaxed) < limit).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<types::Phases> for Phases {
    fn from(flags: types::Phases) -> Phases {
        Phases {
            request: flags.contains(types::Phases::REQUEST),
            request_body: flags.contains(types::Phases::REQUEST_BODY),
            response: flags.contains(types::Phases::RESPONSE),
            response_body: flags.contains(types::Phases::RESPONSE_BODY),
        }
    }
}
