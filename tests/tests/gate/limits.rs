//! Limits: how much of whom in which time, and how much at once.

mod callers;
mod concurrent;
mod kept;
mod rates;
mod throttle;

use portcullis_tests::client::Answer;
use portcullis_tests::gateway::Gateway;

/// A public route `/echo…` to `server` with more keys.
fn toml(server: &str, keys: &str) -> String {
    format!(
        "[upstream.echo]\nservers = [\"{server}\"]\n\n{}",
        route("echo", "/echo/**", keys)
    )
}

fn route(name: &str, path: &str, keys: &str) -> String {
    format!(
        "[[route]]\nname = \"{name}\"\npath = \"{path}\"\npublic = true\nupstream = \"echo\"\n{keys}\n\n"
    )
}

/// The statuses of so many requests, one after the other.
async fn statuses(
    gateway: &Gateway,
    times: usize,
    target: &str,
    headers: &[(&str, &str)],
) -> Vec<u16> {
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(gateway.get(target, headers).await.status);
    }
    seen
}

/// That this is a 429 of this limit, and when to come again.
fn refused(answer: &Answer, kind: &str, limit: &str) -> u64 {
    assert_eq!(answer.status, 429, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["type"], kind, "{problem}");
    assert_eq!(problem["violated-policies"][0], limit, "{problem}");
    let wait = answer.header("retry-after").expect("a 429 says when");
    wait.parse().expect("a number of seconds")
}

fn decisions(route: &str, limit: &str, outcome: &str) -> String {
    format!(
        "portcullis_limit_decisions_total{{limit=\"{limit}\",outcome=\"{outcome}\",route=\"{route}\"}}"
    )
}
