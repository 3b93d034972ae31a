//! What is written down of an exchange: the journal, the access log, traces and the feed of refusals.

pub(crate) mod exchanges;
pub(crate) mod journal;
pub(crate) mod log;
pub(crate) mod record;
pub(crate) mod tail;
pub(crate) mod tap;
pub(crate) mod trace;
pub(crate) mod watch;
