//! What a plugin is given, `grants`, `limits` and `on_failure`, and what a route leaves of it.

use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::{File, matching};
use crate::diagnostic::Span;
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{BucketPlan, Given, PluginGrants, PluginLimits, UpstreamGrant, Written};
use crate::shapes::type_name;
use crate::spelling;
use crate::units;

/// The most CPU time that a plugin gets unasked.
const CPU: Duration = Duration::from_millis(50);
/// Calls of upstreams where some are granted and no number is given.
const CALLS: u64 = 16;

pub(super) fn of_plugin(file: &File<'_>, fields: &Fields<'_>) -> Given {
    Given {
        limits: limits(file, &fields.fields("limits", &keys::LIMITS)),
        grants: grants(file, &fields.fields("grants", &keys::GRANTS)),
        fail_open: fields.choice("on_failure") == "open",
        on_failure_span: fields.span_of("on_failure"),
    }
}

fn limits(file: &File<'_>, fields: &Fields<'_>) -> PluginLimits {
    let time = fields.duration("time");
    PluginLimits {
        memory: bytes(fields.size("memory")),
        time,
        cpu: fields.duration_or("cpu", time.clamp(Duration::from_millis(2), CPU)),
        host_calls: number(fields.count("host_calls")),
        bytes_in: fields.size("bytes_in"),
        bytes_out: fields.size("bytes_out"),
        concurrent: number(fields.count_or("concurrent", file.instances.into())),
    }
}

fn grants(file: &File<'_>, fields: &Fields<'_>) -> PluginGrants {
    let upstreams = upstreams(file, fields);
    let calls = if upstreams.is_empty() { 0 } else { CALLS };
    PluginGrants {
        calls: number(fields.count_or("calls", calls)),
        upstreams,
        state: stores(fields),
        buckets: buckets(fields),
        clock: fields.flag("clock"),
        crypto: fields.flag("crypto"),
        random: fields.flag("random"),
        log: number(fields.size("log")),
        written: Written {
            upstreams: fields.item("upstreams").is_some(),
            state: fields.item("state").is_some(),
            buckets: fields.item("buckets").is_some(),
        },
    }
}

/// What an entry of a route's chain leaves of `own`. More than that is a mistake.
pub(super) fn narrowed(file: &File<'_>, entry: &Fields<'_>, own: &Given) -> Given {
    Given {
        grants: narrowed_grants(
            file,
            &entry.fields("grants", &keys::ROUTE_GRANTS),
            &own.grants,
        ),
        limits: narrowed_limits(&entry.fields("limits", &keys::LIMITS), &own.limits),
        fail_open: match entry.choice_if_given("on_failure") {
            Some(choice) => choice == "open",
            None => own.fail_open,
        },
        on_failure_span: entry.span_of("on_failure"),
    }
}

fn narrowed_limits(fields: &Fields<'_>, own: &PluginLimits) -> PluginLimits {
    let size = |name, own| at_most(fields, name, fields.size_or(name, own), own);
    let time = |name, own| at_most(fields, name, fields.duration_or(name, own), own);
    let count = |name, own: u32| {
        let given = fields.count_or(name, own.into());
        at_most(fields, name, number(given), own)
    };
    PluginLimits {
        memory: bytes(size("memory", own.memory as u64)),
        time: time("time", own.time),
        cpu: time("cpu", own.cpu),
        host_calls: count("host_calls", own.host_calls),
        bytes_in: size("bytes_in", own.bytes_in),
        bytes_out: size("bytes_out", own.bytes_out),
        concurrent: count("concurrent", own.concurrent),
    }
}

fn narrowed_grants(file: &File<'_>, fields: &Fields<'_>, own: &PluginGrants) -> PluginGrants {
    let mut left = own.clone();
    if fields.item("upstreams").is_some() {
        left.upstreams = upstreams(file, fields);
        for grant in &left.upstreams {
            if !own.upstreams.iter().any(|own| covers(own, grant)) {
                more(fields, "upstreams", &grant.name);
            }
        }
    }
    if fields.item("state").is_some() {
        left.state = stores(fields);
        for store in left.state.iter().filter(|s| !own.state.contains(s)) {
            more(fields, "state", store);
        }
    }
    if fields.item("buckets").is_some() {
        left.buckets = buckets(fields);
        for bucket in &left.buckets {
            let within = |own: &BucketPlan| {
                own.name == bucket.name && bucket.size <= own.size && bucket.per >= own.per
            };
            if !own.buckets.iter().any(within) {
                more(fields, "buckets", &bucket.name);
            }
        }
    }
    left.calls = at_most(
        fields,
        "calls",
        number(fields.count_or("calls", own.calls.into())),
        own.calls,
    );
    let log = number(fields.size_or("log", own.log.into()));
    left.log = at_most(fields, "log", log, own.log);
    left
}

/// Whether everything that `grant` allows is allowed by `own`.
fn covers(own: &UpstreamGrant, grant: &UpstreamGrant) -> bool {
    let within = |own: &[String], asked: &[String]| {
        own.is_empty() || (!asked.is_empty() && asked.iter().all(|one| own.contains(one)))
    };
    own.name == grant.name
        && within(&own.methods, &grant.methods)
        && within(&own.paths, &grant.paths)
}

fn at_most<T: PartialOrd + Copy>(fields: &Fields<'_>, name: &str, given: T, own: T) -> T {
    if given > own {
        more(fields, name, name);
    }
    given
}

fn more(fields: &Fields<'_>, key: &str, what: &str) {
    let fault = Fault::new(format!(
        "a route cannot give a plugin more than it has: `{what}`"
    ));
    let hint = "raise it in the plugin's own table, and narrow it on the other routes";
    fields
        .mistakes()
        .fault(fields.span_of(key), fault.with_hint(hint));
}

fn upstreams(file: &File<'_>, fields: &Fields<'_>) -> Vec<UpstreamGrant> {
    let entries = fields.entries("upstreams", &keys::UPSTREAM_GRANT);
    let grants = entries.into_iter().filter_map(|(word, entry)| {
        if !file.upstreams.contains(word.text) {
            let fault = spelling::unknown_name("upstream", word.text, &file.upstreams);
            fields.mistakes().fault(word.span, fault);
            return None;
        }
        Some(UpstreamGrant {
            name: Arc::from(word.text),
            methods: entry.as_ref().map(matching::methods).unwrap_or_default(),
            paths: entry.as_ref().map(paths).unwrap_or_default(),
        })
    });
    grants.collect()
}

fn paths(entry: &Fields<'_>) -> Vec<String> {
    let words = entry.distinct("paths").into_iter();
    let paths = words.filter_map(|word| {
        entry.mistakes().note(word.span, check_path(word.text))?;
        Some(word.text.to_owned())
    });
    paths.collect()
}

/// Segments are literal, `*`, or a last `**`.
fn check_path(text: &str) -> Result<(), Fault> {
    let hint = "write \"/users/*\" for one segment, \"/keys/**\" for everything below";
    let Some(rest) = text.strip_prefix('/') else {
        return Err(Fault::new(format!("`{text}` is not a path")).with_hint(hint));
    };
    let segments: Vec<&str> = rest.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        let fits = match *segment {
            "*" => true,
            "**" => last,
            "." | ".." => false,
            literal => !literal.contains(['*', '?', '#', '{', '}', ' ']),
        };
        if !fits {
            let fault = Fault::new(format!("`{segment}` cannot be a segment of `{text}`"));
            return Err(fault.with_hint(hint));
        }
    }
    Ok(())
}

fn stores(fields: &Fields<'_>) -> Vec<Arc<str>> {
    let words = fields.distinct("state").into_iter();
    let names = words.filter_map(|word| {
        fields
            .mistakes()
            .note(word.span, spelling::check_name(word.text))?;
        Some(Arc::from(word.text))
    });
    names.collect()
}

fn buckets(fields: &Fields<'_>) -> Vec<BucketPlan> {
    let Some((_, table)) = fields.table("buckets") else {
        return Vec::new();
    };
    let read = |(name, item): (
        &toml::Spanned<std::borrow::Cow<'_, str>>,
        &toml::Spanned<DeValue<'_>>,
    )| {
        let span = Span::from(item.span());
        let mistakes = fields.mistakes();
        mistakes.note(name.span().into(), spelling::check_name(name.get_ref()))?;
        let DeValue::String(text) = item.get_ref() else {
            let found = type_name(item.get_ref());
            let fault = Fault::new(format!("a bucket must be a string, not {found}"));
            mistakes.fault(span, fault.with_hint(RATE));
            return None;
        };
        let (size, per) = mistakes.note(span, rate(text))?;
        Some(BucketPlan {
            name: Arc::from(name.get_ref().as_ref()),
            size,
            per,
        })
    };
    table.iter().filter_map(read).collect()
}

const RATE: &str = "write \"5/1m\": 5 tokens, refilled within a minute";

/// `"5/1m"`.
fn rate(text: &str) -> Result<(u32, Duration), Fault> {
    let wrong = || Fault::new(format!("`{text}` is not a rate")).with_hint(RATE);
    let (size, per) = text.split_once('/').ok_or_else(wrong)?;
    let size = size
        .parse()
        .ok()
        .filter(|size| *size > 0)
        .ok_or_else(wrong)?;
    let per = units::duration(per)?;
    if per.is_zero() {
        return Err(wrong());
    }
    Ok((size, per))
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
