//! Settings to a graph of calls that needs no further doubt.

use std::time::Duration;

use shape::{Compiler, Json, Kind, Roots, Statuses, Target, Text, Tree, Uses};

use crate::graph;
use crate::output::{Mark, Output};
use crate::settings::{CallSettings, Settings};

/// Everything, compiled.
#[derive(Debug)]
pub struct Plan {
    pub(crate) calls: Vec<Planned>,
    pub(crate) output: Output,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Text)>,
    pub(crate) mark: Mark,
    pub(crate) max_total: usize,
    pub(crate) max_request: u32,
    pub(crate) uses: Uses,
}

/// One call.
#[derive(Debug)]
pub struct Planned {
    pub(crate) name: String,
    pub(crate) upstream: String,
    pub(crate) method: String,
    pub(crate) target: Target,
    pub(crate) headers: Vec<(String, Text)>,
    pub(crate) forward: Vec<String>,
    pub(crate) body: Option<Tree>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_response: Option<u32>,
    pub(crate) optional: bool,
    pub(crate) default: Option<Json>,
    pub(crate) accept: Statuses,
    /// The calls whose answers it names.
    pub(crate) needs: Vec<usize>,
}

impl Plan {
    /// Compiles; the error has every mistake with its place.
    pub fn new(settings: &Settings) -> Result<Plan, String> {
        let mut compiler = Compiler::default();
        let roots = Roots::new(Kind::Request, settings.calls.keys().cloned());
        let mut uses = Uses::default();
        let mut calls: Vec<_> = settings
            .calls
            .iter()
            .map(|(name, call)| planned(name, call, &roots, &mut uses, &mut compiler))
            .collect();
        let names: Vec<String> = calls.iter().map(|(call, _)| call.name.clone()).collect();
        for (call, uses) in &mut calls {
            let needs = names
                .iter()
                .enumerate()
                .filter(|(_, name)| uses.takes(name));
            call.needs = needs.map(|(at, _)| at).collect();
        }
        let calls: Vec<Planned> = calls.into_iter().map(|(call, _)| call).collect();
        let output = Output::new(settings, &names, &roots, &mut uses, &mut compiler);
        let headers = texts(
            "headers",
            settings.headers.iter(),
            &roots,
            &mut uses,
            &mut compiler,
        );
        let mark = Mark::new(settings, &output, &mut compiler);
        let plan = Plan {
            calls,
            output,
            status: settings.status,
            headers,
            mark,
            max_total: settings.max_total.0 as usize,
            max_request: settings.max_request.0,
            uses,
        };
        plan.check(&mut compiler);
        compiler.finish(plan)
    }

    fn check(&self, compiler: &mut Compiler) {
        if self.calls.is_empty() {
            compiler.mistake("calls", "there is none; name at least one");
        }
        if !(200..600).contains(&self.status) {
            compiler.mistake(
                "status",
                format!("{} is no status of an answer", self.status),
            );
        }
        let needs: Vec<&[usize]> = self
            .calls
            .iter()
            .map(|call| call.needs.as_slice())
            .collect();
        if let Some(cycle) = graph::cycle(&needs) {
            let names: Vec<&str> = cycle
                .iter()
                .map(|at| self.calls[*at].name.as_str())
                .collect();
            let text = format!("they wait for one another: {}", names.join(" -> "));
            compiler.mistake("calls", text);
        }
        for (at, call) in self.calls.iter().enumerate() {
            let merged = match &self.output {
                Output::Merge(members) => members.iter().any(|(_, call, _)| *call == at),
                Output::Page(page) => page.uses().takes(&call.name),
            };
            let needed = merged
                || self.calls.iter().any(|other| other.needs.contains(&at))
                || self
                    .headers
                    .iter()
                    .any(|(_, text)| text.uses().takes(&call.name));
            // Another method does something even when nobody reads the answer.
            if !needed && call.method == "GET" {
                let text =
                    "nothing uses its answer; merge it, name it in another call, or remove it";
                compiler.mistake(&format!("calls.{}", call.name), text);
            }
        }
    }

    /// The most body that the plugin asks the gateway for.
    pub fn body_limit(&self) -> u32 {
        if self.uses.takes("body") {
            self.max_request
        } else {
            0
        }
    }
}

fn planned(
    name: &str,
    settings: &CallSettings,
    roots: &Roots,
    all: &mut Uses,
    compiler: &mut Compiler,
) -> (Planned, Uses) {
    let place = format!("calls.{name}");
    let at = |key: &str| format!("{place}.{key}");
    compiler.check(&place, named(name));
    compiler.check(&at("method"), method(&settings.method));
    if settings.upstream.is_empty() {
        compiler.mistake(&at("upstream"), "name an upstream of gateway.toml");
    }
    if settings.default.is_some() && !settings.optional {
        compiler.mistake(
            &at("default"),
            "only an optional call has one; add optional = true",
        );
    }
    let mut uses = Uses::default();
    let target = compiler.target(&at("path"), &settings.path, roots);
    uses.add(target.uses());
    let headers = texts(
        &at("headers"),
        settings.headers.iter(),
        roots,
        &mut uses,
        compiler,
    );
    let body = settings
        .body
        .as_ref()
        .map(|body| compiler.tree(&at("body"), body, roots));
    if let Some(body) = &body {
        uses.add(body.uses());
    }
    let forward = settings
        .forward_headers
        .iter()
        .map(|name| compiler.header(&at("forward_headers"), name))
        .collect();
    all.add(&uses);
    let call = Planned {
        name: name.to_owned(),
        upstream: settings.upstream.clone(),
        method: settings.method.clone(),
        target,
        headers,
        forward,
        body,
        timeout: settings.timeout,
        max_response: settings.max_response.map(|size| size.0),
        optional: settings.optional,
        default: settings.default.clone(),
        accept: settings.accept.clone(),
        needs: Vec::new(),
    };
    (call, uses)
}

fn texts<'s>(
    place: &str,
    table: impl Iterator<Item = (&'s String, &'s String)>,
    roots: &Roots,
    uses: &mut Uses,
    compiler: &mut Compiler,
) -> Vec<(String, Text)> {
    let mut out = Vec::new();
    for (name, source) in table {
        let place = format!("{place}.{name}");
        let header = compiler.header(&place, name);
        let text = compiler.text(&place, source, roots);
        uses.add(text.uses());
        out.push((header, text));
    }
    out
}

/// A name in expressions, and a token in the mark's header (RFC 9651 section 3.3.4).
fn named(name: &str) -> Result<(), String> {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(letters) {
        return Err("a call's name is a lower-case letter, then letters, digits and _".to_owned());
    }
    if Roots::is_taken(name) {
        Err(format!("{name} has a meaning already; take another name"))
    } else {
        Ok(())
    }
}

fn method(method: &str) -> Result<(), String> {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if known.contains(&method) {
        Ok(())
    } else {
        Err(format!("{method:?} is none of {}", known.join(", ")))
    }
}
