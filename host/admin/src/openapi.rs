//! The table of operations as an OpenAPI 3.1 document.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::answer::{JSON, PROBLEM, ProblemPage};
use crate::operation::{Gives, Operation, Role, Takes, Verb};

/// Statuses of problems that any request may meet.
const ALWAYS: [u16; 5] = [400, 401, 403, 421, 431];
/// And any request with a body.
const WITH_BODY: [u16; 3] = [408, 413, 415];

pub(crate) fn document(operations: &[Operation]) -> Value {
    let given = SchemaSettings::draft2020_12().with(placed).for_serialize();
    let taken = SchemaSettings::draft2020_12()
        .with(placed)
        .for_deserialize();
    let (mut given, mut taken) = (given.into_generator(), taken.into_generator());
    let problem = given.subschema_for::<ProblemPage>();
    let mut paths = Map::new();
    for operation in operations {
        let described = describe(operation, &mut given, &mut taken);
        let path = operation.path.replace("{*", "{");
        let at = paths.entry(path).or_insert_with(|| json!({}));
        at[operation.method.as_str().to_lowercase()] = described;
        if operation.method == Verb::Get {
            at["head"] = head(&at["get"]);
        }
    }
    let mut schemas = given.take_definitions(true);
    schemas.extend(taken.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portcullis, the admin listener",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "token": [] }, { "certificate": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "what went wrong (RFC 9457)",
                "content": { PROBLEM: { "schema": problem } },
            } },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

fn placed(settings: &mut SchemaSettings) {
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
}

fn describe(
    operation: &Operation,
    given: &mut SchemaGenerator,
    taken: &mut SchemaGenerator,
) -> Value {
    let mut responses = Map::new();
    let (status, kind, schema) = match operation.gives {
        Gives::Json(status, schema) => (status, JSON, schema(given).to_value()),
        Gives::Other(kind) => (200, kind, json!({})),
    };
    responses.insert(
        status.to_string(),
        json!({ "description": "done", "content": { kind: { "schema": schema } } }),
    );
    let changes = operation.needs == Role::Write;
    let body = WITH_BODY.iter().filter(|_| changes);
    let problems = ALWAYS.iter().chain(body).chain(operation.problems);
    for status in problems {
        let problem = json!({ "$ref": "#/components/responses/Problem" });
        responses.insert(status.to_string(), problem);
    }
    let mut described = json!({
        "operationId": name(operation),
        "summary": operation.about,
        "responses": responses,
        "parameters": parameters(operation.path),
    });
    if operation.needs == Role::Anyone {
        described["security"] = json!([{}]);
    }
    if let Some((schema, required)) = taken_body(&operation.takes, taken) {
        described["requestBody"] = json!({
            "required": required,
            "content": { JSON: { "schema": schema } },
        });
    }
    described
}

/// The schema of a request's body, and whether there must be one.
fn taken_body(takes: &Takes, taken: &mut SchemaGenerator) -> Option<(Schema, bool)> {
    match takes {
        Takes::Nothing => None,
        Takes::Perhaps(schema) => Some((schema(taken), false)),
        Takes::Json(schema) => Some((schema(taken), true)),
    }
}

/// GET without what GET answers.
fn head(get: &Value) -> Value {
    let mut head = get.clone();
    if let Some(id) = get["operationId"].as_str() {
        head["operationId"] = json!(id.replacen("get_", "head_", 1));
    }
    let answers = head["responses"].as_object_mut().into_iter().flatten();
    for (_, answer) in answers {
        *answer = json!({ "description": "as GET, without its body" });
    }
    head
}

/// `get_cache`, `post_cache_purge`
fn name(operation: &Operation) -> String {
    let path = operation
        .path
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{}{path}", operation.method.as_str().to_lowercase())
}

fn parameters(path: &str) -> Value {
    let names = path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.trim_start_matches('*'))
    });
    let parameter = |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } });
    names.map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::OPERATIONS;

    #[test]
    fn the_document_names_every_operation_and_every_schema_it_points_to() {
        let document = document(OPERATIONS);
        for operation in OPERATIONS {
            let path = operation.path.replace("{*", "{");
            let method = operation.method.as_str().to_lowercase();
            let told = &document["paths"][path][&method];
            assert_eq!(told["operationId"], name(operation));
        }
        let text = document.to_string();
        let pointers = text.split("\"$ref\":\"#").skip(1);
        let mut seen = 0;
        for pointer in pointers.filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            seen += 1;
        }
        assert!(seen > OPERATIONS.len());
    }
}
