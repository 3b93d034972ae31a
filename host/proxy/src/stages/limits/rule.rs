//! The algorithms: what is remembered of one key, and what that means for one request. Pure functions of their time.

mod gcra;
mod quota;
mod window;

pub use gcra::Gcra;
pub use quota::Quota;
pub use window::Window;

use super::store::Verdict;

/// An algorithm with its numbers.
pub trait Rule: std::fmt::Debug + Send + Sync {
    /// What is remembered of a key; the default is that of a key never seen.
    type State: std::fmt::Debug + Copy + Default + Send;

    fn take(&self, state: &mut Self::State, ask: Tick) -> Verdict;

    /// How much is lost when the state is forgotten; 0: nothing, it is as if never seen.
    fn debt(&self, state: &Self::State, now: Tick) -> u64;

    /// Whether one more request would be refused. Forgetting such a key would be a gift to it.
    fn is_spent(&self, state: &Self::State, now: Tick) -> bool;
}

/// A request as the algorithms see it: its time counted from the birth of the store.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    pub nanos: u64,
    pub unix_ms: u64,
    pub cost: u32,
    pub patience: u64,
}
