//! `[limit.NAME]`, and `rate_limit` and `max_concurrent` of a route.

mod per;
mod rule;

use std::collections::BTreeSet;
use std::sync::Arc;

use toml::de::DeValue;

use self::per::per;
use self::rule::{only_gcra, rule};
use super::File;
use crate::diagnostic::Span;
use crate::fields::{Fields, Item, Word};
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{ConcurrencyPlan, KeyPart, LimitPlan, LimitUse, PerPlan, Period, RulePlan};
use crate::shapes::type_name;
use crate::spelling;

/// The limits of one route.
#[derive(Default)]
pub(super) struct RouteLimits {
    pub(super) rate: Vec<LimitUse>,
    pub(super) concurrent: Vec<ConcurrencyPlan>,
}

/// `[limit.NAME]`
pub(super) fn shared(
    _: &File<'_>,
    name: Arc<str>,
    _: Span,
    fields: &Fields<'_>,
) -> Option<Arc<LimitPlan>> {
    limit(fields, Some(name)).map(Arc::new)
}

/// `rate_limit` and `max_concurrent`.
pub(super) fn of_route(file: &File<'_>, fields: &Fields<'_>, public: bool) -> RouteLimits {
    let mut names = Names {
        fields,
        public,
        seen: BTreeSet::new(),
    };
    let mut limits = RouteLimits::default();
    for item in items(fields, "rate_limit") {
        let place = Span::from(item.span());
        let found = match item.get_ref() {
            DeValue::String(_) => Word::of("rate_limit", item)
                .ok()
                .and_then(|word| reference(file, fields, word, 1)),
            DeValue::Table(table) => {
                let entry = Fields::new(&keys::RATE_LIMIT, place, table, fields.mistakes());
                entry_of(file, &entry)
            }
            other => {
                let fault = Fault::new(format!(
                    "each of `rate_limit` must be a table or the name of a [limit.NAME], not {}",
                    type_name(other)
                ));
                fields.mistakes().fault(place, fault);
                None
            }
        };
        if let Some(found) = found
            && names.admit(place, &found.limit.name, &found.limit.per)
        {
            limits.rate.push(found);
        }
    }
    let listed = items(fields, "max_concurrent");
    let hint = "write max_concurrent = [{ per = \"caller\", limit = 10 }]";
    for entry in fields.tables("max_concurrent", listed, &keys::MAX_CONCURRENT, hint) {
        if let Some(found) = concurrency(&entry)
            && names.admit(entry.span(), &found.name, &found.per)
        {
            limits.concurrent.push(found);
        }
    }
    limits
}

/// What one route's limits may not do together.
struct Names<'f, 'a> {
    fields: &'f Fields<'a>,
    public: bool,
    seen: BTreeSet<Arc<str>>,
}

impl Names<'_, '_> {
    fn admit(&mut self, place: Span, name: &Arc<str>, per: &PerPlan) -> bool {
        let fault = if self.public && per.needs_caller() {
            Fault::new("a public route knows no callers to count")
                .with_hint("count by \"client_ip\" or a header, or list an authenticator")
        } else if !self.seen.insert(name.clone()) {
            Fault::new(format!("two limits of this route are named `{name}`"))
                .with_hint("give one a `name`")
        } else {
            return true;
        };
        self.fields.mistakes().fault(place, fault);
        false
    }
}

fn items<'a>(fields: &Fields<'a>, key: &str) -> Vec<Item<'a>> {
    let Some(item) = fields.item(key) else {
        return Vec::new();
    };
    if let DeValue::Array(array) = item.get_ref() {
        return array.iter().collect();
    }
    let found = type_name(item.get_ref());
    let fault = Fault::new(format!("`{key}` must be a list, not {found}"));
    let hint = format!("write {key} = [ … ]");
    fields
        .mistakes()
        .fault(item.span().into(), fault.with_hint(hint));
    Vec::new()
}

/// A request that costs more than the limit ever holds would never pass.
fn check_cost(entry: &Fields<'_>, used: &LimitUse) {
    let most = used.limit.rule.most();
    if used.cost > most {
        let fault = Fault::new(format!(
            "`cost` is more than the {most} that the limit holds"
        ));
        let hint = "no request would ever pass; lower the cost or raise the limit";
        let place = entry.span_of("cost");
        entry.mistakes().fault(place, fault.with_hint(hint));
    }
}

/// The use of a `[limit.NAME]`. One whose own table has mistakes is left out: they are told already.
fn reference(file: &File<'_>, fields: &Fields<'_>, word: Word<'_>, cost: u32) -> Option<LimitUse> {
    if !file.limit_names.contains(word.text) {
        let fault = spelling::unknown_name("limit", word.text, &file.limit_names);
        fields.mistakes().fault(word.span, fault);
        return None;
    }
    let limit = file.limits.get(word.text)?.clone();
    Some(LimitUse {
        limit,
        shared: true,
        cost,
    })
}

fn entry_of(file: &File<'_>, entry: &Fields<'_>) -> Option<LimitUse> {
    let used = use_of(file, entry)?;
    check_cost(entry, &used);
    Some(used)
}

fn use_of(file: &File<'_>, entry: &Fields<'_>) -> Option<LimitUse> {
    let cost = number(entry.count("cost"));
    if entry.item("shared").is_some() {
        let with = keys::RATE_LIMIT.keys.iter().map(|key| key.name);
        let with = with.filter(|name| !["shared", "cost"].contains(name));
        for name in with.filter(|name| entry.item(name).is_some()) {
            let fault = Fault::new(format!("`{name}` cannot stand beside `shared`"));
            let hint = "[limit.NAME] says all but the cost";
            let place = entry.span_of(name);
            entry.mistakes().fault(place, fault.with_hint(hint));
        }
        return reference(file, entry, entry.text("shared")?, cost);
    }
    let name = name(entry);
    Some(LimitUse {
        limit: Arc::new(limit(entry, name)?),
        shared: false,
        cost,
    })
}

fn name(entry: &Fields<'_>) -> Option<Arc<str>> {
    let word = entry.text("name")?;
    let checked = spelling::check_name(word.text);
    entry.mistakes().note(word.span, checked)?;
    Some(Arc::from(word.text))
}

/// Every key is read before the first `?`, so that all mistakes are noted.
fn limit(fields: &Fields<'_>, name: Option<Arc<str>>) -> Option<LimitPlan> {
    let per = per(fields);
    let rule = rule(fields);
    let throttle = fields.duration("throttle");
    let max_waiting = size(fields.count("max_waiting"));
    let max_keys = size(fields.count("max_keys"));
    let dry_run = fields.flag("dry_run");
    let headers = fields.flag("headers");
    let fail_open = fields.choice("on_failure") == "open";
    let (per, rule) = (per?, rule?);
    if !throttle.is_zero() && !matches!(rule, RulePlan::Gcra { .. }) {
        only_gcra(fields, "throttle");
    }
    let suffix = match rule {
        RulePlan::Quota { period, .. } => match period {
            Period::Day => "-day",
            Period::Month => "-month",
        },
        RulePlan::Gcra { .. } | RulePlan::SlidingWindow { .. } => "",
    };
    Some(LimitPlan {
        name: name.unwrap_or_else(|| named_after(&per, suffix)),
        per,
        rule,
        throttle,
        max_waiting,
        max_keys,
        dry_run,
        headers,
        fail_open,
    })
}

fn concurrency(fields: &Fields<'_>) -> Option<ConcurrencyPlan> {
    let name = name(fields);
    let per = per(fields);
    fields.required("limit")?;
    let limit = number(fields.count_or("limit", 1));
    let per = per?;
    Some(ConcurrencyPlan {
        name: name.unwrap_or_else(|| named_after(&per, "-concurrent")),
        per,
        limit,
        dry_run: fields.flag("dry_run"),
        headers: fields.flag("headers"),
    })
}

fn named_after(per: &PerPlan, suffix: &str) -> Arc<str> {
    let mut text = String::new();
    for part in &per.parts {
        if !text.is_empty() {
            text.push('-');
        }
        match part {
            KeyPart::ClientIp => text.push_str("client_ip"),
            KeyPart::Caller => text.push_str("caller"),
            KeyPart::Route => text.push_str("route"),
            KeyPart::TlsSubject => text.push_str("tls_subject"),
            KeyPart::ApiKey => text.push_str("header-x-api-key"),
            KeyPart::Header(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                text.push_str("header-");
                text.extend(name.chars().map(|c| if plain(c) { c } else { '_' }));
            }
        }
    }
    if text.is_empty() {
        text.push_str("everyone");
    }
    text.push_str(suffix);
    text.into()
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
