//! What a schema says, in the words of TOML.

use jsonschema::JsonType;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::place::Place;
use crate::mistakes::Fault;
use crate::spelling;

/// With its article; the order is that of sentences.
const TYPES: [(JsonType, &str); 6] = [
    (JsonType::Object, "a table"),
    (JsonType::Array, "a list"),
    (JsonType::String, "a string"),
    (JsonType::Integer, "a whole number"),
    (JsonType::Number, "a number"),
    (JsonType::Boolean, "true or false"),
];

/// A mistake that concerns one value. `schema` is what the value is to satisfy.
pub(super) fn fault(place: &Place<'_>, kind: &Kind, schema: Option<&Value>) -> Fault {
    let name = &place.name;
    let must = |what: String| Fault::new(format!("{name} must {what}"));
    match kind {
        Kind::Type { kind } => {
            let fault = wrong_type(place, [kind].into_iter());
            match example(schema) {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            }
        }
        Kind::Enum { options } => match options.as_array().and_then(|all| texts(all)) {
            Some(choices) => not_a_choice(place, &choices),
            None => must(format!("be one of {options}")),
        },
        Kind::Constant { expected_value } => match expected_value.as_str() {
            Some(text) => not_a_choice(place, &[text]),
            None => must(format!("be {expected_value}")),
        },
        Kind::Pattern { pattern } => {
            let fault = Fault::new(format!("{name} is not written as it must be"));
            fault.with_hint(example(schema).unwrap_or_else(|| format!("it must match {pattern}")))
        }
        Kind::Minimum { limit } => must(format!("be at least {limit}")),
        Kind::Maximum { limit } => must(format!("be at most {limit}")),
        Kind::ExclusiveMinimum { limit } => must(format!("be more than {limit}")),
        Kind::ExclusiveMaximum { limit } => must(format!("be less than {limit}")),
        Kind::MultipleOf { multiple_of } => must(format!("be a multiple of {multiple_of}")),
        Kind::MinLength { limit: 1 } => must("not be empty".to_owned()),
        Kind::MinLength { limit } => must(format!("have at least {limit} characters")),
        Kind::MaxLength { limit } => must(format!("have at most {limit} characters")),
        Kind::MinItems { limit: 1 } => must("have at least one element".to_owned()),
        Kind::MinItems { limit } => must(format!("have at least {limit} elements")),
        Kind::AdditionalItems { limit } => must(format!("have at most {limit} elements")),
        Kind::MaxItems { limit } => must(format!("have at most {limit} elements")),
        Kind::MinProperties { limit } => must(format!("have at least {limit} keys")),
        Kind::MaxProperties { limit } => must(format!("have at most {limit} keys")),
        Kind::UniqueItems => must("not have the same element twice".to_owned()),
        other => Fault::new(format!("{name} is not what the plugin expects"))
            .with_hint(format!("its schema says `{}`", other.keyword())),
    }
}

/// `must be a list or a string, not true`
pub(super) fn wrong_type<'k>(
    place: &Place<'_>,
    wanted: impl Iterator<Item = &'k TypeKind>,
) -> Fault {
    let mut types = Vec::new();
    for kind in wanted {
        match kind {
            TypeKind::Single(one) => types.push(*one),
            TypeKind::Multiple(set) => types.extend(set.iter()),
        }
    }
    let mut words: Vec<&str> = TYPES
        .into_iter()
        .filter(|(one, _)| types.contains(one))
        .map(|(_, word)| word)
        .collect();
    let last = words.pop().unwrap_or("left out");
    let list = if words.is_empty() {
        last.to_owned()
    } else {
        format!("{} or {last}", words.join(", "))
    };
    Fault::new(format!(
        "{} must be {list}, not {}",
        place.name,
        place.type_name()
    ))
}

pub(super) fn not_a_choice(place: &Place<'_>, choices: &[&str]) -> Fault {
    // A text that is not in the file may be a secret.
    match place.text() {
        Some(text) => {
            let fault = Fault::new(format!("{} cannot be `{text}`", place.name));
            fault.with_hint(spelling::hint(
                text,
                choices.iter().copied(),
                "it is one of",
            ))
        }
        None => {
            let list: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
            Fault::new(format!("{} cannot be {}", place.name, place.type_name()))
                .with_hint(format!("it is one of {}", list.join(", ")))
        }
    }
}

/// A table that could be one of several and is none.
pub(super) fn no_form(place: &Place<'_>, forms: &[Value]) -> Fault {
    let fault = Fault::new(format!("{} has none of the forms it may have", place.name));
    let keys = |form: &Value| {
        let required = form
            .get("required")?
            .as_array()
            .and_then(|all| texts(all))?;
        Some(format!("{{ {} }}", required.join(", ")))
    };
    let forms: Vec<String> = forms.iter().filter_map(keys).collect();
    if forms.is_empty() {
        fault
    } else {
        fault.with_hint(format!("they are {}", forms.join(", ")))
    }
}

/// The texts that forms stand for, when that is all they are: an enum whose values are documented.
pub(super) fn choices(forms: &[Value]) -> Option<Vec<&str>> {
    let mut all = Vec::new();
    for form in forms {
        match (form.get("const"), form.get("enum")) {
            (Some(text), _) => all.push(text.as_str()?),
            (None, Some(Value::Array(values))) => all.extend(texts(values)?),
            _ => return None,
        }
    }
    Some(all)
}

fn texts(values: &[Value]) -> Option<Vec<&str>> {
    values.iter().map(Value::as_str).collect()
}

fn example(schema: Option<&Value>) -> Option<String> {
    let examples = texts(schema?.get("examples")?.as_array()?)?;
    let quoted: Vec<_> = examples.iter().map(|text| format!("{text:?}")).collect();
    (!quoted.is_empty()).then(|| format!("write {}", quoted.join(" or ")))
}

/// The first paragraph of a doc comment.
pub(super) fn one_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = paragraph.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}
