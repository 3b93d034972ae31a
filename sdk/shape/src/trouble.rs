//! Why a value cannot be put where it belongs.

use std::fmt;

use minijinja::{Error, ErrorKind};

/// For the log: it names places and types, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A value is not there: a parameter that was not sent, a member that an answer lacks.
    Missing(String),
    /// A value is there and does not fit: a list in a path, a line break in a header.
    Unfit(String),
    /// The template itself does not work.
    Broken(String),
}

impl Trouble {
    /// The same, with where it was.
    #[must_use]
    pub fn at(self, place: &str) -> Trouble {
        let said = |text: String| format!("{place}: {text}");
        match self {
            Trouble::Missing(text) => Trouble::Missing(said(text)),
            Trouble::Unfit(text) => Trouble::Unfit(said(text)),
            Trouble::Broken(text) => Trouble::Broken(said(text)),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Missing(text) | Trouble::Unfit(text) | Trouble::Broken(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        let text = told(&error);
        match error.kind() {
            ErrorKind::UndefinedError => Trouble::Missing(text),
            _ => Trouble::Broken(text),
        }
    }
}

/// What is wrong, with the line when there is more than one.
pub(crate) fn told(error: &Error) -> String {
    let kind = error.kind();
    let mut text = match error.detail() {
        Some(detail) if kind == ErrorKind::SyntaxError => detail.to_owned(),
        Some(detail) => format!("{kind}: {detail}"),
        None => kind.to_string(),
    };
    if let Some(line) = error.line().filter(|line| *line > 1) {
        text.push_str(&format!(" (line {line})"));
    }
    text
}
