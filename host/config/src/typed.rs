//! Settings of a plugin against the JSON Schema that its component carries, before any of its code runs.
//!
//! The schema is a stranger's: it cannot make this fetch, loop or backtrack, and whatever it says, no value that
//! came from a secret is put into a message.

mod place;
mod words;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;
use toml::de::DeTable;

use crate::diagnostic::Diagnostic;
use crate::mistakes::Fault;
use crate::plan::{Plan, PluginPlan};
use crate::spelling;
use place::Place;

/// What turns errors of a schema into diagnostics of the file.
struct Check<'a> {
    schema: &'a Value,
    /// `[plugin.NAME.settings]`
    title: String,
    plugin: &'a PluginPlan,
    /// The settings as they stand in the file, if they do.
    table: Option<&'a DeTable<'a>>,
    found: Vec<Diagnostic>,
}

impl Plan {
    /// Every mistake that a plugin's settings have by the schema in its component; none when they are good.
    pub fn check_settings(&self, plugin: &PluginPlan, schema: &str) -> Vec<Diagnostic> {
        let unusable = |problem: String| {
            let message = format!(
                "the schema of settings in `{}` cannot be used: {problem}",
                plugin.component
            );
            let hint = "the component is broken; ask whoever built it";
            vec![Diagnostic::new(plugin.component_span, message).with_hint(hint)]
        };
        let schema: Value = match serde_json::from_str(schema) {
            Ok(schema) => schema,
            Err(error) => return unusable(error.to_string()),
        };
        let validator = match validator(&schema) {
            Ok(validator) => validator,
            Err(error) => return unusable(error.to_string()),
        };
        let Ok(settings) = serde_json::from_str(plugin.settings.expose()) else {
            return unusable("the settings nest too deep".to_owned());
        };
        // The text was good when the plan was made; what stands where is read again only where it is asked for.
        let (root, _) = DeTable::parse_recoverable(&self.source.text);
        let table = root.get_ref().get("plugin").and_then(|all| {
            let plugin = all.get_ref().as_table()?.get(&*plugin.name)?;
            let settings = plugin.get_ref().as_table()?.get("settings")?;
            settings.get_ref().as_table()
        });
        let mut check = Check {
            schema: &schema,
            title: format!("[plugin.{}.settings]", plugin.name),
            plugin,
            table,
            found: Vec::new(),
        };
        let errors: Vec<_> = validator.iter_errors(&settings).collect();
        check.explain_all(&errors);
        check.found
    }
}

/// Patterns without look-around, so that no value takes exponential time.
fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
}

// === impl Check ===

impl<'a> Check<'a> {
    /// Of a value with the wrong type that alone is said.
    fn explain_all(&mut self, errors: &[ValidationError<'_>]) {
        let is_type = |e: &&ValidationError<'_>| matches!(e.kind(), Kind::Type { .. });
        let mistyped: Vec<_> = errors.iter().filter(is_type).collect();
        for error in errors {
            let known = mistyped
                .iter()
                .any(|e| e.instance_path() == error.instance_path());
            if !known || is_type(&error) {
                self.explain(error);
            }
        }
    }

    fn explain(&mut self, error: &ValidationError<'_>) {
        let place = self.place(error);
        match error.kind() {
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                for key in unexpected {
                    let fault = self.unknown_key(&place, error, key);
                    self.note(place.key(key), fault);
                }
            }
            // `additionalProperties: false` where there are no properties at all: every key is one too many.
            Kind::FalseSchema
                if error
                    .schema_path()
                    .as_str()
                    .ends_with("/additionalProperties") =>
            {
                for (key, span) in place.keys() {
                    let fault = self.unknown_key(&place, error, key);
                    self.note(span, fault);
                }
            }
            Kind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                let fault = self.missing(&place, error, key);
                self.note(place.span, fault);
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.none_fits(&place, error, context);
            }
            Kind::PropertyNames { error: inner } => {
                let key = inner.instance().as_str().unwrap_or_default();
                let fault = Fault::new(format!("{} cannot have the key `{key}`", place.name));
                self.note(place.key(key), fault);
            }
            kind => {
                let fault = words::fault(&place, kind, self.beside(error));
                self.note(place.span, fault);
            }
        }
    }

    /// A value that may have one of several forms and has none of them.
    fn none_fits(
        &mut self,
        place: &Place<'_>,
        error: &ValidationError<'_>,
        forms: &[Vec<ValidationError<'static>>],
    ) {
        let here = error.instance_path();
        let schemas = self.at(error).and_then(Value::as_array);
        if let Some(choices) = schemas.and_then(|forms| words::choices(forms)) {
            return self.note(place.span, words::not_a_choice(place, &choices));
        }
        let wrong_type = |form: &&Vec<ValidationError<'_>>| {
            form.iter()
                .any(|e| e.instance_path() == here && matches!(e.kind(), Kind::Type { .. }))
        };
        let near: Vec<_> = forms.iter().filter(|form| !wrong_type(form)).collect();
        if near.is_empty() {
            let types = forms.iter().flatten().filter_map(|e| match e.kind() {
                Kind::Type { kind } => Some(kind),
                _ => None,
            });
            return self.note(place.span, words::wrong_type(place, types));
        }
        let tags: Vec<_> = near.iter().filter_map(|form| tag(form)).collect();
        // Of tables that differ in a tag, the one that was meant has the right tag.
        let mut meant = near.iter().filter(|form| tag(form).is_none());
        match (near.as_slice(), meant.next(), meant.next(), tags.as_slice()) {
            ([form], ..) | (_, Some(form), None, _) => self.explain_all(form),
            (_, None, None, [(first, _), rest @ ..])
                if rest
                    .iter()
                    .all(|(e, _)| e.instance_path() == first.instance_path()) =>
            {
                let place = self.place(first);
                let choices: Vec<_> = tags.iter().map(|(_, text)| *text).collect();
                self.note(place.span, words::not_a_choice(&place, &choices));
            }
            _ => {
                let fault = words::no_form(place, schemas.map_or(&[], Vec::as_slice));
                self.note(place.span, fault);
            }
        }
    }

    fn unknown_key(&self, place: &Place<'_>, error: &ValidationError<'_>, key: &str) -> Fault {
        let fault = Fault::new(format!("{} has no key `{key}`", place.name));
        let known = self
            .beside(error)
            .and_then(|schema| schema.get("properties"));
        match known.and_then(Value::as_object) {
            Some(known) if !known.is_empty() => {
                let known = known.keys().map(String::as_str);
                fault.with_hint(spelling::hint(key, known, "its keys are"))
            }
            _ => fault.with_hint("take it out; it has no keys"),
        }
    }

    fn missing(&self, place: &Place<'_>, error: &ValidationError<'_>, key: &str) -> Fault {
        let fault = Fault::new(format!("{} has no `{key}`", place.name));
        let property = self
            .beside(error)
            .and_then(|schema| schema.get("properties")?.get(key)?.get("description"));
        match property.and_then(Value::as_str) {
            Some(text) => fault.with_hint(format!("`{key}`: {}", words::one_line(text))),
            None => fault,
        }
    }

    /// What the schema says at the keyword that failed.
    fn at(&self, error: &ValidationError<'_>) -> Option<&Value> {
        self.schema.pointer(error.schema_path().as_str())
    }

    /// The schema that the keyword stands in.
    fn beside(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
        self.schema.pointer(parent)
    }

    fn place(&self, error: &ValidationError<'_>) -> Place<'a> {
        Place::find(self.plugin, &self.title, self.table, error.instance_path())
    }

    /// Once: two forms of one value may find the same mistake.
    fn note(&mut self, span: crate::Span, fault: Fault) {
        let Fault { message, hint } = fault;
        let diagnostic = Diagnostic {
            span,
            message,
            hint,
        };
        if !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
    }
}

/// That a form wants another text in one place: the tag by which tables differ.
fn tag<'e, 'i>(form: &'e [ValidationError<'i>]) -> Option<(&'e ValidationError<'i>, &'e str)> {
    form.iter().find_map(|error| match error.kind() {
        Kind::Constant { expected_value } => Some((error, expected_value.as_str()?)),
        _ => None,
    })
}
