//! The last age before service: a plugin that accepted its settings.

use std::sync::Arc;

use crate::serve::plugin::Plugin;
use crate::serve::template::Template;
use crate::spec::Spec;

/// A plugin that accepted its settings.
pub struct Configured {
    pub(super) template: Arc<Template>,
    pub(super) spec: Arc<Spec>,
}

// === impl Configured ===

impl Configured {
    /// The plugin as routes use it.
    pub fn serve(self) -> Arc<Plugin> {
        Arc::new(Plugin::new(self.template, self.spec))
    }
}
