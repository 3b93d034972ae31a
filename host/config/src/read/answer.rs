//! Who answers the requests of a route: `upstream`, `split`, `redirect`, `respond`, or a plugin.

mod redirect;
mod respond;
mod split;

use super::{File, upstream};
use crate::diagnostic::Span;
use crate::fields::Fields;
use crate::mistakes::Fault;
use crate::plan::{AnswerPlan, PathPattern};

/// The keys that answer.
pub(super) const KEYS: [&str; 4] = ["upstream", "split", "redirect", "respond"];

/// None only with a mistake noted. `path` is None where it has one.
pub(super) fn read(
    file: &File<'_>,
    route: &Fields<'_>,
    path: Option<&PathPattern>,
) -> Option<AnswerPlan> {
    let written: Vec<&str> = KEYS
        .into_iter()
        .filter(|key| route.item(key).is_some())
        .collect();
    // All are read, so that the mistakes in each are told.
    let mut answers: Vec<Option<AnswerPlan>> = written
        .iter()
        .map(|key| match *key {
            "split" => split::read(file, route).map(AnswerPlan::Split),
            "redirect" => redirect::read(route, path).map(AnswerPlan::Redirect),
            "respond" => respond::read(file, route).map(AnswerPlan::Respond),
            _ => upstream::named(file, route).map(AnswerPlan::Upstream),
        })
        .collect();
    if route.item("split_by").is_some() && !written.contains(&"split") {
        let fault = Fault::new("`split_by` has no effect without `split`");
        let fault = fault.with_hint("take it out, or write `split = [{ … }, { … }]`");
        route.mistakes().fault(route.span_of("split_by"), fault);
    }
    if let [first, second, ..] = written.as_slice() {
        let fault = Fault::new(format!(
            "the route has two things that answer: `{first}` and `{second}`"
        ));
        let span: Span = route.span_of(second);
        route
            .mistakes()
            .fault(span, fault.with_hint("keep one of them"));
        return None;
    }
    answers.pop().unwrap_or(Some(AnswerPlan::Plugin))
}
