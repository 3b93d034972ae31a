//! `[cache]`, and `cache = {}` of a route.

use std::path::{Path, PathBuf};

use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{Audience, CachePlan, DiskPlan, Plugins, RouteCache};

/// `plugins`: whose folders are no place for it.
pub(super) fn store(fields: &Fields<'_>, dir: &Path, plugins: &Plugins) -> CachePlan {
    let max_object = fields.size("max_object");
    CachePlan {
        memory: fields.size("memory"),
        max_object: usize::try_from(max_object).unwrap_or(usize::MAX),
        disk: disk(fields, dir, plugins, max_object),
    }
}

fn disk(cache: &Fields<'_>, dir: &Path, plugins: &Plugins, max_object: u64) -> Option<DiskPlan> {
    cache.table("disk")?;
    let fields = cache.fields("disk", &keys::CACHE_DISK);
    let mistake = |key: &str, what: String, hint: &str| {
        let fault = Fault::new(what).with_hint(hint);
        fields.mistakes().fault(fields.span_of(key), fault);
    };
    let size = fields.size("size");
    if size < max_object.saturating_mul(4) {
        mistake(
            "size",
            "`size` has no room for four of the largest responses".to_owned(),
            "raise it, or lower `max_object` of [cache]",
        );
    }
    let word = fields.required_text("folder")?;
    if word.text.is_empty() {
        mistake(
            "folder",
            "`folder` is empty".to_owned(),
            "name a folder of the gateway's own: \"cache.d\"",
        );
    }
    let folder = dir.join(word.text);
    let code = plugins.cache.as_ref();
    let taken = |other: &PathBuf| other.starts_with(&folder);
    if taken(&plugins.folder) || code.is_some_and(taken) {
        mistake(
            "folder",
            format!(
                "`{}` is not the cache's alone: [plugins] uses it",
                word.text
            ),
            "name a folder of the cache's own",
        );
    }
    Some(DiskPlan {
        folder,
        folder_span: word.span,
        size,
    })
}

/// None where the route has no `cache`.
pub(super) fn route(route: &Fields<'_>, methods: &[String], public: bool) -> Option<RouteCache> {
    let (span, _) = route.table("cache")?;
    let fields = route.fields("cache", &keys::ROUTE_CACHE);
    let mistake = |what: &str, hint: &str| {
        let fault = Fault::new(what).with_hint(hint);
        fields.mistakes().fault(span, fault);
    };
    if !methods.is_empty() && !methods.iter().any(|method| method == "GET") {
        mistake(
            "the route stores nothing: it does not serve GET",
            "take `cache` out, or add \"GET\" to `methods`",
        );
    }
    if route.item("upstream").is_none() && route.item("split").is_none() {
        mistake(
            "the route has no upstream whose responses could be stored",
            "take `cache` out; what a plugin answers is not stored",
        );
    }
    let given = |name: &str| {
        fields
            .item(name)
            .map(|_| fields.duration_or(name, std::time::Duration::ZERO))
    };
    Some(RouteCache {
        ttl: given("ttl"),
        negative_ttl: given("negative_ttl"),
        stale_while_revalidate: fields.duration("stale_while_revalidate"),
        stale_if_error: fields.duration("stale_if_error"),
        audience: audience(&fields, public),
        client_directives: fields.flag("client_directives"),
        status: fields.flag("status"),
        hide_tags: fields.flag("hide_tags"),
    })
}

fn audience(fields: &Fields<'_>, public: bool) -> Audience {
    let (per, shared) = (fields.choice_if_given("per"), fields.flag("shared"));
    let mistake = |key: &str, what: &str, hint: &str| {
        let fault = Fault::new(what).with_hint(hint);
        fields.mistakes().fault(fields.span_of(key), fault);
    };
    match (public, per, shared) {
        (true, Some("caller"), _) => mistake(
            "per",
            "a public route has no callers to store responses for",
            "take `per` out",
        ),
        (true, _, true) => mistake(
            "shared",
            "everyone shares what a public route stores already",
            "take `shared` out",
        ),
        (false, Some("everyone"), false) => mistake(
            "per",
            "the route has callers: what one is told could be shown to another",
            "write `shared = true` to share what the upstream allows, or take `per` out",
        ),
        (false, Some("caller"), true) => mistake(
            "shared",
            "`shared` and `per = \"caller\"` exclude each other",
            "take one of the two out",
        ),
        _ => {}
    }
    match (public, shared) {
        (true, _) => Audience::Everyone,
        (false, true) => Audience::Callers,
        (false, false) => Audience::Caller,
    }
}
