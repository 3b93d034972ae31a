//! What can only be checked once the components are known: every route has the plugins it needs, and only those it can
//! use.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_config::diagnostic::{Diagnostic, Report};
use portcullis_config::plan::{Plan, PluginRef, RoutePlan};
use portcullis_runtime::{Kind, Plugin};

/// Reports every mistake at once.
pub(super) fn check(
    plan: &Arc<Plan>,
    plugins: &BTreeMap<Arc<str>, Arc<Plugin>>,
) -> Result<(), Report> {
    let mut found = Vec::new();
    for route in &plan.routes {
        check_chain(route, plugins, &mut found);
    }
    check_failure_modes(plan, plugins, &mut found);
    if found.is_empty() {
        Ok(())
    } else {
        Err(Report::new(plan.source.clone(), found))
    }
}

fn check_chain(
    route: &RoutePlan,
    plugins: &BTreeMap<Arc<str>, Arc<Plugin>>,
    found: &mut Vec<Diagnostic>,
) {
    let kinds = || {
        let known = |used: &PluginRef| plugins.get(&used.name).map(|plugin| plugin.kind());
        route.plugins.iter().filter_map(known)
    };
    let has = |kind| kinds().any(|k| k == kind);
    let mut say = |message: String, hint: &str| {
        found.push(Diagnostic {
            span: route.span,
            message,
            hint: Some(hint.to_owned()),
        });
    };
    let (name, identified) = (&route.name, has(Kind::Authenticator));
    if !route.public && !identified {
        say(
            format!("route `{name}` lists no authenticator, so nobody could use it"),
            "list one in `plugins`, or write `public = true` if everybody may",
        );
    }
    if route.public && identified {
        say(
            format!("route `{name}` is public and lists an authenticator"),
            "take one of the two away",
        );
    }
    if route.public && has(Kind::Authorizer) {
        say(
            format!(
                "route `{name}` is public and lists an authorizer, which has no caller to judge"
            ),
            "list an authenticator instead of `public = true`",
        );
    }
    let handlers = kinds().filter(|kind| *kind == Kind::Handler).count();
    if handlers > 1 {
        say(
            format!("route `{name}` lists {handlers} handlers"),
            "one handler answers; list one",
        );
    }
    match (handlers, route.answered_by()) {
        (0, None) => say(
            format!("route `{name}` has nothing that answers"),
            "add `upstream = \"…\"`, `split`, `redirect` or `respond`, or list a handler",
        ),
        (1.., Some(key)) => say(
            format!("route `{name}` has both a handler and `{key}`"),
            "one of them answers; take the other away",
        ),
        _ => {}
    }
}

/// Only a filter may be passed by: without an authenticator or authorizer nobody may, without a handler there is
/// no answer.
fn check_failure_modes(
    plan: &Plan,
    plugins: &BTreeMap<Arc<str>, Arc<Plugin>>,
    found: &mut Vec<Diagnostic>,
) {
    let own = plan
        .plugin
        .values()
        .map(|plugin| (&plugin.name, &plugin.given));
    let used = plan.routes.iter().flat_map(|route| &route.plugins);
    let narrowed = used.filter_map(|used| Some((&used.name, used.narrowed.as_ref()?)));
    for (name, given) in own.chain(narrowed).filter(|(_, given)| given.fail_open) {
        let kind = plugins.get(name).map(|plugin| plugin.kind());
        if let Some(kind) = kind.filter(|kind| *kind != Kind::Filter) {
            found.push(Diagnostic {
                span: given.on_failure_span,
                message: format!(
                    "plugin `{name}` is a{} {kind}: it cannot fail open",
                    article(kind)
                ),
                hint: Some("`on_failure = \"open\"` is for filters; leave it out".to_owned()),
            });
        }
    }
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Authenticator | Kind::Authorizer => "n",
        Kind::Filter | Kind::Handler => "",
    }
}
