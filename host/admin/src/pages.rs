//! The one table: every operation of the admin listener. Each subject has a file of its own.
//!
//! To mount one, add a line to [`OPERATIONS`]. HEAD comes with GET, 405 with its `Allow` by itself.

mod cache;
mod certs;
mod config;
mod console;
mod drain;
mod generation;
mod live;
mod log_level;
mod metrics;
mod openapi;
mod plugins;
mod probes;
mod refusals;
mod reload;
mod routes;
mod upstreams;
mod versions;

use portcullis_proxy::audit::Deed;

use crate::history::Entry;
use crate::operation::{Gives, Operation, Takes, get, named, of, open, post};

pub(crate) static OPERATIONS: &[Operation] = &[
    open(get(
        "/livez",
        "whether the process lives",
        Gives::Other("text/plain"),
        |call| Box::pin(probes::live(call)),
    )),
    open(get(
        "/readyz",
        "whether traffic may be sent here; if not, why not",
        Gives::Json(200, of::<probes::ReadyPage>),
        |call| Box::pin(probes::ready(call)),
    )),
    open(get(
        "/",
        "the console, for people",
        Gives::Other("text/html"),
        |call| Box::pin(console::page(call)),
    )),
    named(open(get(
        "/console/{file}",
        "a part of the console",
        Gives::Other("*/*"),
        |call| Box::pin(console::part(call)),
    ))),
    get(
        "/metrics",
        "every metric, for Prometheus",
        Gives::Other("text/plain"),
        |call| Box::pin(metrics::page(call)),
    ),
    get(
        "/routes",
        "the routes in the order of gateway.toml",
        Gives::Json(200, of::<Vec<routes::RoutePage>>),
        |call| Box::pin(routes::page(call)),
    ),
    get(
        "/upstreams",
        "the servers of each upstream: their state, why, and requests in flight",
        Gives::Json(200, of::<upstreams::UpstreamsPage>),
        |call| Box::pin(upstreams::page(call)),
    ),
    get(
        "/plugins",
        "each plugin: version, abilities, what it cost on each route, why a new version was refused",
        Gives::Json(200, of::<Vec<plugins::PluginPage>>),
        |call| Box::pin(plugins::page(call)),
    ),
    named(get(
        "/plugins/{name}",
        "one plugin",
        Gives::Json(200, of::<plugins::PluginPage>),
        |call| Box::pin(plugins::one(call)),
    )),
    named(get(
        "/plugins/{name}/history",
        "the versions of a plugin that served or were refused, newest first, and what differs",
        Gives::Json(200, of::<Vec<Entry>>),
        |call| Box::pin(versions::history(call)),
    )),
    get(
        "/live",
        "totals of requests by route: who wants rates takes differences",
        Gives::Json(200, of::<live::LivePage>),
        |call| Box::pin(live::page(call)),
    ),
    get(
        "/refusals/stream",
        "who is refused and why, as it happens",
        Gives::Other("text/event-stream"),
        |call| Box::pin(refusals::stream(call)),
    ),
    get(
        "/cache",
        "what is stored of responses, and what that was good for, by route",
        Gives::Json(200, of::<cache::CachePage>),
        |call| Box::pin(cache::page(call)),
    ),
    get(
        "/certs",
        "what TLS shows to clients and until when, and files of TLS that are bad",
        Gives::Json(200, of::<certs::CertsPage>),
        |call| Box::pin(certs::page(call)),
    ),
    get(
        "/config",
        "gateway.toml as it serves, without what is secret",
        Gives::Json(200, of::<config::ConfigPage>),
        |call| Box::pin(config::page(call)),
    ),
    get(
        "/generation",
        "which generation serves, since when, what it is made of, and which older ones still drain",
        Gives::Json(200, of::<generation::GenerationPage>),
        |call| Box::pin(generation::page(call)),
    ),
    get(
        "/log-level",
        "what the gateway logs about itself",
        Gives::Json(200, of::<log_level::LevelPage>),
        |call| Box::pin(log_level::page(call)),
    ),
    get(
        "/openapi.json",
        "this document",
        Gives::Other("application/json"),
        |call| Box::pin(openapi::page(call)),
    ),
    post(
        ("/reload", Deed::Admin),
        "read gateway.toml, the plugins and the files of TLS again",
        (Takes::Nothing, Gives::Json(200, of::<reload::ReloadedPage>)),
        &[422, 503],
        |call| Box::pin(reload::run(call)),
    ),
    post(
        ("/plugins/{name}/rollback", Deed::Admin),
        "let the version of a plugin that served before serve again, until its file changes",
        (Takes::Nothing, Gives::Json(200, of::<reload::ReloadedPage>)),
        &[404, 409, 503],
        |call| Box::pin(versions::roll_back(call)),
    ),
    post(
        ("/plugins/{name}/unpin", Deed::Admin),
        "let the version in the file of a plugin serve again",
        (Takes::Nothing, Gives::Json(200, of::<reload::ReloadedPage>)),
        &[404, 409, 503],
        |call| Box::pin(versions::unpin(call)),
    ),
    post(
        ("/cache/purge", Deed::Purge),
        "take responses out of the cache",
        (
            Takes::Json(of::<cache::PurgeRequest>),
            Gives::Json(200, of::<cache::PurgedPage>),
        ),
        &[503],
        |call| Box::pin(cache::purge(call)),
    ),
    post(
        ("/drain", Deed::Drain),
        "stop taking part: not ready at once, no new connections after a while, then the end",
        (
            Takes::Perhaps(of::<drain::DrainRequest>),
            Gives::Json(202, of::<drain::DrainPage>),
        ),
        &[503],
        |call| Box::pin(drain::run(call)),
    ),
    post(
        ("/log-level", Deed::LogLevel),
        "change what the gateway logs about itself, for good or for a while",
        (
            Takes::Json(of::<log_level::LevelRequest>),
            Gives::Json(200, of::<log_level::LevelPage>),
        ),
        &[],
        |call| Box::pin(log_level::set(call)),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Role, Takes, Verb, router};

    #[test]
    fn nothing_is_changed_by_get_nor_without_the_role_for_it() {
        for operation in OPERATIONS {
            let what = format!("{} {}", operation.method.as_str(), operation.path);
            let looks = operation.method == Verb::Get;
            assert_eq!(looks, operation.needs < Role::Write, "{what}");
            if looks {
                assert!(matches!(operation.takes, Takes::Nothing), "{what}");
            }
        }
    }

    #[test]
    fn no_operation_is_there_twice() {
        let name = |o: &Operation| (o.method.as_str(), o.path);
        let names: std::collections::BTreeSet<_> = OPERATIONS.iter().map(name).collect();
        assert_eq!(names.len(), OPERATIONS.len());
        router(OPERATIONS);
    }
}
