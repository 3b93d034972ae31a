//! Routes that match the same requests: which of them answered would be chance.

use crate::diagnostic::Source;
use crate::mistakes::{Fault, Mistakes};
use crate::plan::RoutePlan;

/// Notes every route that an earlier one leaves nothing to decide by.
pub(super) fn check(routes: &[RoutePlan], source: &Source, mistakes: &Mistakes) {
    for (at, route) in routes.iter().enumerate() {
        let Some(first) = routes.iter().take(at).find(|first| collide(first, route)) else {
            continue;
        };
        let line = source.line(first.span);
        let fault = Fault::new(format!(
            "the routes `{}` (line {line}) and `{}` match the same requests",
            first.name, route.name
        ));
        let hint = "give one another path, host, method or condition";
        mistakes.fault(route.span, fault.with_hint(hint));
    }
}

fn collide(a: &RoutePlan, b: &RoutePlan) -> bool {
    a.path.same_shape(&b.path)
        && (a.hosts == b.hosts || share(&a.hosts, &b.hosts))
        && (a.methods.is_empty() || b.methods.is_empty() || share(&a.methods, &b.methods))
        && a.headers == b.headers
        && a.query == b.query
}

fn share(a: &[String], b: &[String]) -> bool {
    a.iter().any(|word| b.contains(word))
}
