//! JSON Schema 2020-12: the one module that knows the library.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, Registry, ValidationError, Validator, draft202012};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::findings::{Findings, Kind, Place};

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    /// It wants an array; a parameter is cut into items then.
    pub list: bool,
}

/// Compiles schemas: those that stand alone, or those of one document.
#[derive(Debug)]
pub struct Compiler<'d> {
    formats: bool,
    document: Option<(&'d Value, Registry<'d>)>,
}

/// The name of the document among the library's resources. `.invalid` never resolves (RFC 2606).
const DOCUMENT: &str = "https://document.invalid/";

/// RFC 3986 section 3.5: what a fragment may hold as it is, of what pointers are made of.
const FRAGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'~')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// `$ref` to `$ref` to `$ref`: further than that is a circle.
const HOPS: usize = 16;

// === impl Compiler ===

impl<'d> Compiler<'d> {
    /// For schemas that stand alone.
    pub fn new(formats: bool) -> Compiler<'d> {
        Compiler {
            formats,
            document: None,
        }
    }

    /// For schemas inside a document, which may point to each other.
    pub fn of(document: &'d Value, formats: bool) -> Result<Compiler<'d>, String> {
        let registry = Registry::new()
            .draft(jsonschema::Draft::Draft202012)
            .add(DOCUMENT, document)
            .and_then(jsonschema::RegistryBuilder::prepare)
            .map_err(|error| error.to_string())?;
        Ok(Compiler {
            formats,
            document: Some((document, registry)),
        })
    }

    /// Compiles a schema that stands alone, given as a value or as its JSON text.
    pub fn compile(&self, schema: &Value) -> Result<Schema, String> {
        let schema = document(schema)?;
        let validator = self.validator(&schema)?;
        let list = wants_list(&schema, &schema);
        Ok(Schema { validator, list })
    }

    /// Compiles the schema at a pointer into the document.
    pub fn compile_at(&self, pointer: &str) -> Result<Schema, String> {
        let place = self.document.as_ref();
        let place = place.and_then(|(whole, _)| Some((*whole, whole.pointer(pointer)?)));
        let (whole, schema) = place.ok_or_else(|| format!("there is nothing at {pointer}"))?;
        if let Err(error) = draft202012::meta::validate(schema) {
            return Err(told(&error));
        }
        let fragment = utf8_percent_encode(pointer, FRAGMENT);
        let validator = self.validator(&json!({ "$ref": format!("{DOCUMENT}#{fragment}") }))?;
        let list = wants_list(whole, schema);
        Ok(Schema { validator, list })
    }

    fn validator(&self, schema: &Value) -> Result<Validator, String> {
        let mut options = draft202012::options()
            .offline()
            .should_validate_formats(self.formats)
            // Linear in the text, whatever the pattern; the default engine goes back and forth.
            .with_pattern_options(PatternOptions::regex());
        if let Some((_, registry)) = &self.document {
            options = options.with_registry(registry);
        }
        options.build(schema).map_err(|error| told(&error))
    }
}

/// A table, or the JSON text of one.
pub fn document(value: &Value) -> Result<Value, String> {
    match value {
        Value::String(text) => {
            serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))
        }
        other => Ok(other.clone()),
    }
}

fn told(error: &ValidationError) -> String {
    let place = error.instance_path().as_str();
    let what = error.to_string();
    let what: String = what.chars().take(200).collect();
    let hint = match error.kind() {
        ValidationErrorKind::Referencing(_) => "; only references inside of it are followed",
        ValidationErrorKind::Format { format } if format == "regex" => {
            "; patterns have no look-around and no back-references"
        }
        _ => "",
    };
    match place {
        "" => format!("it is no schema: {what}{hint}"),
        place => format!("it is no schema: {place}: {what}{hint}"),
    }
}

/// Whether `type` says array, behind references too.
fn wants_list(whole: &Value, schema: &Value) -> bool {
    let mut schema = schema;
    for _ in 0..HOPS {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = reference
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| whole.pointer(pointer));
        match (schema.get("type"), target) {
            (Some(kind), _) => return kind == "array",
            (None, Some(target)) => schema = target,
            (None, None) => return false,
        }
    }
    false
}

// === impl Schema ===

impl Schema {
    /// Whether the value fits.
    pub fn holds(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// Adds what is wrong with the value, as far as there is room. The sentences do not repeat the value.
    pub fn check(&self, value: &Value, place: Place, prefix: &str, findings: &mut Findings) {
        if self.holds(value) {
            return; // without an allocation
        }
        let room = findings.room();
        for error in self.validator.iter_errors(value).take(room) {
            let pointer = format!("{prefix}{}", error.instance_path().as_str());
            let detail = error.masked().to_string();
            findings.add(Kind::Violation, place, &pointer, &detail);
        }
    }

    /// How many of the errors say that the value is of another type.
    pub fn type_errors(&self, value: &Value) -> usize {
        let of_type = |error: &ValidationError| {
            matches!(
                error.kind(),
                ValidationErrorKind::Type {
                    kind: TypeKind::Single(_) | TypeKind::Multiple(_)
                }
            )
        };
        self.validator.iter_errors(value).filter(of_type).count()
    }
}
