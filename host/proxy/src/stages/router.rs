//! Which route a request takes.
//!
//! Specificity, most telling first: an exact host before `*.suffix` (the longer suffix first) before any host;
//! then the path, segment by segment from the left: a literal before `{param}` before `/**`; then more conditions
//! (headers and query) before fewer; then the order of the file. A route whose conditions or method do not match
//! is passed over, so a less specific one may still serve.

mod fit;

use std::collections::HashMap;
use std::sync::Arc;

use http::header::HeaderValue;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use portcullis_config::plan::{Condition, RoutePlan, Segment, Want};
use portcullis_exchange::Target;
use rustc_hash::FxHashMap;

pub use fit::Fit;

/// Routes of one configuration, by index into its list.
#[derive(Debug, Default)]
pub struct Router {
    exact: HashMap<String, Node>,
    /// `*.example.com` as `.example.com`, longest first.
    suffix: Vec<(String, Node)>,
    any: Option<Node>,
    routes: Vec<Rule>,
    /// Parameters that some routes have conditions on.
    query_names: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    methods: Vec<Method>,
    headers: Vec<Condition>,
    query: Vec<Condition>,
    params: Vec<Arc<str>>,
}

/// A trie of path segments. Hashing a segment keeps the cost independent of the number of routes; a fast hash will do,
/// because the keys come from gateway.toml and not from clients.
#[derive(Debug, Default)]
struct Node {
    literal: FxHashMap<Box<str>, Node>,
    param: Option<Box<Node>>,
    /// Routes that end here, most specific first.
    here: Vec<usize>,
    /// Routes that take everything from here on.
    open: Vec<usize>,
}

/// What routing looks at.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub host: &'a str,
    pub target: &'a Target,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

/// The route found, with the values of its `{param}`s.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub route: usize,
    pub params: Vec<(Arc<str>, String)>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum NotFound {
    Path,
    /// The path is known; these methods are.
    Method(Vec<String>),
}

struct Search<'a> {
    wanted: Wanted<'a>,
    routes: &'a [Rule],
    values: Vec<&'a str>,
    allowed: Vec<String>,
}

// === impl Router ===

impl Router {
    pub fn new(plans: &[RoutePlan]) -> Router {
        let mut router = Router {
            routes: plans.iter().map(rule).collect(),
            query_names: query_names(plans),
            ..Router::default()
        };
        let mut order: Vec<usize> = (0..plans.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(plans[i].headers.len() + plans[i].query.len()));
        for index in order {
            let plan = &plans[index];
            if plan.hosts.is_empty() {
                router.any.get_or_insert_default().insert(plan, index);
            }
            for host in &plan.hosts {
                router.host(host).insert(plan, index);
            }
        }
        router
            .suffix
            .sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        router
    }

    fn host(&mut self, host: &str) -> &mut Node {
        let Some(suffix) = host.strip_prefix('*') else {
            return self.exact.entry(host.to_owned()).or_default();
        };
        let at = self
            .suffix
            .iter()
            .position(|(s, _)| s == suffix)
            .unwrap_or_else(|| {
                self.suffix.push((suffix.to_owned(), Node::default()));
                self.suffix.len() - 1
            });
        &mut self.suffix[at].1
    }

    /// Whether some routes are for some hosts only.
    pub fn asks_for_hosts(&self) -> bool {
        !self.exact.is_empty() || !self.suffix.is_empty()
    }

    /// A parameter that some route has a condition on and that some servers find in a query where others find none, or
    /// another value.
    pub fn ambiguous_parameter(&self, target: &Target) -> Option<&str> {
        let query = target.query()?;
        let mut names = self.query_names.iter();
        let found = names.find(|name| portcullis_syntax::query::is_ambiguous(query, name));
        found.map(String::as_str)
    }

    /// `wanted.host` is lower case and has no port.
    pub fn find(&self, wanted: Wanted<'_>) -> Result<Found, NotFound> {
        // "/" is the root itself, not an empty segment below it.
        let rest = wanted
            .target
            .canonical_path()
            .get(1..)
            .filter(|rest| !rest.is_empty());
        let mut search = Search {
            wanted,
            routes: &self.routes,
            values: Vec::new(),
            allowed: Vec::new(),
        };
        let exact = self.exact.get(wanted.host).into_iter();
        let suffix = self
            .suffix
            .iter()
            .filter(|(s, _)| wanted.host.ends_with(s.as_str()))
            .map(|(_, node)| node);
        for node in exact.chain(suffix).chain(&self.any) {
            if let Some(found) = search.visit(node, rest) {
                return Ok(found);
            }
        }
        if search.allowed.is_empty() {
            return Err(NotFound::Path);
        }
        search.allowed.sort_unstable();
        search.allowed.dedup();
        Err(NotFound::Method(search.allowed))
    }
}

fn query_names(plans: &[RoutePlan]) -> Vec<String> {
    let conditions = plans.iter().flat_map(|plan| &plan.query);
    let mut names: Vec<String> = conditions.map(|condition| condition.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn rule(plan: &RoutePlan) -> Rule {
    let param = |segment: &Segment| match segment {
        Segment::Param(name) => Some(Arc::from(name.as_str())),
        Segment::Literal(_) => None,
    };
    Rule {
        methods: plan
            .methods
            .iter()
            .filter_map(|m| Method::from_bytes(m.as_bytes()).ok())
            .collect(),
        headers: plan.headers.clone(),
        query: plan.query.clone(),
        params: plan.path.segments.iter().filter_map(param).collect(),
    }
}

// === impl Node ===

impl Node {
    fn insert(&mut self, plan: &RoutePlan, index: usize) {
        let mut node = self;
        for segment in &plan.path.segments {
            node = match segment {
                Segment::Literal(text) => node.literal.entry(normal(text)).or_default(),
                Segment::Param(_) => node.param.get_or_insert_default(),
            };
        }
        if plan.path.open {
            node.open.push(index);
        } else {
            node.here.push(index);
        }
    }
}

/// A literal as it looks in the canonical path of a target.
fn normal(text: &str) -> Box<str> {
    // By the laxest rules: whether a request may have it is said where the route is read.
    match Target::parse(&format!("/{text}")) {
        Ok(target) => target.canonical_path()[1..].into(),
        Err(_) => text.into(),
    }
}

// === impl Search ===

impl<'a> Search<'a> {
    /// `rest` is what follows the last slash passed; None at the end of the path.
    fn visit(&mut self, node: &'a Node, rest: Option<&'a str>) -> Option<Found> {
        let Some(rest) = rest else {
            return self
                .first_of(&node.here)
                .or_else(|| self.first_of(&node.open));
        };
        let (segment, below) = match rest.split_once('/') {
            Some((segment, below)) => (segment, Some(below)),
            None => (rest, None),
        };
        if let Some(child) = node.literal.get(segment)
            && let Some(found) = self.visit(child, below)
        {
            return Some(found);
        }
        if !segment.is_empty()
            && let Some(child) = &node.param
        {
            self.values.push(segment);
            let found = self.visit(child, below);
            self.values.pop();
            if found.is_some() {
                return found;
            }
        }
        self.first_of(&node.open)
    }

    fn first_of(&mut self, candidates: &[usize]) -> Option<Found> {
        for &index in candidates {
            let rule = &self.routes[index];
            if !self.conditions_hold(rule) {
                continue;
            }
            if rule.methods.is_empty() || rule.methods.contains(self.wanted.method) {
                let decoded = self
                    .values
                    .iter()
                    .map(|v| percent_decode_str(v).decode_utf8_lossy().into_owned());
                return Some(Found {
                    route: index,
                    params: rule.params.iter().cloned().zip(decoded).collect(),
                });
            }
            self.allowed
                .extend(rule.methods.iter().map(|m| m.as_str().to_owned()));
        }
        None
    }

    fn conditions_hold(&self, rule: &Rule) -> bool {
        headers_hold(self.wanted.headers, &rule.headers)
            && (rule.query.is_empty() || query_holds(self.wanted.target, &rule.query))
    }
}

fn query_holds(target: &Target, conditions: &[Condition]) -> bool {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let query = target.query().unwrap_or_default();
    let pairs: Vec<(String, String)> = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    conditions.iter().all(|c| {
        let named = pairs.iter().filter(|(name, _)| *name == c.name);
        holds(&c.want, named.map(|(_, value)| value.as_bytes()))
    })
}

pub(crate) fn headers_hold(headers: &HeaderMap, conditions: &[Condition]) -> bool {
    conditions.iter().all(|c| {
        let values = headers.get_all(&c.name).iter();
        holds(&c.want, values.map(HeaderValue::as_bytes))
    })
}

/// Whether the values that a request has are as wanted.
pub(crate) fn holds<'v>(want: &Want, mut values: impl Iterator<Item = &'v [u8]>) -> bool {
    match want {
        Want::Present => values.next().is_some(),
        Want::Absent => values.next().is_none(),
        Want::Equals(text) => values.any(|value| value == text.as_bytes()),
    }
}
