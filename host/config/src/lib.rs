//! gateway.toml: from text to a typed plan
