//! What is written down of an exchange: the journal, the access log, traces and the feed of refusals.

pub(crate) mod journal;
pub(crate) mod log;
pub(crate) mod tail;
pub(crate) mod trace;
