//! `split` and `split_by`

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::super::{File, matching, upstream};
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{SidePlan, SplitBy, SplitPlan};
use crate::shapes::type_name;

const EXAMPLE: &str =
    "write split = [{ upstream = \"new\", weight = 5 }, { upstream = \"old\", weight = 95 }]";

pub(super) fn read(file: &File<'_>, route: &Fields<'_>) -> Option<SplitPlan> {
    let by = match route.choice("split_by") {
        "client_ip" => SplitBy::ClientIp,
        "request" => SplitBy::Request,
        _ => SplitBy::Caller,
    };
    let item = route.item("split")?;
    let mistakes = route.mistakes();
    let DeValue::Array(array) = item.get_ref() else {
        let found = type_name(item.get_ref());
        let fault = Fault::new(format!("`split` must be a list of tables, not {found}"));
        mistakes.fault(item.span().into(), fault.with_hint(EXAMPLE));
        return None;
    };
    let before = mistakes.len();
    let mut sides = Vec::new();
    for item in array {
        let DeValue::Table(table) = item.get_ref() else {
            let found = type_name(item.get_ref());
            let fault = Fault::new(format!("each side of `split` must be a table, not {found}"));
            mistakes.fault(item.span().into(), fault.with_hint(EXAMPLE));
            continue;
        };
        let fields = Fields::new(&keys::SIDE, item.span().into(), table, mistakes);
        sides.extend(side(file, &fields));
    }
    if mistakes.len() > before {
        return None;
    }
    if sides.len() < 2 {
        let fault = Fault::new("a split has at least two sides");
        mistakes.fault(item.span().into(), fault.with_hint(EXAMPLE));
    } else if sides.iter().all(|side| side.weight == 0) {
        let fault = Fault::new("no side of the split has a weight: most requests could go nowhere");
        let fault = fault.with_hint("give `weight = 1` to the side that takes the others");
        mistakes.fault(item.span().into(), fault);
    }
    Some(SplitPlan { by, sides })
}

fn side(file: &File<'_>, fields: &Fields<'_>) -> Option<SidePlan> {
    let upstream = upstream::named(file, fields);
    let weight = fields.count("weight") as u32;
    let headers = matching::headers(fields);
    let cookies = matching::cookies(fields);
    if weight == 0 && headers.is_empty() && cookies.is_empty() {
        let fault =
            Fault::new("no request can take this side: it has neither weight nor condition");
        let hint = "add `weight = 5`, or `headers = { x-canary = \"1\" }`, or take it out";
        fields
            .mistakes()
            .fault(fields.span(), fault.with_hint(hint));
    }
    let both: BTreeSet<&str> = headers.iter().map(|c| c.name.as_str()).collect();
    if both.contains("cookie") {
        let fault = Fault::new("a condition on the header `cookie` sees all cookies at once");
        let fault = fault.with_hint("write `cookies = { name = \"value\" }`");
        fields.mistakes().fault(fields.span_of("headers"), fault);
    }
    Some(SidePlan {
        upstream: upstream?,
        weight,
        headers,
        cookies,
    })
}
