//! The one table: every operation of the admin listener, who may ask for it, what it takes and gives.
//!
//! To mount one, add a line to [`OPERATIONS`]. HEAD comes with GET, 405 with its `Allow` by itself.

use std::pin::Pin;

use portcullis_proxy::audit::Deed;
use schemars::{Schema, SchemaGenerator};

use crate::answer::{Answer, Problem};
use crate::call::Call;
use crate::{
    cache, certs, config, console, drain, generation, live, log_level, metrics, openapi, plugins,
    probes, refusals, reload, routes, upstreams, versions,
};

/// One method on one path.
pub(crate) struct Operation {
    pub(crate) method: Verb,
    /// `{name}` stands for one segment, a last `{*name}` for the rest.
    pub(crate) path: &'static str,
    pub(crate) needs: Role,
    /// What it is in the audit log.
    pub(crate) deed: Deed,
    /// One line, for the document.
    pub(crate) about: &'static str,
    pub(crate) takes: Takes,
    pub(crate) gives: Gives,
    /// Statuses of its own problems.
    pub(crate) problems: &'static [u16],
    pub(crate) serve: fn(Call) -> Serving,
}

/// To look, or to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

/// What one must be allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Nothing: it is for whoever comes, also without a token, and tells nothing.
    Anyone,
    /// To look.
    Read,
    /// To change something.
    Write,
}

/// The body of a request, JSON.
pub(crate) enum Takes {
    Nothing,
    Perhaps(SchemaOf),
    Json(SchemaOf),
}

/// The body of a 2xx answer.
pub(crate) enum Gives {
    Json(u16, SchemaOf),
    /// Another media type.
    Other(&'static str),
}

pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;
pub(crate) type Serving = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;
/// The operations of a path.
pub(super) type Router = matchit::Router<Vec<&'static Operation>>;

impl Verb {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

/// Of a type of a page.
fn of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn get(
    path: &'static str,
    about: &'static str,
    gives: Gives,
    serve: fn(Call) -> Serving,
) -> Operation {
    Operation {
        method: Verb::Get,
        path,
        needs: Role::Read,
        deed: Deed::Admin,
        about,
        takes: Takes::Nothing,
        gives,
        problems: &[503],
        serve,
    }
}

const fn post(
    (path, deed): (&'static str, Deed),
    about: &'static str,
    (takes, gives): (Takes, Gives),
    problems: &'static [u16],
    serve: fn(Call) -> Serving,
) -> Operation {
    Operation {
        method: Verb::Post,
        path,
        needs: Role::Write,
        deed,
        about,
        takes,
        gives,
        problems,
        serve,
    }
}

/// Of one of several, by name.
const fn named(operation: Operation) -> Operation {
    Operation {
        problems: &[404, 503],
        ..operation
    }
}

/// Asked without a token.
const fn open(operation: Operation) -> Operation {
    Operation {
        needs: Role::Anyone,
        ..operation
    }
}

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
        Gives::Json(200, of::<Vec<crate::history::Entry>>),
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
            Takes::Json(of::<cache::Wanted>),
            Gives::Json(200, of::<cache::PurgedPage>),
        ),
        &[503],
        |call| Box::pin(cache::purge(call)),
    ),
    post(
        ("/drain", Deed::Drain),
        "stop taking part: not ready at once, no new connections after a while, then the end",
        (
            Takes::Perhaps(of::<drain::Wanted>),
            Gives::Json(202, of::<drain::DrainPage>),
        ),
        &[503],
        |call| Box::pin(drain::run(call)),
    ),
    post(
        ("/log-level", Deed::LogLevel),
        "change what the gateway logs about itself, for good or for a while",
        (
            Takes::Json(of::<log_level::Wanted>),
            Gives::Json(200, of::<log_level::LevelPage>),
        ),
        &[],
        |call| Box::pin(log_level::set(call)),
    ),
];

pub(super) fn router() -> Router {
    let mut router = Router::new();
    let mut paths: Vec<&'static str> = OPERATIONS.iter().map(|o| o.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let here = OPERATIONS.iter().filter(|o| o.path == path).collect();
        router
            .insert(path, here)
            .expect("the paths of the table do not collide");
    }
    router
}

#[cfg(test)]
mod tests {
    use super::*;

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
        router();
    }
}
