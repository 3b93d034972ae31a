//! OpenAPI 3.1: from the document to rules by operation.

mod node;
mod template;

use std::sync::Arc;

use serde_json::Value;

use crate::findings::Place;
use crate::media::MediaRange;
use crate::param::Param;
use crate::rules::{Content, Rules, StatusRange};
use crate::schema::{Compiler, Schema};
use node::Node;
use template::{Template, lenient};

/// What a document describes.
#[derive(Debug)]
pub struct Api {
    base: String,
    /// Concrete paths first.
    paths: Vec<Path>,
    /// `GET /api/users/{id}`, for `portcullis check`.
    operations: Vec<String>,
}

#[derive(Debug)]
struct Path {
    template: Template,
    operations: Vec<(&'static str, Operation)>,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub request: Rules,
    /// The narrowest first.
    responses: Vec<(StatusRange, Rules)>,
}

const METHODS: [(&str, &str); 8] = [
    ("get", "GET"),
    ("put", "PUT"),
    ("post", "POST"),
    ("delete", "DELETE"),
    ("options", "OPTIONS"),
    ("head", "HEAD"),
    ("patch", "PATCH"),
    ("trace", "TRACE"),
];

/// Headers that the specification keeps out of parameters.
const NOT_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// The operations of a document, as method and path template: `("GET", "/users/{id}")`. What is no operation is
/// left out; a document that is none has none.
///
/// ```
/// let document = portcullis_sdk::serde_json::json!({
///     "openapi": "3.1.0",
///     "paths": { "/users/{id}": { "get": {}, "delete": {}, "summary": "one user" } }
/// });
/// let list = validate::openapi::operations(&document);
/// assert_eq!(list, [("DELETE", "/users/{id}"), ("GET", "/users/{id}")]);
/// ```
pub fn operations(document: &Value) -> Vec<(&'static str, &str)> {
    let paths = Node::root(document).get("paths");
    let mut list = Vec::new();
    for (path, item) in paths.iter().flat_map(Node::members) {
        let Ok(item) = item.resolved() else { continue };
        let there = METHODS
            .iter()
            .filter(|(key, _)| item.value.get(key).is_some_and(Value::is_object));
        list.extend(there.map(|&(_, method)| (method, path)));
    }
    list.sort_unstable_by_key(|&(method, path)| (path, method));
    list
}

// === impl Api ===

impl Api {
    /// Compiles every operation; each mistake is added with its place in the document.
    pub(crate) fn new(
        document: &Value,
        base: String,
        formats: bool,
        mistakes: &mut Vec<String>,
    ) -> Option<Api> {
        let root = Node::root(document);
        let version = root.text("openapi").unwrap_or("nothing");
        if !version.starts_with("3.1.") {
            mistakes.push(format!(
                "openapi: this is read as OpenAPI 3.1, but it says {version}; convert it first"
            ));
            return None;
        }
        let compiler = Compiler::of(document, formats)
            .map_err(|why| mistakes.push(format!("openapi: {why}")))
            .ok()?;
        let mut reader = Reader {
            compiler,
            mistakes: Vec::new(),
        };
        let mut paths = Vec::new();
        for (path, item) in root.get("paths").iter().flat_map(Node::members) {
            if path.starts_with("x-") {
                continue;
            }
            match Template::parse(path) {
                Ok(template) => paths.push(Path {
                    operations: reader.operations(item),
                    template,
                }),
                Err(why) => reader.mistakes.push(format!("{}: {why}", item.pointer)),
            }
        }
        if paths.iter().all(|path| path.operations.is_empty()) {
            reader
                .mistakes
                .push("/paths: there is no operation".to_owned());
        }
        paths.sort_by_cached_key(|path| path.template.rank());
        mistakes.extend(
            reader
                .mistakes
                .iter()
                .map(|mistake| format!("openapi: {mistake}")),
        );
        let whole = |(method, path)| format!("{method} {base}{path}");
        let operations = operations(document).into_iter().map(whole).collect();
        Some(Api {
            base,
            paths,
            operations,
        })
    }

    /// Every operation, as clients ask for it.
    pub(crate) fn operations(&self) -> &[String] {
        &self.operations
    }

    /// The operation of a request, and its path parameters. HEAD is answered by GET where it is not described.
    pub(crate) fn find(
        &self,
        method: &str,
        path: &str,
    ) -> Option<(&Operation, Vec<(String, String)>)> {
        let path = path.strip_prefix(self.base.as_str())?;
        let mut found = self.paths.iter();
        let (item, params) = found.find_map(|item| Some((item, item.template.find(path)?)))?;
        let by = |wanted: &str| item.operations.iter().find(|(method, _)| *method == wanted);
        let (_, operation) = by(method).or_else(|| by("GET").filter(|_| method == "HEAD"))?;
        Some((operation, params))
    }

    /// The operation that a lenient service may take the request for, where the document has none for it: its path is
    /// spelled in another way (`/users/`, `/Users`, `/users;x=1`), or fits a less concrete path that has the method.
    pub(crate) fn find_near(
        &self,
        method: &str,
        path: &str,
    ) -> Option<(&Operation, Vec<(String, String)>)> {
        let path = lenient(path);
        let method = if method == "HEAD" { "GET" } else { method };
        self.paths.iter().find_map(|item| {
            let mut operations = item.operations.iter();
            let (_, operation) = operations.find(|(known, _)| *known == method)?;
            Some((operation, item.template.find_near(&self.base, &path)?))
        })
    }
}

// === impl Operation ===

impl Operation {
    /// What a response of this status must be; `None` for a status that is not described.
    pub fn response(&self, status: u16) -> Option<&Rules> {
        let found = self.responses.iter().find(|(range, _)| range.holds(status));
        found.map(|(_, rules)| rules)
    }
}

// === reading ===

struct Reader<'d> {
    compiler: Compiler<'d>,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn follow<'d>(&mut self, node: Node<'d>) -> Option<Node<'d>> {
        node.resolved().map_err(|why| self.mistakes.push(why)).ok()
    }

    fn schema(&mut self, node: &Node) -> Option<Schema> {
        let schema = self.compiler.compile_at(&node.pointer);
        schema
            .map_err(|why| self.mistakes.push(format!("{}: {why}", node.pointer)))
            .ok()
    }

    fn operations(&mut self, item: Node) -> Vec<(&'static str, Operation)> {
        let Some(item) = self.follow(item) else {
            return Vec::new();
        };
        let shared = item.get("parameters");
        let there = METHODS
            .iter()
            .filter_map(|&(key, method)| Some((method, item.get(key)?)));
        let there: Vec<_> = there.collect();
        let read = there
            .into_iter()
            .map(|(method, node)| (method, self.operation(&node, shared.as_ref())));
        read.collect()
    }

    fn operation(&mut self, node: &Node, shared: Option<&Node>) -> Operation {
        let own = node.get("parameters");
        let mut request = Rules::default();
        // The operation's own parameters stand in place of those of its path.
        for list in [own.as_ref(), shared].into_iter().flatten() {
            for param in list.items() {
                let param = self.follow(param).and_then(|param| self.param(&param));
                let new = param.filter(|new| {
                    !request
                        .params
                        .iter()
                        .any(|old| old.place == new.place && old.name == new.name)
                });
                request.params.extend(new);
            }
        }
        if let Some(body) = node.get("requestBody").and_then(|body| self.follow(body)) {
            request.body_required = body.flag("required").unwrap_or(false);
            request.content = self.content(&body);
        }
        let mut responses = Vec::new();
        for (status, response) in node.get("responses").iter().flat_map(Node::members) {
            match StatusRange::parse(status) {
                Ok(range) => {
                    let rules = self
                        .follow(response)
                        .map(|response| self.response(&response));
                    responses.extend(rules.map(|rules| (range, rules)));
                }
                Err(_) if status.starts_with("x-") => {}
                Err(why) => self.mistakes.push(format!("{}: {why}", response.pointer)),
            }
        }
        responses.sort_by_key(|(range, _)| *range);
        Operation { request, responses }
    }

    /// Cookies, and objects spread over several parameters, are not checked.
    fn param(&mut self, node: &Node) -> Option<Param> {
        let name = node.text("name").unwrap_or_default();
        let place = match node.text("in") {
            Some("query") => Place::Query,
            Some("header") if NOT_PARAMETERS.iter().any(|n| name.eq_ignore_ascii_case(n)) => {
                return None;
            }
            Some("header") => Place::Header,
            Some("path") => Place::Path,
            Some("cookie") => return None,
            _ => {
                let place = &node.pointer;
                self.mistakes
                    .push(format!("{place}: `in` is query, header, path or cookie"));
                return None;
            }
        };
        let schema = node.get("schema");
        let object = schema.clone().and_then(|schema| schema.resolved().ok());
        if object.is_some_and(|schema| schema.text("type") == Some("object")) {
            return None;
        }
        let explode = node.flag("explode").unwrap_or(place == Place::Query);
        Some(Param {
            place,
            name: name.to_owned(),
            required: node.flag("required").unwrap_or(false),
            schema: schema.and_then(|schema| self.schema(&schema)),
            commas: place != Place::Query || !explode,
        })
    }

    fn response(&mut self, node: &Node) -> Rules {
        let mut rules = Rules::default();
        for (name, header) in node.get("headers").iter().flat_map(Node::members) {
            if let Some(header) = self
                .follow(header)
                .filter(|_| !name.eq_ignore_ascii_case("content-type"))
            {
                rules.params.push(Param {
                    place: Place::Header,
                    name: name.to_owned(),
                    required: header.flag("required").unwrap_or(false),
                    schema: header.get("schema").and_then(|schema| self.schema(&schema)),
                    commas: true,
                });
            }
        }
        rules.content = self.content(node);
        rules
    }

    fn content(&mut self, node: &Node) -> Option<Vec<Content>> {
        let media_types = node.get("content")?.members();
        let mut contents = Vec::new();
        for (name, media_type) in media_types {
            match MediaRange::parse(name) {
                Ok(range) => {
                    let schema = media_type
                        .get("schema")
                        .and_then(|schema| self.schema(&schema));
                    let schema = schema.map(Arc::new);
                    contents.push(Content { range, schema });
                }
                Err(why) => self.mistakes.push(format!("{}: {why}", media_type.pointer)),
            }
        }
        contents.sort_by(|a, b| a.range.cmp(&b.range));
        Some(contents)
    }
}
