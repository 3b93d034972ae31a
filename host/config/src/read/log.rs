//! `[log]`, and `log` of a route.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use crate::fields::{Fields, Word};
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{Log, LogField, LogFile, LogFormat, Redact, RouteLog, Sample};
use crate::spelling;

/// What is told unless somebody chooses: the query may hold what nobody thought of.
const UNASKED: LogField = LogField::Query;

/// Of the whole file.
pub(super) fn read(root: &Fields<'_>, dir: &Path) -> Log {
    let fields = &root.fields("log", &keys::LOG);
    let redact = fields.fields("redact", &keys::LOG_REDACT);
    Log {
        access: fields.flag("access"),
        format: match fields.choice("format") {
            "json" => LogFormat::Json,
            "text" => LogFormat::Text,
            _ => LogFormat::Auto,
        },
        fields: told(fields),
        request_headers: headers(fields, "request_headers"),
        response_headers: headers(fields, "response_headers"),
        redact: Redact {
            headers: headers(&redact, "headers"),
            parameters: lower(redact.distinct("parameters")),
            members: lower(redact.distinct("members")),
        },
        sample: samples(fields, &routes(root)),
        file: file(fields, dir),
    }
}

/// The names of all routes, also of those with mistakes.
fn routes<'a>(root: &Fields<'a>) -> BTreeSet<&'a str> {
    let routes = root
        .item("route")
        .and_then(|item| item.get_ref().as_array());
    let name = |item: &'a Spanned<DeValue<'a>>| item.get_ref().get("name")?.get_ref().as_str();
    routes.into_iter().flatten().filter_map(name).collect()
}

/// `log` of a route.
pub(super) fn of_route(fields: &Fields<'_>) -> RouteLog {
    let log = fields.fields("log", &keys::ROUTE_LOG);
    let size = |name| log.size_if_given(name).map(|size| size as usize);
    RouteLog {
        request_body: size("request_body"),
        response_body: size("response_body"),
    }
}

fn told(fields: &Fields<'_>) -> Vec<LogField> {
    let all = LogField::ALL.iter().copied();
    if fields.item("fields").is_none() {
        return all.filter(|field| *field != UNASKED).collect();
    }
    let wanted = fields.distinct("fields");
    let known = || LogField::ALL.iter().map(|field| field.as_str());
    for word in &wanted {
        if !known().any(|name| name == word.text) {
            let fault = Fault::new(format!("`{}` is not a field of the access log", word.text));
            let hint = spelling::hint(word.text, known(), "there are");
            fields.mistakes().fault(word.span, fault.with_hint(hint));
        }
    }
    all.filter(|field| wanted.iter().any(|word| word.text == field.as_str()))
        .collect()
}

fn headers(fields: &Fields<'_>, key: &str) -> Vec<String> {
    let words = fields.distinct(key);
    for word in &words {
        if !spelling::is_token(word.text) {
            let fault = Fault::new(format!("`{}` cannot be the name of a header", word.text));
            let fault = fault.with_hint("names have letters, digits and - (RFC 9110 section 5.1)");
            fields.mistakes().fault(word.span, fault);
        }
    }
    lower(words)
}

fn lower(words: Vec<Word<'_>>) -> Vec<String> {
    words
        .into_iter()
        .map(|word| word.text.to_lowercase())
        .collect()
}

fn samples(fields: &Fields<'_>, routes: &BTreeSet<&str>) -> Vec<Sample> {
    let Some(item) = fields.item("sample") else {
        return Vec::new();
    };
    let DeValue::Array(array) = item.get_ref() else {
        let fault = Fault::wrong_type("sample", "a list of tables", item.get_ref());
        fields.mistakes().fault(item.span().into(), fault);
        return Vec::new();
    };
    let hint = "write { status = \"2xx\", share = \"10%\" }";
    let rules = fields.tables("sample", array, &keys::LOG_SAMPLE, hint);
    let samples = rules.iter().filter_map(|rule| sample(rule, routes));
    samples.collect()
}

fn sample(rule: &Fields<'_>, routes: &BTreeSet<&str>) -> Option<Sample> {
    let class = rule.choice_if_given("status");
    let route = rule.text("route");
    if let Some(word) = route.filter(|word| !routes.contains(word.text)) {
        let fault = spelling::unknown_name("route", word.text, routes);
        rule.mistakes().fault(word.span, fault);
    }
    rule.required("share")?;
    Some(Sample {
        class: class.map(|class| u16::from(class.as_bytes()[0] - b'0')),
        route: route.map(|word| Arc::from(word.text)),
        share: rule.percent_if_given("share")?,
    })
}

fn file(fields: &Fields<'_>, dir: &Path) -> Option<LogFile> {
    fields.table("file")?;
    let file = fields.fields("file", &keys::LOG_FILE);
    let path = file.required_text("path")?;
    if path.text.is_empty() {
        let fault = Fault::new("`path` is empty").with_hint("write \"access.log\"");
        file.mistakes().fault(path.span, fault);
    }
    Some(LogFile {
        path: dir.join(path.text),
        rotate: file.size_if_given("rotate"),
        keep: file.count("keep") as usize,
    })
}
