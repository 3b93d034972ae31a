//! Lines for the gateway's log: `log::info!("read {n} rules")`.
//!
//! The gateway adds plugin, request and route. Never log a credential.

use crate::wire;

pub use crate::bindings::host::portcullis::plugin::telemetry::Level;

/// Whether a line of this level would be kept. The macros ask before they format.
pub fn enabled(level: Level) -> bool {
    wire::log_enabled(level)
}

/// A line with fields of its own.
///
/// ```
/// use portcullis_sdk::log::{self, Level};
/// log::event(Level::Info, "rules loaded", &[("roles", "3")]);
/// ```
pub fn event(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|&(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    wire::log(level, message, &fields);
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($arg:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::event($crate::log::Level::$level, &::std::format!($($arg)+), &[]);
        }
    };
}

// A macro that another macro exports cannot be named by path (rust-lang/rust#52234): hence five by hand.

#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($arg:tt)+) => { $crate::__log!(Error, $($arg)+) };
}
/// Logs what went wrong; takes what `format!` takes.
pub use __log_error as error;

#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($arg:tt)+) => { $crate::__log!(Warn, $($arg)+) };
}
/// Logs what deserves a look; takes what `format!` takes.
pub use __log_warn as warn;

#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($arg:tt)+) => { $crate::__log!(Info, $($arg)+) };
}
/// Logs what happened; takes what `format!` takes.
pub use __log_info as info;

#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($arg:tt)+) => { $crate::__log!(Debug, $($arg)+) };
}
/// Logs what helps to find a mistake; takes what `format!` takes.
pub use __log_debug as debug;

#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($arg:tt)+) => { $crate::__log!(Trace, $($arg)+) };
}
/// Logs every step; takes what `format!` takes.
pub use __log_trace as trace;
