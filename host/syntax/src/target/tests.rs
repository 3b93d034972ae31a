use super::*;
use crate::path::PathParameters;

use TargetError::{
    Ambiguous, Character, Climbs, Encoding, Iis, NotOrigin, Overlong, Parameter, Script,
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
        ("/x/%f8%80%80%80%af../admin", Err(Overlong)),
        (
            "/x/%fc%80%80%80%80%ae%fc%80%80%80%80%ae/admin",
            Err(Overlong),
        ),
        ("/x%f5%80%80%80", Err(Overlong)),
        ("/x%fe", Err(Overlong)),
        ("/x%ff", Err(Overlong)),
        ("/x%F4%8F%BF%BF", Ok("/x%F4%8F%BF%BF")),
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
        ("/%28S(abc)%29/admin", Err(Iis)),
        ("/%28S%28abc%29%29/admin", Err(Iis)),
        ("/(S%28abc))/admin", Err(Iis)),
        ("/admin:$i30:$INDEX_ALLOCATION/x", Err(Iis)),
        ("/admin%3A%24i30%3A%24INDEX_ALLOCATION/x", Err(Iis)),
        ("/secret.php:$DATA", Err(Iis)),
        ("/secret.txt:x:$DATA", Err(Iis)),
        ("/secret.txt:x%3a%24data", Err(Iis)),
        ("/ADMINI~1/x", Err(Iis)),
        ("/ADMINI%7e1/x", Err(Iis)),
        ("/x/WEB~1.CON", Err(Iis)),
        ("/secret~12.asp", Err(Iis)),
        ("/~1", Ok("/~1")),
        ("/~user/a~b", Ok("/~user/a~b")),
        ("/a~1b", Ok("/a~1b")),
        ("/a~1.b.c", Ok("/a~1.b.c")),
        ("/(s)/a", Ok("/(s)/a")),
        ("/f(x(y))", Ok("/f(x(y))")),
        ("/a:b$c", Ok("/a:b$c")),
        ("/.a", Ok("/.a")),
        ("/a%20b", Ok("/a%20b")),
        ("/admin.php", Ok("/admin.php")),
        ("/admin.php/x", Err(Script)),
        ("/admin.php/", Err(Script)),
        ("/admin.PhP7/x", Err(Script)),
        ("/admin.phtml/x", Err(Script)),
        ("/admin%2ephp/x", Err(Script)),
        ("/x/admin.php/..", Err(Script)),
        ("/admin.php%3fx", Err(Script)),
        ("/admin.php%3Fx.php", Err(Script)),
        ("/admin%2ephp%3f", Err(Script)),
        ("/admin%3fx", Ok("/admin%3Fx")),
        ("/php/x", Ok("/php/x")),
        ("/a.phpx/x", Ok("/a.phpx/x")),
        ("/secret.aspx", Ok("/secret.aspx")),
        ("/secret.aspx/x", Err(Script)),
        ("/secret.aspx/", Err(Script)),
        ("/secret.ASP/x", Err(Script)),
        ("/secret.ashx/", Err(Script)),
        ("/secret.asmx/Method", Err(Script)),
        ("/secret.svc/x", Err(Script)),
        ("/trace.axd/x", Err(Script)),
        ("/secret.aspx%3fx", Err(Script)),
        ("/secret.aspx2/x", Ok("/secret.aspx2/x")),
        ("/secret.cgi", Ok("/secret.cgi")),
        ("/secret.cgi/x", Err(Script)),
        ("/secret.pl/x", Err(Script)),
        ("/secret.fcgi/x", Err(Script)),
        ("/index.cfm/x", Err(Script)),
        ("/a.plain/x", Ok("/a.plain/x")),
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
        cgi: false,
        ..PathRules::default()
    };
    let rows: Rows<'_> = &[
        ("/admin./x", Ok("/admin./x")),
        ("/a.aspx/x", Ok("/a.aspx/x")),
        ("/a.cgi/x", Ok("/a.cgi/x")),
        ("/a.php%3Fx", Ok("/a.php%3Fx")),
        ("/HEAD~1/a:$b", Ok("/HEAD~1/a:$b")),
        ("/x%ff", Err(Overlong)),
        ("/admin%20", Ok("/admin%20")),
        ("/index.php/x", Ok("/index.php/x")),
        ("/(S(x))/a", Ok("/(S(x))/a")),
        ("/a;b", Err(Parameter)),
        ("/%c0%ae/", Err(Overlong)),
    ];
    hold(rows, rules);
}

/// Each family's own, and no more than that.
#[test]
fn a_script_is_one_of_its_own_family() {
    let none = PathRules::LAX;
    for (rules, path) in [
        (PathRules { iis: true, ..none }, "/a.aspx/x"),
        (PathRules { php: true, ..none }, "/a.php/x"),
        (PathRules { cgi: true, ..none }, "/a.cgi/x"),
    ] {
        for other in ["/a.aspx/x", "/a.php/x", "/a.cgi/x"] {
            let refused = Target::parse_by(other, rules) == Err(Script);
            assert_eq!(refused, other == path, "{other} by {rules:?}");
        }
    }
}

#[test]
fn a_path_is_compared_in_one_spelling_and_forwarded_in_the_client_s() {
    for (raw, forwarded, compared) in [
        ("/users/@me", "/users/@me", "/users/@me"),
        ("/users/%40me", "/users/%40me", "/users/@me"),
        ("/users%3apurge?q=%3a", "/users%3Apurge", "/users:purge"),
        (
            "/%21%24%26%27%28%29%2a%2B%2c%3D",
            "/%21%24%26%27%28%29%2A%2B%2C%3D",
            "/!$&'()*+,=",
        ),
        ("/%61%2d%5f", "/a-_", "/a-_"),
        (
            "/a%20%25%C3%A9%3F%23%5B",
            "/a%20%25%C3%A9%3F%23%5B",
            "/a%20%25%C3%A9%3F%23%5B",
        ),
        ("/a%2540", "/a%2540", "/a%2540"),
        ("/%40/../b%40", "/b%40", "/b@"),
        ("/", "/", "/"),
    ] {
        let target = Target::parse_by(raw, PathRules::default()).expect("it has one reading");
        assert_eq!(
            (target.path(), target.canonical_path()),
            (forwarded, compared)
        );
    }
    let whole = Target::parse("/a%40?b=%40").expect("it has one reading");
    assert_eq!(
        (whole.as_str(), &*whole.to_canonical()),
        ("/a%40?b=%40", "/a@?b=%40")
    );
    let forward = PathRules {
        parameters: PathParameters::Forward,
        ..PathRules::default()
    };
    let target = Target::parse_by("/a%3Bb", forward).expect("it has one reading");
    assert_eq!((target.path(), target.canonical_path()), ("/a%3Bb", "/a;b"));
    for (text, want) in [
        ("", ""),
        ("%", "%"),
        ("a%4", "a%4"),
        ("%zz%40%", "%zz@%"),
        ("%é%2f", "%é%2f"),
    ] {
        assert_eq!(canonical(text), want, "{text}");
    }
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

/// What is taken as it is must be what the rules would make of it: held for every short path of characters that matter.
#[test]
fn a_path_that_is_taken_as_it_is_is_normal() {
    const CHARACTERS: &[u8] = b"/.a;%(~$ A";
    let mut paths = vec![String::new()];
    let mut taken = 0;
    for _ in 0..5 {
        let longer = |path: &String| {
            let path = path.clone();
            CHARACTERS
                .iter()
                .map(move |b| format!("{path}{}", char::from(*b)))
        };
        paths = paths.iter().flat_map(longer).collect();
        for path in paths.iter().filter(|path| is_normal(path)) {
            assert_eq!(normalise(path, PathRules::default()).as_ref(), Ok(path));
            taken += 1;
        }
    }
    assert!(taken > 50, "{taken}");
    for ordinary in ["/", "/api/v1/users/42", "/a/", "/a/b.js", "/x-y_z"] {
        assert!(is_normal(ordinary), "{ordinary}");
    }
}

#[test]
fn the_query_is_what_follows_the_question_mark() {
    for (target, query) in [("/a?x=1", Some("x=1")), ("/a?", Some("")), ("/a", None)] {
        let target = Target::parse(target).expect("a target");
        assert_eq!(target.query(), query);
    }
}
