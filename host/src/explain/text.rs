//! The report for people.

use std::fmt::Write as _;

use portcullis_proxy::explain::Step;

use super::report::Report;

/// Writing to a String cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($arg:tt)*) => { let _ = writeln!($out, $($arg)*); };
}

pub(super) fn of(report: &Report) -> String {
    let mut out = String::new();
    let trail = &report.trail;
    line!(out, "{} {}", report.method, report.url);
    line!(
        out,
        "from {}, request {}",
        trail
            .client_ip
            .map_or_else(|| "unknown".to_owned(), |ip| ip.to_string()),
        trail.request_id
    );
    if let Some(trace) = &trail.trace_id {
        line!(out, "trace {trace}");
    }
    routes(&mut out, report);
    if !report.edge.is_empty() {
        line!(out, "\nedge");
        for rule in &report.edge {
            line!(out, "    {rule}");
        }
    }
    if !report.limits.is_empty() {
        line!(out, "\nlimits");
        for limit in &report.limits {
            let says = limit.says.as_deref().unwrap_or("not asked");
            line!(out, "    {:<20} {:<36} {says}", limit.name, limit.rule);
        }
    }
    steps(&mut out, &trail.steps);
    if trail.left_out > 0 {
        line!(out, "    and {} more", trail.left_out);
    }
    servers(&mut out, report);
    answer(&mut out, report);
    out
}

fn routes(out: &mut String, report: &Report) {
    line!(out, "\nroutes");
    for route in &report.routes {
        let mark = if route.chosen { '>' } else { ' ' };
        line!(
            out,
            "  {mark} {:<20} {:<28} {}",
            route.name,
            route.path,
            route.why
        );
    }
    if !report.routes.iter().any(|route| route.chosen) {
        line!(out, "    none takes it");
    }
}

fn steps(out: &mut String, steps: &[Step]) {
    line!(out, "\nsteps");
    for step in steps {
        let inside = if step.within.is_some() { "  " } else { "" };
        let name = format!("{inside}{} {}", step.step, step.of);
        let _ = write!(
            out,
            "  {:>9} {:<36} {}",
            millis(step.took_us),
            name,
            step.outcome
        );
        if let Some(cost) = &step.cost {
            let _ = write!(
                out,
                "; cpu {}, memory {} KiB, {} host calls",
                millis(cost.cpu_us),
                cost.memory / 1024,
                cost.host_calls
            );
        }
        if let Some(tried) = &step.tried {
            let _ = write!(out, "; {}, try {}", tried.server, tried.number);
            if tried.number > 1 {
                let _ = write!(out, " because {}", tried.because);
            }
            if let Some(status) = tried.status {
                let _ = write!(out, ", {status}");
            }
        }
        if let Some(note) = &step.note {
            let _ = write!(out, "; {note}");
        }
        out.push('\n');
    }
}

fn servers(out: &mut String, report: &Report) {
    let Some(balance) = &report.balance else {
        return;
    };
    line!(
        out,
        "\nservers of {} ({})",
        balance.upstream,
        balance.policy
    );
    for server in &balance.servers {
        let zone = server
            .zone
            .as_deref()
            .map_or(String::new(), |zone| format!(", zone {zone}"));
        line!(
            out,
            "    {:<24} {}, weight {}{zone}",
            server.server,
            server.state,
            server.weight
        );
    }
    for name in &balance.names {
        line!(out, "    {name:<24} is looked up when the gateway runs");
    }
}

fn answer(out: &mut String, report: &Report) {
    let (answer, trail) = (&report.answer, &report.trail);
    let status = answer
        .status
        .map_or(String::new(), |status| format!("{status}, "));
    line!(out, "\nanswer\n    {status}{}", answer.says);
    if let Some(caller) = &trail.caller {
        line!(out, "    the caller is {caller}");
    }
    if let Some(because) = &trail.because {
        line!(out, "    because {because}");
    }
    if let Some(cache) = trail.cache.as_ref().filter(|_| answer.status.is_some()) {
        line!(out, "    cache: {cache}");
    }
    for limit in &answer.rate_limits {
        line!(out, "    RateLimit: {limit}");
    }
    let calls = trail.calls_not_made();
    if calls > 0 {
        line!(
            out,
            "    {calls} calls of plugins were not made: --live asks the running gateway, which makes them"
        );
    }
}

fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}
