//! The plugins of a route, each at its post.

use std::sync::Arc;

use portcullis_runtime::{Kind, Post};

/// The plugins of a route by what they do, each kind in the order of the file.
#[derive(Debug, Default)]
pub struct Chain(Vec<Arc<Post>>);

impl Chain {
    pub(crate) fn new(posts: Vec<Arc<Post>>) -> Chain {
        Chain(posts)
    }

    pub fn of(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Arc<Post>> {
        self.0.iter().filter(move |post| post.kind() == kind)
    }

    pub fn handler(&self) -> Option<&Arc<Post>> {
        self.of(Kind::Handler).next()
    }

    /// Every plugin of the route at its post.
    pub fn posts(&self) -> &[Arc<Post>] {
        &self.0
    }
}
