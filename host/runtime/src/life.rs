//! The ages of a plugin. Each is a type, each step consumes the last, each failure names its step.
//!
//! ```text
//! Artifact ──compile──▶ Compiled ──verify──▶ Verified ──configure──▶ Configured ──serve──▶ Arc<Plugin>
//! ```
//! A plugin retires when the last lease on it is dropped.

pub(crate) mod artifact;
pub(crate) mod compiled;
pub(crate) mod configured;
pub(crate) mod imports;
mod lean;
pub(crate) mod runtime;
pub(crate) mod schema;
pub(crate) mod snapshot;
pub(crate) mod verified;
