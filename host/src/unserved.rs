//! Operations that plugins know of, from OpenAPI documents, against the routes.

use portcullis_config::plan::{PathPattern, RoutePlan, Segment};
use portcullis_runtime::Plugin;

/// The key of the notes that name an operation: `GET /users/{id}`.
const OPERATION: &str = "openapi.operation";

/// Operations that a plugin noted and that no route serves.
pub(crate) fn unserved<'p>(
    plugin: &'p Plugin,
    routes: &'p [RoutePlan],
) -> impl Iterator<Item = &'p str> {
    let operations = plugin.notes().iter().filter(|(key, _)| key == OPERATION);
    let operations = operations.map(|(_, operation)| operation.as_str());
    operations.filter(|operation| {
        let (method, path) = operation.split_once(' ').unwrap_or(("", operation));
        !routes.iter().any(|route| serves(route, method, path))
    })
}

/// Whether requests of an operation come to a route, as far as method and path decide.
fn serves(route: &RoutePlan, method: &str, path: &str) -> bool {
    let taken = route.methods.is_empty() || route.methods.iter().any(|one| one == method);
    taken && covers(&route.path, path)
}

/// Whether a pattern holds every path of a template: a literal of the pattern is one path of many where the template
/// has a parameter, so it holds only its own.
fn covers(pattern: &PathPattern, template: &str) -> bool {
    let rest = template.trim_start_matches('/');
    let mut parts = rest.split('/').filter(|_| !rest.is_empty());
    for segment in &pattern.segments {
        match (segment, parts.next()) {
            (Segment::Param(_), Some(part)) if !part.is_empty() => {}
            (Segment::Literal(literal), Some(part)) if literal == part => {}
            _ => return false,
        }
    }
    pattern.open || parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(text: &str) -> Vec<Segment> {
        let parts = text.split('/').filter(|part| !part.is_empty());
        parts
            .map(|part| match part.strip_prefix(':') {
                Some(name) => Segment::Param(name.into()),
                None => Segment::Literal(part.into()),
            })
            .collect()
    }

    #[test]
    fn a_route_serves_an_operation_when_it_takes_all_of_its_paths() {
        for (path, open, template, covered) in [
            ("/users/:id", false, "/users/{id}", true),
            ("/users/:id", false, "/users/{who}", true),
            ("/users/:id", false, "/users/me", true),
            ("/users/me", false, "/users/{id}", false),
            ("/users/me", false, "/users/me", true),
            ("/users", false, "/users/{id}", false),
            ("/users", true, "/users/{id}/friends", true),
            ("/users/:id", false, "/users", false),
            ("/users/:id", false, "/users/{id}/friends", false),
            ("/", true, "/anything", true),
            ("/", false, "/", true),
            ("/", false, "/a", false),
        ] {
            let pattern = PathPattern {
                text: path.into(),
                segments: segments(path),
                open,
            };
            assert_eq!(covers(&pattern, template), covered, "{path} {template}");
        }
    }
}
