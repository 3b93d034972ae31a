//! What was found wrong while reading, gathered so that all of it is told at once.

use std::cell::RefCell;

use toml::de::DeValue;

use crate::diagnostic::{Diagnostic, Span};
use crate::shapes::type_name;

/// Everything found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(RefCell<Vec<Diagnostic>>);

/// What is wrong with a value; where it stands is the caller's to know.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

// === impl Mistakes ===

impl Mistakes {
    pub(crate) fn add(&self, diagnostic: Diagnostic) {
        self.0.borrow_mut().push(diagnostic);
    }

    pub(crate) fn fault(&self, span: Span, fault: Fault) {
        let Fault { message, hint } = fault;
        self.add(Diagnostic {
            span,
            message,
            hint,
        });
    }

    /// The value, or None with the fault noted.
    pub(crate) fn note<T>(&self, span: Span, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.fault(span, fault)).ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(crate) fn into_vec(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `what` has its article: "a string".
    pub(crate) fn wrong_type(key: &str, what: &str, found: &DeValue<'_>) -> Self {
        Self::new(format!("`{key}` must be {what}, not {}", type_name(found)))
    }
}
