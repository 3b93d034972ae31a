//! Being written now: streaming.
