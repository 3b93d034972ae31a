//! One operation of the listener: its method and path, who may ask for it, what it takes and gives. `pages.rs` has the
//! table of all.

use std::pin::Pin;

use portcullis_proxy::audit::Deed;
use schemars::{Schema, SchemaGenerator};

use crate::answer::{Answer, Problem};
use crate::call::Call;

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

/// What the caller must be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Nothing: it is open to anyone, also without a token, and reveals nothing.
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
/// The operations of each path.
pub(crate) type Router = matchit::Router<Vec<&'static Operation>>;

impl Verb {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

/// The schema of a page's type.
pub(crate) fn of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

pub(crate) const fn get(
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

pub(crate) const fn post(
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

/// About one of several, by name.
pub(crate) const fn named(operation: Operation) -> Operation {
    Operation {
        problems: &[404, 503],
        ..operation
    }
}

/// Open to anyone.
pub(crate) const fn open(operation: Operation) -> Operation {
    Operation {
        needs: Role::Anyone,
        ..operation
    }
}

/// The operations by path.
pub(crate) fn router(operations: &'static [Operation]) -> Router {
    let mut router = Router::new();
    let mut paths: Vec<&'static str> = operations.iter().map(|o| o.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let here = operations.iter().filter(|o| o.path == path).collect();
        router
            .insert(path, here)
            .expect("the paths of the table do not collide");
    }
    router
}
