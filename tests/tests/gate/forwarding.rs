//! Being written now: forwarding.
