use super::*;
use crate::path::PathParameters;

use TargetError::{
    Ambiguous, Character, Climbs, Encoding, Iis, NotOrigin, Overlong, Parameter, Php,
};

type Rows<'a> = &'a [(&'a str, Result<&'a str, TargetError>)];

fn hold(rows: Rows<'_>, rules: PathRules) {
    for (raw, want) in rows {
        let got = Target::parse_by(raw, rules);
        let got = got.as_ref().map(Target::as_str);
        assert_eq!(got, want.as_ref().copied(), "{raw} by {rules:?}");
    }
}

#[test]
fn a_target_is_normalised_or_refused() {
    let rows: Rows<'_> = &[
        ("/", Ok("/")),
        ("/a/b?x=1", Ok("/a/b?x=1")),
        ("//a///b/", Ok("/a/b/")),
        ("/a/./b/../c", Ok("/a/c")),
        ("/a/..", Ok("/")),
        ("/a/b/.", Ok("/a/b/")),
        ("/.well-known/x", Ok("/.well-known/x")),
        ("/a.b", Ok("/a.b")),
        ("/v1.2/x.js", Ok("/v1.2/x.js")),
        ("/...a/b", Ok("/...a/b")),
        ("/%7euser/%41", Ok("/~user/A")),
        ("/%2e%2e/x", Err(Climbs)),
        ("/a/%2E%2e/x", Ok("/x")),
        ("/a%c3%a9", Ok("/a%C3%A9")),
        ("/caf%e9", Ok("/caf%E9")),
        ("/..", Err(Climbs)),
        ("/a%2fb", Err(Ambiguous)),
        ("/a%5Cb", Err(Ambiguous)),
        ("/a%00", Err(Ambiguous)),
        ("/a%0d", Err(Ambiguous)),
        ("/a%7F", Err(Ambiguous)),
        ("/a%zz", Err(Encoding)),
        ("/a%u0061", Err(Encoding)),
        ("/a%4", Err(Encoding)),
        ("/a%", Err(Encoding)),
        ("/a\\b", Err(Character)),
        ("/a b", Err(Character)),
        ("/a#b", Err(Character)),
        ("/a?b#c", Err(Character)),
        ("/a?b c", Err(Character)),
        ("*", Err(NotOrigin)),
        ("", Err(NotOrigin)),
        ("a/b", Err(NotOrigin)),
        ("/a?q=%2f..%00;x", Ok("/a?q=%2f..%00;x")),
        ("/a@b:c,d=e+f!g*'", Ok("/a@b:c,d=e+f!g*'")),
    ];
    hold(rows, PathRules::default());
}

/// Each was read as another path by a servlet container, PHP, IIS or a WSGI server.
#[test]
fn what_others_read_as_another_path_is_refused() {
    let rows: Rows<'_> = &[
        ("/x/..;/admin", Err(Parameter)),
        ("/x/..;a=b/admin", Err(Parameter)),
        ("/x/.;/admin", Err(Parameter)),
        ("/x/%2e%2e;/admin", Err(Parameter)),
        ("/x/..%3b/admin", Err(Parameter)),
        ("/x/..%3B/admin", Err(Parameter)),
        ("/admin;a/x", Err(Parameter)),
        ("/admin;", Err(Parameter)),
        ("/admin%3ba/x", Err(Parameter)),
        ("/;/admin", Err(Parameter)),
        // Removed by a later `..`, and still read otherwise.
        ("/x/;/../admin", Err(Parameter)),
        ("/x/a;b/../admin", Err(Parameter)),
        ("/%c0%ae%c0%ae/admin", Err(Overlong)),
        ("/x%C0%AFadmin", Err(Overlong)),
        ("/x%c1%9cadmin", Err(Overlong)),
        ("/x%e0%80%afadmin", Err(Overlong)),
        ("/x%e0%9f%bf", Err(Overlong)),
        ("/x%f0%80%80%afadmin", Err(Overlong)),
        ("/x%e0%a0%80", Ok("/x%E0%A0%80")),
        ("/x%f0%90%80%80", Ok("/x%F0%90%80%80")),
        ("/admin.", Err(Iis)),
        ("/admin%2e", Err(Iis)),
        ("/admin./x", Err(Iis)),
        ("/admin...", Err(Iis)),
        ("/.../x", Err(Iis)),
        ("/admin%20", Err(Iis)),
        ("/admin%20/x", Err(Iis)),
        ("/x/.%20/../admin", Err(Iis)),
        ("/web.config::$DATA", Err(Iis)),
        ("/web.config::%24data", Err(Iis)),
        ("/web.config%3a%3a$INDEX_ALLOCATION", Err(Iis)),
        ("/(S(lit3py55t21z5v55vlm25s55))/admin", Err(Iis)),
        ("/(A(a)F(b))/admin", Err(Iis)),
        ("/(s)/a", Ok("/(s)/a")),
        ("/f(x(y))", Ok("/f(x(y))")),
        ("/a:b$c", Ok("/a:b$c")),
        ("/.a", Ok("/.a")),
        ("/a%20b", Ok("/a%20b")),
        ("/admin.php", Ok("/admin.php")),
        ("/admin.php/x", Err(Php)),
        ("/admin.php/", Err(Php)),
        ("/admin.PhP7/x", Err(Php)),
        ("/admin.phtml/x", Err(Php)),
        ("/admin%2ephp/x", Err(Php)),
        ("/x/admin.php/..", Err(Php)),
        ("/admin.php%3fx", Ok("/admin.php%3Fx")),
        ("/php/x", Ok("/php/x")),
        ("/a.phpx/x", Ok("/a.phpx/x")),
    ];
    hold(rows, PathRules::default());
}

#[test]
fn parameters_are_removed_before_dots_are_resolved() {
    let rules = PathRules {
        parameters: PathParameters::Remove,
        ..PathRules::default()
    };
    let rows: Rows<'_> = &[
        ("/x/..;/admin", Ok("/admin")),
        ("/x/;/../admin", Ok("/admin")),
        ("/admin;a=b;c/x;d?e=;f", Ok("/admin/x?e=;f")),
        ("/admin;", Ok("/admin")),
        ("/a/;", Ok("/a/")),
        ("/..;/x", Err(Climbs)),
        ("/x/..%3b/admin", Err(Parameter)),
        ("/x;a%3bb", Err(Parameter)),
        ("/x.;a/y", Err(Iis)),
    ];
    hold(rows, rules);
}

#[test]
fn parameters_are_forwarded_but_not_those_of_dots() {
    let rules = PathRules {
        parameters: PathParameters::Forward,
        ..PathRules::default()
    };
    let rows: Rows<'_> = &[
        ("/a;b=c/d", Ok("/a;b=c/d")),
        ("/a%3bb", Ok("/a%3Bb")),
        ("/a;b%3Bc", Ok("/a;b%3Bc")),
        ("/x/..;/admin", Err(Parameter)),
        ("/x/..%3b/admin", Err(Parameter)),
        ("/x/..%3ba;b/admin", Err(Parameter)),
        ("/x/.;/admin", Err(Parameter)),
        ("/x/;/../admin", Err(Parameter)),
    ];
    hold(rows, rules);
}

#[test]
fn readings_that_no_upstream_has_may_be_let_through() {
    let rules = PathRules {
        iis: false,
        php: false,
        ..PathRules::default()
    };
    let rows: Rows<'_> = &[
        ("/admin./x", Ok("/admin./x")),
        ("/admin%20", Ok("/admin%20")),
        ("/index.php/x", Ok("/index.php/x")),
        ("/(S(x))/a", Ok("/(S(x))/a")),
        ("/a;b", Err(Parameter)),
        ("/%c0%ae/", Err(Overlong)),
    ];
    hold(rows, rules);
}

#[test]
fn what_a_plugin_says_is_judged_by_the_laxest_rules() {
    let rows: Rows<'_> = &[
        ("/a%3Bb/J.R./x%3F", Ok("/a%3Bb/J.R./x%3F")),
        ("/index.php/x", Ok("/index.php/x")),
        ("/x/..%3B/admin", Err(Parameter)),
        ("/x/..;/admin", Err(Parameter)),
        ("/x%2Fy", Err(Ambiguous)),
        ("/%C0%AE", Err(Overlong)),
    ];
    hold(rows, PathRules::LAX);
    for (raw, want) in rows {
        let got = Target::parse(raw);
        assert_eq!(got.as_ref().map(Target::as_str), want.as_ref().copied());
    }
    assert_eq!(Target::default().path(), "/");
}

#[test]
fn normalising_twice_changes_nothing() {
    for raw in ["/a/%7e//../b/./%c3%a9/", "/x/..//y", "/...a//a/.b"] {
        let once = Target::parse(raw).expect("valid");
        assert_eq!(Target::parse(once.as_str()).as_ref(), Ok(&once), "{raw}");
    }
}
