//! What the commands of the gateway and of the plugin author's toolkit have in common at a terminal: how they fail, and
//! progress while somebody waits. It knows no command.

mod progress;

use std::fmt::Display;

pub use self::progress::Progress;

/// Why a command failed. The text is all that is shown.
#[derive(Debug)]
pub enum Failure {
    /// The operator can correct it: something in gateway.toml, the plugin folder or the arguments.
    Mistake(String),
    /// The machine or the network refused.
    Trouble(String),
}

impl Failure {
    /// A mistake that already has its text, such as a report of gateway.toml.
    pub fn mistake(text: impl Display) -> Failure {
        Failure::Mistake(text.to_string())
    }

    pub fn trouble(text: impl Display) -> Failure {
        Failure::Trouble(text.to_string())
    }
}
