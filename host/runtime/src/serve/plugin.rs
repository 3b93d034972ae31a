//! A plugin in service: one component with its settings and what it was given.

use std::sync::Arc;

use crate::call::phase::Phases;
use crate::digest::Digest;
use crate::engine::code::CodeSource;
use crate::kind::Kind;
use crate::serve::concurrency::Concurrency;
use crate::serve::template::{Snapshot, Template};
use crate::spec::Spec;

/// A plugin in service. Dropping the last reference retires it: its code and instances are freed.
pub struct Plugin {
    pub(crate) template: Arc<Template>,
    spec: Arc<Spec>,
    pub(crate) concurrency: Concurrency,
}

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
            concurrency: Concurrency::default(),
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
        self.template.stores.in_use()
    }

    /// How often machine code came from each source since the start, for all plugins together.
    pub fn code_sources(&self) -> [(CodeSource, u64); CodeSource::ALL.len()] {
        self.template.stores.code_sources()
    }

    /// Waits until its snapshot is compiled, or it is known that there is none.
    pub async fn settled(&self) {
        self.template.copy.settled().await;
    }
}
