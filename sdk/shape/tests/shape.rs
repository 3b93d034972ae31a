//! Settings compiled and filled.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::testing::Fake;
use serde_json::json;
use shape::{Compiler, Json, Kind, Roots, Scope, Size, Statuses, Trouble, Uses, from_json};

fn roots() -> Roots {
    Roots::new(Kind::Request, ["user".to_owned()])
}

/// A request, with the answer of a call `user` in scope.
fn scope(uses: &Uses) -> Scope {
    let fake = Fake::request("GET", "/x?page=2&tag=a&tag=b&q=a%2Fb+c")
        .with_attr("caller.id", "4/2")
        .with_attr("caller.roles", "user,admin")
        .with_attr("claim.name", "a\", \"admin\": \"b")
        .with_attr("claim.x-y", "z")
        .with_attr("param.id", "..")
        .with_attr("param.rest", "a/b c")
        .with_attr("param.empty", "")
        .with_attr("client.ip", "::1")
        .with_header("X-Tenant", "t")
        .with_header("x-bad", "a\tb");
    let mut scope = Scope::new(&fake.exchange(), uses);
    scope.insert(
        "user",
        from_json(&Json::parse(br#"{"handle":"h&h","n":7,"o~/":[1,{"p":null}]}"#).unwrap()),
    );
    scope
}

fn text(source: &str) -> Result<String, Trouble> {
    let mut compiler = Compiler::default();
    let text = compiler.text("t", source, &roots());
    let text = compiler.finish(text).unwrap();
    text.fill(&scope(text.uses()).value())
}

fn target(source: &str) -> Result<String, Trouble> {
    let mut compiler = Compiler::default();
    let target = compiler.target("t", source, &roots());
    let target = compiler.finish(target).unwrap();
    let (path, query) = target.fill(&scope(target.uses()).value())?;
    Ok(query.map_or(path.clone(), |query| format!("{path}?{query}")))
}

fn page(source: &str) -> Result<String, Trouble> {
    let mut compiler = Compiler::default();
    let page = compiler.page("t", source, true, &roots());
    let page = compiler.finish(page).unwrap();
    let scope = scope(page.uses()).value();
    page.fill_json(&scope)?;
    page.fill(&scope)
}

fn mistakes(source: &str) -> String {
    let mut compiler = Compiler::default();
    let text = compiler.text("t", source, &roots());
    compiler.finish(text).unwrap_err()
}

#[test]
fn places_are_filled() {
    for (source, wanted) in [
        ("", ""),
        ("plain", "plain"),
        ("{caller.id}", "4/2"),
        ("{ caller.roles | join(',') }!", "user,admin!"),
        ("{caller.claims['x-y']} {client.ip}", "z ::1"),
        ("{headers['x-tenant']}{headers['X-TENANT']}", "tt"),
        ("{query.page}{query.q}", "2a/b c"),
        ("{query.tag | join('+')}", "a+b"),
        ("{query.none | default('1')}", "1"),
        ("{user#/handle} {user.n + 1} {user#/o~0~1/0}", "h&h 8 1"),
        ("{'{'}{\"}\"}", "{}"),
        ("{'admin' in caller.roles}", "true"),
        ("{user.n if user.n > 5 else 'few'}", "7"),
    ] {
        assert_eq!(text(source).unwrap(), wanted, "{source}");
    }
}

#[test]
fn what_is_not_there_is_missing_and_a_list_is_no_text() {
    for source in [
        "{query.none}",
        "{user.none}",
        "{user#/o~0~1/9}",
        "{user.none.more}",
        "{user#/o~0~1/1/p}",
    ] {
        assert!(matches!(text(source), Err(Trouble::Missing(_))), "{source}");
    }
    assert!(matches!(text("{query.tag}"), Err(Trouble::Unfit(_))));
    assert!(matches!(text("{user.handle + 1}"), Err(Trouble::Broken(_))));
}

#[test]
fn a_value_fills_its_segment_and_nothing_else() {
    for (source, wanted) in [
        ("/users/{caller.id}", "/users/4%2F2"),
        (
            "/m/{user#/handle}?q={query.q}&x=1",
            "/m/h%26h?q=a%2Fb%20c&x=1",
        ),
        ("/f/{params.rest}", "/f/a%2Fb%20c"),
        ("/f/{params.rest | path}", "/f/a/b%20c"),
        ("{path | raw}/more?{'a=b' | raw}", "/x/more?a=b"),
        ("/q?none={params.empty}", "/q?none="),
        (
            "/q?j={user.n | tojson}&s={query.q | safe}",
            "/q?j=7&s=a%2Fb%20c",
        ),
        ("/v{params.id}x", "/v..x"),
    ] {
        assert_eq!(target(source).unwrap(), wanted, "{source}");
    }
    for source in [
        "/users/{params.id}",
        "/users/{params.id}/x",
        "/users/{params.empty}",
        "/.{'.'}",
        "{user.n}",
    ] {
        assert!(matches!(target(source), Err(Trouble::Unfit(_))), "{source}");
    }
}

#[test]
fn a_page_writes_values_as_json() {
    for (source, wanted) in [
        (
            r#"{"n": {{ caller.claims.name }}}"#,
            r#"{"n": "a\", \"admin\": \"b"}"#,
        ),
        (
            r#"[{% for r in caller.roles %}{{ r }}{{ "," | safe if not loop.last }}{% endfor %}]"#,
            r#"["user","admin"]"#,
        ),
        (
            "{{ user }}",
            r#"{"handle":"h&h","n":7,"o~/":[1,{"p":null}]}"#,
        ),
        (
            "{{ user | tojson }}",
            r#"{"handle":"h&h","n":7,"o~/":[1,{"p":null}]}"#,
        ),
        (
            "{{ {'a': [1.50, none, true]} }}",
            r#"{"a":[1.5,null,true]}"#,
        ),
    ] {
        assert_eq!(page(source).unwrap(), wanted, "{source}");
    }
    // In quotes a value would be quoted twice: never a way out of the string.
    assert!(matches!(
        page(r#"{"n": "{{ caller.claims.name }}"}"#),
        Err(Trouble::Broken(_))
    ));
    assert!(matches!(page("{{ query.none }}"), Err(Trouble::Missing(_))));
    assert!(matches!(
        page("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}1"),
        Err(Trouble::Broken(_))
    ));
}

#[test]
fn a_tree_keeps_types() {
    let source = Json::parse(
        br#"{"id":"{caller.id}","all":["{user}","n={user.n}","{user.n}",1.50,null],"{x":1}"#,
    )
    .unwrap();
    let mut compiler = Compiler::default();
    let tree = compiler.tree("t", &source, &roots());
    let tree = compiler.finish(tree).unwrap();
    let filled: Json = tree.fill(&scope(tree.uses()).value()).unwrap();
    assert_eq!(
        filled.to_string(),
        r#"{"id":"4/2","all":[{"handle":"h&h","n":7,"o~/":[1,{"p":null}]},"n=7",7,1.50,null],"{x":1}"#
    );
}

#[test]
fn a_mistake_says_what_there_is() {
    for (source, wanted) in [
        (
            "{caler.id}",
            "t: {caler.id}: there is no `caler` (did you mean `caller`?); there are method, path",
        ),
        (
            "{caller.idd}",
            "there is no `caller.idd` (did you mean `id`?); there is caller.id, caller.roles",
        ),
        (
            "{caller}",
            "write caller.id, caller.roles or caller.claims.NAME",
        ),
        ("{params}", "write params.NAME"),
        ("{uzer#/x}", "there is no `uzer` (did you mean `user`?)"),
        ("{user#x}", "\"x\" is no JSON Pointer"),
        ("{response.status}", "there is no `response`"),
        (
            "{query.q | defualt(1)}",
            "there is no filter `defualt` (did you mean `default`?)",
        ),
        ("{query.q is definedd}", "there is no test `is definedd`"),
        ("{{ caller.id }}", "a place has one brace"),
        ("{caller.id", "does not end"),
        ("a}", "ends no place"),
        ("{caller.id +}", "unexpected"),
    ] {
        let told = mistakes(source);
        assert!(told.contains(wanted), "{source}: {told}");
    }
    let mut compiler = Compiler::default();
    compiler.target("p", "users/ä b", &roots());
    compiler.page("b", "{% for %}", true, &roots());
    compiler.page("c", "{{ caler | tojsn }}", true, &roots());
    let told = compiler.finish(()).unwrap_err();
    for wanted in [
        "p: the path starts with a slash",
        "write %C3%A4",
        "b: ",
        "c: there is no `caler`",
        "`tojsn` (did you mean `tojson`?)",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
}

#[test]
fn sizes_and_statuses_are_read() {
    assert_eq!(Size::try_from("256KiB".to_owned()), Ok(Size(256 << 10)));
    assert_eq!(Size::try_from("1 MiB".to_owned()), Ok(Size(1 << 20)));
    for bad in ["", "0", "1KB", "-1", "9999999MiB", "x"] {
        assert!(Size::try_from(bad.to_owned()).is_err(), "{bad}");
    }
    let statuses = Statuses::try_from(vec![json!("2xx").into(), json!(404).into()]).unwrap();
    assert!(statuses.has(204) && statuses.has(404) && !statuses.has(403));
    for bad in [json!("6xx"), json!(99), json!(4.5), json!("404"), json!([])] {
        assert!(Statuses::try_from(vec![bad.into()]).is_err());
    }
}
