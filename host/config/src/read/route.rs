//! `[[route]]`

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::matching::Match;
use super::{File, answer, cache, conflict, cors, edge, given, limit, log, resilience, websocket};
use crate::diagnostic::Span;
use crate::fields::{Fields, Word};
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{
    AnswerPlan, Compress, Cors, Listen, Maintenance, PluginPlan, PluginRef, RoutePlan, UpstreamPlan,
};
use crate::shapes::type_name;
use crate::spelling;

/// What routes have in common, unless one says otherwise.
struct General<'a> {
    /// The plugins whose tables have no mistake.
    plugins: &'a BTreeMap<Arc<str>, PluginPlan>,
    /// The upstreams whose tables have no mistake.
    upstreams: &'a BTreeMap<Arc<str>, UpstreamPlan>,
    listen: &'a Listen,
    maintenance: Maintenance,
    cors: Option<Cors>,
    compress: Arc<Compress>,
    /// Where a route says nothing.
    compresses: bool,
}

/// All routes in the order of the file; None when `route` is not a list of tables.
pub(super) fn read_all(
    file: &File<'_>,
    plugins: &BTreeMap<Arc<str>, PluginPlan>,
    upstreams: &BTreeMap<Arc<str>, UpstreamPlan>,
    listen: &Listen,
) -> Option<Vec<RoutePlan>> {
    let general = General::read(file, plugins, upstreams, listen);
    let item = file.root.required("route")?;
    let span = Span::from(item.span());
    let DeValue::Array(array) = item.get_ref() else {
        let fault = Fault::new(format!(
            "`route` must be a list of tables, not {}",
            type_name(item.get_ref())
        ));
        file.mistakes()
            .fault(span, fault.with_hint("write [[route]] with two brackets"));
        return None;
    };
    let mut routes = Vec::new();
    let mut names = BTreeMap::new();
    for item in array {
        let span = Span::from(item.span());
        let DeValue::Table(table) = item.get_ref() else {
            let fault = Fault::new(format!(
                "a route must be a table, not {}",
                type_name(item.get_ref())
            ));
            file.mistakes().fault(
                span,
                fault.with_hint("write [[route]] above the keys of one route"),
            );
            continue;
        };
        let fields = Fields::new(&keys::ROUTE, span, table, file.mistakes());
        let name = name(file, &fields, &mut names);
        let before = file.mistakes().len();
        let route = route(file, &fields, name, &general);
        // Half of a route may match what the whole would not: no conflict is told of it.
        if file.mistakes().len() == before {
            routes.extend(route);
        }
    }
    conflict::check(&routes, file.source, file.mistakes());
    Some(routes)
}

fn name<'a>(
    file: &File<'_>,
    fields: &Fields<'a>,
    names: &mut BTreeMap<&'a str, Span>,
) -> Option<Word<'a>> {
    let name = fields.required_text("name")?;
    fields
        .mistakes()
        .note(name.span, spelling::check_name(name.text));
    if let Some(first) = names.get(name.text) {
        let fault = Fault::new(format!("two routes are named `{}`", name.text));
        let hint = format!(
            "the other is on line {}; give one another name",
            file.source.line(*first)
        );
        fields.mistakes().fault(name.span, fault.with_hint(hint));
    } else {
        names.insert(name.text, name.span);
    }
    Some(name)
}

/// Every key is read before the first `?`, so that all mistakes are noted.
fn route<'a>(
    file: &File<'a>,
    fields: &Fields<'a>,
    name: Option<Word<'a>>,
    general: &General<'_>,
) -> Option<RoutePlan> {
    let matched = Match::read(fields, general.listen);
    let public = fields.flag("public");
    let plugins = plugins(file, fields, general);
    let answer = answer::read(file, fields, matched.path.as_ref());
    let mirror = edge::mirror(file, fields, answer.as_ref());
    let access = edge::access(&fields.fields("access", &keys::ACCESS));
    let maintenance = general.maintenance(fields);
    let cors = general.cors(fields);
    let compress = general.compress(fields);
    let limits = edge::head_limits(fields, general.listen);
    let max_body = fields.size_or("max_body", general.listen.max_body);
    let counted = limit::of_route(file, fields, public);
    let redirect_https = fields.flag_or("redirect_https", file.redirect_https);
    let server_timing = fields.flag("server_timing");
    let cache = cache::route(fields, &matched.methods, public);
    let target = answer.as_ref().and_then(AnswerPlan::first_upstream);
    let target = target.and_then(|name| general.upstreams.get(name));
    let guards = resilience::route(fields, target);
    let websocket = websocket::read(&fields.fields("websocket", &keys::WEBSOCKET));
    let log = log::of_route(fields);
    check_chain(fields, name.map_or(fields.span(), |name| name.span), public);
    let name = name?;
    Some(RoutePlan {
        name: Arc::from(name.text),
        span: name.span,
        hosts: matched.hosts,
        path: matched.path?,
        methods: matched.methods,
        headers: matched.headers,
        query: matched.query,
        public,
        plugins,
        answer: answer?,
        mirror,
        access,
        maintenance,
        cors,
        compress,
        limits,
        max_body,
        rate_limits: counted.rate,
        max_concurrent: counted.concurrent,
        redirect_https,
        server_timing,
        cache,
        guards,
        websocket,
        log,
    })
}

impl<'a> General<'a> {
    fn read(
        file: &File<'_>,
        plugins: &'a BTreeMap<Arc<str>, PluginPlan>,
        upstreams: &'a BTreeMap<Arc<str>, UpstreamPlan>,
        listen: &'a Listen,
    ) -> Self {
        let root = &file.root;
        Self {
            plugins,
            upstreams,
            listen,
            maintenance: edge::maintenance(&root.fields("maintenance", &keys::MAINTENANCE)),
            cors: cors_of(root),
            compress: Arc::new(edge::compress(&root.fields("compress", &keys::COMPRESS))),
            compresses: root.item("compress").is_some(),
        }
    }

    fn maintenance(&self, route: &Fields<'_>) -> Maintenance {
        match route.item("maintenance") {
            Some(_) => edge::maintenance(&route.fields("maintenance", &keys::MAINTENANCE)),
            None => self.maintenance.clone(),
        }
    }

    fn cors(&self, route: &Fields<'_>) -> Option<Cors> {
        match route.item("cors") {
            Some(_) => cors_of(route),
            None => self.cors.clone(),
        }
    }

    fn compress(&self, route: &Fields<'_>) -> Option<Arc<Compress>> {
        let compresses = route.flag_or("compress", self.compresses);
        compresses.then(|| self.compress.clone())
    }
}

fn cors_of(fields: &Fields<'_>) -> Option<Cors> {
    let (span, table) = fields.table("cors")?;
    cors::read(&Fields::new(&keys::CORS, span, table, fields.mistakes()))
}

/// The chain; names that are not there are noted and left out.
fn plugins(file: &File<'_>, fields: &Fields<'_>, general: &General<'_>) -> Vec<PluginRef> {
    let mut chain = Vec::new();
    for (word, entry) in fields.entries("plugins", &keys::ROUTE_PLUGIN) {
        if file.plugins.contains(word.text) {
            // A plugin whose own table has a mistake is not known: nothing to compare with.
            let own = general.plugins.get(word.text).map(|plugin| &plugin.given);
            let narrowed = entry.as_ref().zip(own);
            chain.push(PluginRef {
                name: Arc::from(word.text),
                span: word.span,
                narrowed: narrowed.map(|(entry, own)| given::narrowed(file, entry, own)),
            });
        } else {
            let fault = spelling::unknown_name("plugin", word.text, &file.plugins);
            fields.mistakes().fault(word.span, fault);
        }
    }
    chain
}

/// What can be said of a chain before its components are known: without any, the route must be public and have
/// something that answers. Asks for what is written, so that a misspelt name is not two mistakes.
fn check_chain(fields: &Fields<'_>, span: Span, public: bool) {
    let chain = fields.item("plugins").map(Spanned::get_ref);
    if chain.is_some_and(|chain| chain.as_array().is_none_or(|chain| !chain.is_empty())) {
        return;
    }
    if !public {
        let fault = Fault::new("the route has no authenticator: anyone could call it");
        fields.mistakes().fault(
            span,
            fault.with_hint("say `public = true`, or list an authenticator in `plugins`"),
        );
    }
    if answer::KEYS.iter().all(|key| fields.item(key).is_none()) {
        let fault = Fault::new("the route goes nowhere: it has neither `upstream` nor `plugins`");
        let hint =
            "name an upstream, or a plugin that answers; or write `split`, `redirect` or `respond`";
        fields.mistakes().fault(span, fault.with_hint(hint));
    }
}
