//! Traffic splits: shares, conditions, and who stays where.

use std::collections::BTreeMap;

use portcullis_tests::client::Client;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;

use super::{from_anywhere, metric, route, upstream};

const CLIENTS: u32 = 600;

fn toml(old: &Echo, new: &Echo, keys: &str) -> String {
    [
        upstream("old", old.address()),
        upstream("new", new.address()),
        route("split", "/", keys),
    ]
    .concat()
}

fn by_address(percent: u32) -> String {
    let rest = 100 - percent;
    format!(
        "split_by = \"client_ip\"\nsplit = [{{ upstream = \"new\", weight = {percent} }}, {{ upstream = \"old\", weight = {rest} }}]"
    )
}

/// The upstream that each of many clients comes to.
async fn sides(gateway: &Gateway) -> BTreeMap<u32, String> {
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    let mut sides = BTreeMap::new();
    for n in 0..CLIENTS {
        let from = format!("10.7.{}.{}", n / 250, n % 250 + 1);
        let headers = [("x-forwarded-for", from.as_str())];
        let answer = client.ask("GET", "/", &headers, b"").await;
        let answer = answer.expect("an answer");
        let server = answer.json()["server"].as_str().map(str::to_owned);
        sides.insert(n, server.expect("the echo tells its name"));
    }
    sides
}

fn count(sides: &BTreeMap<u32, String>, of: &str) -> usize {
    sides.values().filter(|side| *side == of).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_stay_on_their_side_and_a_new_weight_moves_only_those_who_have_to() {
    let (old, new) = (Echo::start("old").await, Echo::start("new").await);
    let gateway = from_anywhere(&toml(&old, &new, &by_address(20)))
        .start()
        .await;
    let first = sides(&gateway).await;
    // The hash is the same everywhere, so these are no matter of luck: a fifth, and then two.
    let share = count(&first, "new");
    assert!((80..=160).contains(&share), "{share} of {CLIENTS}");
    assert_eq!(sides(&gateway).await, first, "a client changed sides");
    gateway.rewrite(&toml(&old, &new, &by_address(40)));
    let reloaded = gateway.command("reload").expect("the binary runs");
    assert!(reloaded.status.success(), "{reloaded:?}");
    let second = sides(&gateway).await;
    let share = count(&second, "new");
    assert!((190..=290).contains(&share), "{share} of {CLIENTS}");
    let back = first
        .iter()
        .filter(|(n, side)| *side == "new" && second[n] == "old");
    assert_eq!(back.count(), 0, "clients of the new side went back");
    let counted = metric(
        &gateway,
        "portcullis_split_total{route=\"split\",upstream=\"new\"}",
    )
    .await;
    assert_eq!(
        counted as usize,
        2 * count(&first, "new") + count(&second, "new")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_drawn_anew_where_nothing_is_to_stay() {
    let (old, new) = (Echo::start("old").await, Echo::start("new").await);
    let keys = by_address(50).replace("client_ip", "request");
    let gateway = Gateway::start(&toml(&old, &new, &keys)).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    for _ in 0..200 {
        client.ask("GET", "/", &[], b"").await.expect("an answer");
    }
    let share = new.served();
    assert!((60..=140).contains(&share), "{share} of 200");
    assert_eq!(old.served() + share, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_asks_for_a_side_gets_it() {
    let (old, new) = (Echo::start("old").await, Echo::start("new").await);
    let keys = "split = [\n  { upstream = \"new\", headers = { x-canary = \"1\" } },\n  { upstream = \"new\", cookies = { canary = \"yes\" } },\n  { upstream = \"old\", weight = 1 },\n]";
    let gateway = Gateway::start(&toml(&old, &new, keys)).await;
    let table: [(&[(&str, &str)], &str); 8] = [
        (&[], "old"),
        (&[("x-canary", "1")], "new"),
        (&[("x-canary", "2")], "old"),
        (&[("cookie", "canary=yes")], "new"),
        (&[("cookie", "a=b; canary=yes; c=d")], "new"),
        (&[("cookie", "canary=yesterday")], "old"),
        (&[("cookie", "xcanary=yes")], "old"),
        (&[("cookie", "a=canary=yes")], "old"),
    ];
    for (headers, want) in table {
        let answer = gateway.get("/", headers).await;
        assert_eq!(answer.json()["server"], want, "{headers:?}");
    }
    let line = gateway.log_line(|line| line["upstream"] == "new").await;
    assert_eq!(line["route"], "split");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_side_answered_is_not_stored_for_the_other() {
    let (old, new) = (Echo::start("old").await, Echo::start("new").await);
    let keys = "cache = { ttl = \"1h\" }\nsplit = [{ upstream = \"new\", headers = { x-canary = \"1\" } }, { upstream = \"old\", weight = 1 }]";
    let gateway = Gateway::start(&toml(&old, &new, keys)).await;
    let canary: &[(&str, &str)] = &[("x-canary", "1")];
    for (headers, want) in [
        (&[][..], "old"),
        (canary, "new"),
        (&[], "old"),
        (canary, "new"),
    ] {
        let answer = gateway.get("/", headers).await;
        assert_eq!(answer.json()["server"], want, "{headers:?}");
    }
    assert_eq!((old.served(), new.served()), (1, 1), "each is asked once");
}
