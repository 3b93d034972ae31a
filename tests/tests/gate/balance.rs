//! Being written now: balance.
