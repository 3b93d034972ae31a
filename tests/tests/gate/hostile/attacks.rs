//! The misdeeds, and what each comes to: for the client, and in the bill of the plugin.

use std::fs;

use portcullis_tests::gateway::repository;

/// A misdeed on a route /a/KIND.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attack {
    /// The plugin; its route is `a-KIND`.
    pub(super) kind: &'static str,
    pub(super) wish: &'static str,
    pub(super) status: u16,
    /// The type of the problem document; empty: an answer of its own.
    pub(super) problem: &'static str,
    /// How the plugin's bill counts it.
    pub(super) outcome: &'static str,
}

const fn fails(kind: &'static str, wish: &'static str, outcome: &'static str) -> Attack {
    Attack {
        kind,
        wish,
        status: 500,
        problem: "plugin_failed",
        outcome,
    }
}

const fn late(kind: &'static str, wish: &'static str) -> Attack {
    Attack {
        kind,
        wish,
        status: 500,
        problem: "plugin_timed_out",
        outcome: "timed_out",
    }
}

/// It is let do it: nothing comes of it.
const fn vain(kind: &'static str, wish: &'static str) -> Attack {
    Attack {
        kind,
        wish,
        status: 200,
        problem: "",
        outcome: "ok",
    }
}

pub(super) const ATTACKS: &[Attack] = &[
    // Time.
    late("filter", "loop"),
    late("filter", "request-body loop"),
    late("filter", "response loop"),
    late("filter", "response-body loop"),
    late("handler", "loop"),
    late("authenticator", "loop"),
    late("authorizer", "authorize loop"),
    // Memory and stack.
    fails("filter", "hoard", "trapped"),
    fails("filter", "recurse", "trapped"),
    fails("handler", "recurse", "trapped"),
    // Traps, in every phase.
    fails("filter", "trap", "trapped"),
    fails("filter", "request-body trap", "trapped"),
    fails("filter", "response trap", "trapped"),
    fails("filter", "response-body trap", "trapped"),
    fails("handler", "trap", "trapped"),
    fails("authenticator", "trap", "trapped"),
    fails("authorizer", "authorize trap", "trapped"),
    fails("filter", "exit", "trapped"),
    // Too much.
    fails("filter", "huge reply", "trapped"),
    fails("handler", "huge reply", "trapped"),
    fails("filter", "many headers", "failed"),
    fails("handler", "many headers", "invalid"),
    fails("authenticator", "many roles", "invalid"),
    fails("filter", "call the host", "trapped"),
    fails("filter", "log a gigabyte", "trapped"),
    vain("filter", "log much"),
    vain("filter", "print much"),
    vain("authenticator", "print much"),
    fails("filter", "print without end", "trapped"),
    fails("handler", "print without end", "trapped"),
    fails("handler", "flood", "trapped"),
    vain("handler", "wait"),
    // Lies.
    vain("filter", "inject"),
    vain("filter", "take over"),
    fails("filter", "nowhere", "trapped"),
    fails("filter", "no text", "trapped"),
    fails("filter", "nonsense", "invalid"),
    fails("filter", "early status", "invalid"),
    fails("handler", "nowhere", "trapped"),
    fails("handler", "no text", "trapped"),
    fails("handler", "split header", "invalid"),
    fails("handler", "null header", "invalid"),
    fails("handler", "split name", "invalid"),
    fails("handler", "framing", "invalid"),
    fails("handler", "early status", "invalid"),
    fails("authenticator", "split id", "invalid"),
    fails("authenticator", "no id", "invalid"),
    fails("authenticator", "split challenge", "invalid"),
    vain("authenticator", "other path"),
];

/// The table of this page.
const PAGE: &str = "docs/hostile.md";
const HEAD: &str = "| plugin | does | the client gets | counted as |\n|---|---|---|---|\n";

#[test]
fn the_page_has_every_attack_and_what_comes_of_it() {
    let path = repository().join(PAGE);
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(HEAD).expect("the page has the table");
    let (table, after) = rest.split_once("\n\n").expect("something follows it");
    let rows: Vec<String> = ATTACKS.iter().map(row).collect();
    let rows = rows.join("\n");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{HEAD}{rows}\n\n{after}")).expect("it is writable");
    } else {
        assert_eq!(table, rows, "{PAGE} is out of date; UPDATE=1 writes it");
    }
}

fn row(attack: &Attack) -> String {
    let problem = match attack.problem {
        "" => "its answer",
        problem => problem,
    };
    let Attack {
        kind,
        wish,
        status,
        outcome,
        ..
    } = attack;
    format!("| {kind} | {wish} | {status} {problem} | {outcome} |")
}
