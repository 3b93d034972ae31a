//! The disk tier: what lives on over a restart, and what must not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_tests::client::{Answer, plain};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::origin::{Asked, Origin, Says};
use portcullis_tests::wait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{is_stored, isolation, status};

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder for the disk tier that outlives gateways.
pub(super) struct Store(TempDir);

impl Store {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.0.path().join("store")
    }

    /// `[cache]` with it.
    pub(super) fn cache(&self, more: &str) -> String {
        let folder = self.folder();
        format!("[cache]\ndisk = {{ folder = {folder:?}, size = \"64MiB\" }}\n{more}\n\n")
    }

    /// A gateway on it, once it knows what is there.
    pub(super) async fn gateway(&self, toml: &str) -> Gateway {
        let gateway = Setup::new(&(self.cache("") + toml)).start().await;
        disk_until(&gateway, |disk| disk["state"] == "up").await;
        gateway
    }

    /// The files of responses.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let folders = list(&self.folder()).into_iter();
        let mut files: Vec<_> = folders
            .filter(|path| path.is_dir())
            .flat_map(|folder| list(&folder))
            .collect();
        files.sort();
        files
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("it can be read").path())
        .collect()
}

/// Waits until the page of the cache says so of its disk tier.
pub(super) async fn disk_until(gateway: &Gateway, wanted: impl Fn(&Value) -> bool) -> Value {
    wait::found("another state of the disk on /cache", async || {
        let disk = gateway.admin("GET", "/cache").await.json()["disk"].clone();
        if wanted(&disk) { Ok(disk) } else { Err(disk) }
    })
    .await
}

/// Its end, which writes what is still to be written.
fn stop(mut gateway: Gateway) {
    let status = gateway.stop().expect("it ends");
    assert!(status.success(), "{status}: {}", gateway.stderr());
}

/// Of each target a body of its own, that counts; fresh for ten minutes.
pub(super) fn lasting(asked: &Asked) -> Says {
    let number = asked.before;
    let name = asked.target.rsplit('/').next().unwrap_or_default();
    Says::ok(format!("{} {number} {}", asked.target, "x".repeat(3_000)))
        .header("cache-control", "max-age=600")
        .header("etag", "\"v\"")
        .header("vary", "accept-language")
        .header("surrogate-key", name)
}

pub(super) fn toml(origin: &Origin) -> String {
    super::toml(origin, "{}")
}

async fn purge(gateway: &Gateway, body: &str) -> Answer {
    let json = [("content-type", "application/json")];
    gateway
        .ask_admin("POST", "/cache/purge", &json, body.as_bytes())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_there_after_a_restart() {
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    let gateway = store.gateway(&toml(&origin)).await;
    for language in ["en", "de"] {
        let answer = gateway.get("/a", &[("accept-language", language)]).await;
        assert!(status(&answer).ends_with("-miss; stored"), "{answer:?}");
    }
    stop(gateway);
    let gateway = store.gateway(&toml(&origin)).await;
    let german = [("accept-language", "de")];
    let first = gateway.get("/a", &german).await;
    assert!(first.text().starts_with("/a 1 "), "{first:?}");
    assert_eq!(first.header("etag"), Some("\"v\""));
    assert!(is_stored(&first), "{first:?}");
    let told = status(&first);
    assert!(
        told.starts_with("portcullis; hit; ttl=") && told.ends_with("; detail=disk"),
        "{told}"
    );
    let second = gateway.get("/a", &german).await;
    assert!(!status(&second).contains("disk"), "from memory: {second:?}");
    // Straight from the disk, in every way.
    let english = ("accept-language", "en");
    let part = [english, ("range", "bytes=0-3")];
    let part = gateway.get("/a", &part).await;
    assert_eq!((part.status, part.text().as_str()), (206, "/a 0"));
    let known = [english, ("if-none-match", "\"v\"")];
    assert_eq!(gateway.get("/a", &known).await.status, 304);
    let head = gateway.ask("HEAD", "/a", &[english], b"").await;
    assert!(head.status == 200 && is_stored(&head), "{head:?}");
    assert_eq!(origin.count("/a"), 2, "the upstream was asked before only");
    let french = gateway.get("/a", &[("accept-language", "fr")]).await;
    assert!(french.text().starts_with("/a 2 "), "another variant");
    let disk = disk_until(&gateway, |disk| disk["written"] == 1).await;
    for (name, count) in [("hit", 2), ("miss", 1), ("corrupt", 0), ("entries", 3)] {
        assert_eq!(disk[name], count, "{name}: {disk}");
    }
    for (sample, value) in [
        ("portcullis_cache_disk_reads_total{outcome=\"hit\"}", 2),
        ("portcullis_cache_disk_reads_total{outcome=\"miss\"}", 1),
        ("portcullis_cache_disk_writes_total{outcome=\"done\"}", 1),
        ("portcullis_cache_disk_entries", 3),
        ("portcullis_cache_disk_up", 1),
    ] {
        assert_eq!(gateway.metric(sample).await, Some(value), "{sample}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_while_it_writes_leaves_a_cache_that_works() {
    let large = |asked: &Asked| {
        let body = format!("{} {}", asked.target, "y".repeat(100_000));
        Says::ok(body).header("cache-control", "max-age=600")
    };
    let (origin, store) = (Origin::saying(large).await, Store::new());
    for round in 0..4 {
        let mut gateway = store.gateway(&toml(&origin)).await;
        let address = gateway.listen.http;
        let mut asking = JoinSet::new();
        for client in 0..4 {
            asking.spawn(async move {
                for number in 0.. {
                    let target = format!("/{round}/{client}/{number}");
                    let asked = plain::Client::connect(address).await;
                    let Ok(mut asked) = asked else { return };
                    if asked.ask("GET", &target, &[], b"").await.is_err() {
                        return;
                    }
                }
            });
        }
        disk_until(&gateway, |disk| {
            disk["written"].as_u64().is_some_and(|n| n > 10)
        })
        .await;
        gateway.signal(rustix::process::Signal::KILL);
        gateway.wait(PATIENCE).expect("it is killed");
        asking.shutdown().await;
    }
    let asked = origin.asked().len();
    let gateway = store.gateway(&toml(&origin)).await;
    let unfinished = |path: &PathBuf| path.extension().is_some();
    assert_eq!(store.files().iter().filter(|p| unfinished(p)).count(), 0);
    for round in 0..4 {
        for client in 0..4 {
            for number in 0..5 {
                let target = format!("/{round}/{client}/{number}");
                let answer = gateway.get(&target, &[]).await;
                let whole = format!("{target} {}", "y".repeat(100_000));
                assert_eq!(answer.text(), whole, "{target}");
            }
        }
    }
    let disk = disk_until(&gateway, |_| true).await;
    assert_eq!(disk["corrupt"], 0, "a file is whole or not there: {disk}");
    let hits = disk["hit"].as_u64().unwrap_or_default();
    assert!(hits >= 20, "{disk}");
    assert_eq!(80 - hits, (origin.asked().len() - asked) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_never_served() {
    const COUNT: usize = 40;
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    let gateway = store.gateway(&toml(&origin)).await;
    for number in 0..COUNT {
        gateway.get(&format!("/{number}"), &[]).await;
    }
    stop(gateway);
    let files = store.files();
    assert_eq!(files.len(), COUNT);
    for (number, file) in files.iter().enumerate() {
        let mut bytes = fs::read(file).expect("it is ours");
        // From its first byte to its last.
        let at = number * (bytes.len() - 1) / (COUNT - 1);
        bytes[at] ^= 1 << (number % 8);
        fs::write(file, bytes).expect("it is ours");
    }
    let gateway = store.gateway(&toml(&origin)).await;
    for number in 0..COUNT {
        let answer = gateway.get(&format!("/{number}"), &[]).await;
        let whole = format!("/{number} 1 {}", "x".repeat(3_000));
        assert_eq!(answer.text(), whole, "asked again: {answer:?}");
    }
    let disk = disk_until(&gateway, |disk| disk["written"] == COUNT).await;
    assert_eq!((&disk["corrupt"], &disk["hit"]), (&COUNT.into(), &0.into()));
    disk_until(&gateway, |disk| disk["entries"] == COUNT).await;
    assert!(files.iter().all(|file| !file.exists()), "all taken away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_reaches_what_is_on_the_disk_only() {
    const ALL: [&str; 4] = ["/a/1", "/a/2", "/b/1", "/b/3"];
    let cases: [(&str, &[&str]); 4] = [
        (r#"{"url":"/b/3"}"#, &["/b/3"]),
        (r#"{"prefix":"/a/"}"#, &["/a/1", "/a/2"]),
        (r#"{"tag":"1"}"#, &["/a/1", "/b/1"]),
        (r#"{"everything":true}"#, &ALL),
    ];
    for (body, gone) in cases {
        let (origin, store) = (Origin::saying(lasting).await, Store::new());
        let gateway = store.gateway(&toml(&origin)).await;
        for target in ALL {
            gateway.get(target, &[]).await;
        }
        stop(gateway);
        let gateway = store.gateway(&toml(&origin)).await;
        let answer = purge(&gateway, body).await;
        assert_eq!(answer.json()["purged"], gone.len(), "{body}: {answer:?}");
        assert_eq!(store.files().len(), ALL.len() - gone.len(), "{body}");
        // In both tiers it is one URL still.
        gateway.get("/c/1", &[]).await;
        disk_until(&gateway, |disk| disk["written"] == 1).await;
        let answer = purge(&gateway, r#"{"url":"/c/1"}"#).await;
        assert_eq!(answer.json()["purged"], 1, "{answer:?}");
        stop(gateway);
        let gateway = store.gateway(&toml(&origin)).await;
        for target in ALL {
            let stored = is_stored(&gateway.get(target, &[]).await);
            assert_eq!(stored, !gone.contains(&target), "{body}: {target}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_post_made_invalid_stays_so_after_a_restart() {
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    let gateway = store.gateway(&toml(&origin)).await;
    for target in ["/a", "/b"] {
        gateway.get(target, &[]).await;
    }
    disk_until(&gateway, |disk| disk["written"] == 2).await;
    gateway.ask("POST", "/a", &[], b"x").await;
    stop(gateway);
    let gateway = store.gateway(&toml(&origin)).await;
    assert!(!is_stored(&gateway.get("/a", &[]).await));
    assert!(is_stored(&gateway.get("/b", &[]).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_response_that_is_not_written_takes_the_older_one_away() {
    let short = |asked: &Asked| match asked.before {
        0 => lasting(asked),
        _ => Says::ok("short").header("cache-control", "max-age=5"),
    };
    let (origin, store) = (Origin::saying(short).await, Store::new());
    let gateway = store.gateway(&toml(&origin)).await;
    gateway.get("/", &[]).await;
    disk_until(&gateway, |disk| disk["entries"] == 1).await;
    gateway.get("/", &[("cache-control", "no-cache")]).await;
    disk_until(&gateway, |disk| disk["entries"] == 0).await;
    stop(gateway);
    let gateway = store.gateway(&toml(&origin)).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "short");
    assert_eq!(origin.count("/"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_never_takes_more_than_its_size() {
    let large = |asked: &Asked| {
        let body = format!("{} {}", asked.target, "z".repeat(100_000));
        Says::ok(body).header("cache-control", "max-age=600")
    };
    let (origin, store) = (Origin::saying(large).await, Store::new());
    let folder = store.folder();
    let toml = format!(
        "[cache]\nmemory = \"1MiB\"\nmax_object = \"1MiB\"\ndisk = {{ folder = {folder:?}, size = \"16MiB\" }}\n\n{}",
        toml(&origin)
    );
    let gateway = Gateway::start(&toml).await;
    disk_until(&gateway, |disk| disk["state"] == "up").await;
    for number in 0..300 {
        gateway.get(&format!("/{number}"), &[]).await;
        if number % 20 == 19 {
            let taken = taken(&folder);
            assert!(taken <= 16 << 20, "{taken} bytes after {number}");
        }
    }
    let number = |disk: &Value, name: &str| disk[name].as_u64().unwrap_or_default();
    // A disk that lags behind is not waited for.
    let done = |disk: &Value| number(disk, "written") + number(disk, "dropped") == 300;
    let disk = disk_until(&gateway, done).await;
    let (entries, evicted) = (number(&disk, "entries"), number(&disk, "evicted"));
    assert_eq!(entries + evicted, number(&disk, "written"), "{disk}");
    assert_eq!(entries, store.files().len() as u64);
    assert!(entries > 80, "it is used: {disk}");
    // Of what was asked for late some is there, though memory has no room for it.
    for number in 200..280 {
        gateway.get(&format!("/{number}"), &[]).await;
    }
    disk_until(&gateway, |disk| number(disk, "hit") > 0).await;
}

/// Bytes of a folder as `du` counts them; what goes meanwhile counts for nothing.
fn taken(path: &Path) -> u64 {
    let Ok(meta) = path.metadata() else { return 0 };
    let within = if meta.is_dir() {
        list(path).iter().map(|path| taken(path)).sum()
    } else {
        0
    };
    meta.blocks() * 512 + within
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_is_given_what_is_anothers_from_the_disk() {
    let origin = Origin::saying(isolation::service(vec![&[]])).await;
    let store = Store::new();
    let toml = store.cache("") + &isolation::toml(&origin);
    let gateway = isolation::start_on(&toml).await;
    disk_until(&gateway, |disk| disk["state"] == "up").await;
    // Signed once: when that was is part of who they are.
    let users = [1, 2, 12, 42].map(|user| (user, isolation::by_telegram(user)));
    for (_, (name, value)) in &users[..2] {
        gateway.get("/caller/0", &[(name, value)]).await;
    }
    disk_until(&gateway, |disk| disk["written"] == 2).await;
    stop(gateway);
    for path in store.files() {
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may read {}", path.display());
    }
    let gateway = isolation::start_on(&toml).await;
    disk_until(&gateway, |disk| disk["state"] == "up").await;
    assert_eq!(gateway.get("/caller/0", &[]).await.status, 401);
    for (user, (name, value)) in users.iter().rev() {
        let answer = gateway.get("/caller/0", &[(name, value)]).await;
        isolation::is_own(*user, &answer, "/caller/0");
        assert_eq!(is_stored(&answer), *user <= 2, "user {user}: {answer:?}");
    }
    assert_eq!(origin.count("/caller/0"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_want_the_same_read_it_once() {
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    let gateway = store.gateway(&toml(&origin)).await;
    gateway.get("/", &[]).await;
    stop(gateway);
    let gateway = store.gateway(&toml(&origin)).await;
    let mut asking = JoinSet::new();
    for _ in 0..200 {
        let address = gateway.listen.http;
        asking.spawn(async move { plain::once(address, "GET", "/", &[], b"").await });
    }
    for answer in asking.join_all().await {
        assert!(is_stored(&answer), "{answer:?}");
    }
    assert_eq!(origin.count("/"), 1);
    let read = gateway.metric("portcullis_cache_disk_reads_total{outcome=\"hit\"}");
    assert_eq!(read.await, Some(1));
}
