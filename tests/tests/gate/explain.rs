//! `portcullis explain`: what it says is what the gateway does, and a rehearsal asks nobody.

use std::process::Output;

use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::{init_data, query_value};
use portcullis_tests::upstream::echo::Echo;
use serde_json::Value;

mod debug;

const KEY: &str = "a debug key of the tests";

fn routes(server: &Echo) -> String {
    format!(
        r#"
        [debug]
        key = {{ env = "DEBUG_KEY", default = "{KEY}" }}

        [upstream.u]
        servers = ["{}"]

        [[route]]
        name = "users"
        path = "/api/users"
        methods = ["POST"]
        public = true
        upstream = "u"

        [[route]]
        name = "user"
        path = "/api/users/{{id}}"
        public = true
        upstream = "u"
        rate_limit = [{{ name = "few", per = "client_ip", limit = "2/1h" }}]
        cache = {{ ttl = "30s" }}

        [[route]]
        name = "me"
        path = "/api/users/me"
        headers = {{ x-me = "yes" }}
        public = true
        respond = {{ status = 200, body = "you" }}

        [[route]]
        name = "elsewhere"
        path = "/**"
        host = "*.other.test"
        public = true
        upstream = "u"

        [[route]]
        name = "rest"
        path = "/api/**"
        public = true
        upstream = "u"
        access = {{ deny = ["10.0.0.0/8"] }}
        "#,
        server.address()
    )
}

fn stdout(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).expect("--json writes JSON")
}

/// Without what differs from run to run; columns are one space apart.
fn settled(text: &str, server: &Echo) -> String {
    let line = |line: &str| {
        let begin = line.len() - line.trim_start().len();
        let mut words: Vec<&str> = line.split_whitespace().collect();
        for at in 1..words.len() {
            if words[at].starts_with("ms") && words[at - 1].contains('.') {
                words[at - 1] = "_";
            }
        }
        let is_step = words.first() == Some(&"_");
        format!(
            "{}{}\n",
            " ".repeat(if is_step { 4 } else { begin }),
            words.join(" ")
        )
    };
    let text: String = text.lines().map(line).collect();
    let id = text
        .split("request ")
        .nth(1)
        .map(|rest| rest[..32].to_owned());
    text.replace(&id.expect("the request's id"), "ID")
        .replace(&server.address().to_string(), "SERVER")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_says_why_each_route_is_taken_or_not_and_asks_nobody() {
    let server = Echo::start("u").await;
    let setup = Setup::new(&routes(&server));
    let table = [
        (
            "explain GET http://gate.test/api/users/me?x=1 --client-ip 192.0.2.7",
            include_str!("explain/forwarded.txt"),
        ),
        (
            "explain GET https://gate.test/api/users/me -H x-me:yes",
            include_str!("explain/answered.txt"),
        ),
        (
            "explain GET http://gate.test/api/x --client-ip 10.1.2.3",
            include_str!("explain/refused.txt"),
        ),
        (
            "explain GET http://gate.test/nowhere",
            include_str!("explain/nowhere.txt"),
        ),
    ];
    for (command, wanted) in table {
        let said = settled(&stdout(&setup.say(command)), &server);
        assert_eq!(said, wanted, "{command}\n{said}");
    }
    assert_eq!(server.served(), 0, "a rehearsal asked a server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_runs_the_real_plugins_of_the_route() {
    let demo = Demo::start().await;
    let setup = Setup::demo(&demo);
    let tma = query_value(&init_data(42));
    let explain = |target: &str| {
        let command = format!("explain --json GET http://gate.test{target}?tma={tma}");
        json(&setup.say(&command))
    };

    let own = explain("/api/users/42");
    let trail = &own["trail"];
    assert_eq!(
        (&trail["caller"], &trail["route"]),
        (&"42".into(), &"users".into())
    );
    let step = |name: &str| {
        let steps = trail["steps"].as_array().expect("steps");
        let found = steps.iter().find(|step| step["step"] == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {trail}"))
            .clone()
    };
    for (name, of) in [("authenticate", "telegram"), ("authorize", "rules")] {
        let step = step(name);
        assert_eq!(
            (&step["of"], &step["outcome"]),
            (&of.into(), &"ok".into()),
            "{own}"
        );
        assert!(step["memory"].as_u64() >= Some(65_536), "{step}");
        assert!(step["host_calls"].as_u64() >= Some(1), "{step}");
        assert!(
            step["cpu_us"].as_u64() <= step["took_us"].as_u64(),
            "{step}"
        );
    }
    assert_eq!(step("try")["outcome"], "not_asked");
    assert_eq!(
        own["answer"]["status"],
        Value::Null,
        "that is for a server to say"
    );
    let servers = own["balance"]["servers"].as_array().expect("servers");
    assert_eq!(servers.len(), 2, "{own}");

    let others = explain("/api/users/43");
    assert_eq!(others["answer"]["status"], 403);
    assert_eq!(others["trail"]["refusal"], "forbidden");
    assert!(
        others["trail"]["because"]
            .as_str()
            .is_some_and(|w| w.contains("rules"))
    );

    let dashboard = explain("/api/dashboard");
    let steps = dashboard["trail"]["steps"].as_array().expect("steps");
    let calls: Vec<&Value> = steps.iter().filter(|step| step["step"] == "call").collect();
    // The handler gives up with the first that fails; the others may not have begun.
    assert!(!calls.is_empty(), "{dashboard}");
    for call in calls {
        assert_eq!(call["outcome"], "not_asked", "{dashboard}");
        let within = call["within"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok());
        assert_eq!(steps[within.expect("of the handler")]["step"], "handle");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_the_running_gateway_tells_the_same_in_the_same_words() {
    let server = Echo::start("u").await;
    let gateway = Gateway::start(&routes(&server)).await;
    let at = gateway.listen.http;
    let said = gateway
        .command(&format!(
            "explain --live --json GET http://{at}/api/users/7"
        ))
        .expect("it runs");
    let report = json(&said);
    assert_eq!(report["answer"]["status"], 200, "{report}");
    let steps = report["trail"]["steps"].as_array().expect("steps");
    let names: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["step"].as_str())
        .collect();
    assert_eq!(
        names,
        ["find", "limit_by_address", "cache", "try"],
        "{report}"
    );
    let tried = &steps[3];
    assert_eq!(tried["server"], server.address().to_string());
    assert_eq!(
        (
            &tried["number"],
            &tried["because"],
            &tried["status"],
            &tried["outcome"]
        ),
        (&1.into(), &"first".into(), &200.into(), &"answered".into())
    );
    assert_eq!(report["limits"][0]["says"], "allowed");
    assert_eq!(server.served(), 1, "it was really asked");

    // The second time it is stored, and the limit is nearly reached; then it is.
    let again = gateway.command(&format!(
        "explain --live --json GET http://{at}/api/users/7"
    ));
    assert_eq!(json(&again.expect("it runs"))["trail"]["cache"], "hit");
    let third = gateway.command(&format!(
        "explain --live --json GET http://{at}/api/users/7"
    ));
    let third = json(&third.expect("it runs"));
    assert_eq!(
        (&third["answer"]["status"], &third["limits"][0]["says"]),
        (&429.into(), &"refused".into())
    );

    let elsewhere = Setup::new(&routes(&server)).env("DEBUG_KEY", "another key of the tests");
    let refused = elsewhere.say(&format!("explain --live GET http://{at}/api/users/9"));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(
        why.contains("told no trail") && why.contains("[debug] key"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_explained_is_told_with_a_hint() {
    let server = Echo::start("u").await;
    let setup = Setup::new(&routes(&server));
    let keyless = Setup::new(
        &routes(&server)
            .replace("[debug]", "[timeouts]")
            .replace("key =", "#"),
    );
    let table = [
        (&setup, "explain GET /api/users/7", "with its host"),
        (&setup, "explain GET ftp://gate.test/", "with its host"),
        (
            &setup,
            "explain GET http://gate.test/ -H nocolon",
            "no colon",
        ),
        (
            &keyless,
            "explain --sign GET http://gate.test/",
            "[debug] key",
        ),
    ];
    for (setup, command, wanted) in table {
        let said = setup.say(command);
        let why = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(2), "{command}: {why}");
        assert!(
            why.contains(wanted) && why.contains("hint"),
            "{command}: {why}"
        );
    }
}
