//! The promise of the contract: what was built for a release of the same 0.1 runs in every later one. The components
//! are in tests/abi; its README says what they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use portcullis_exchange::{Caller, Exchange, Outcome, RefusalReason, Target};
use portcullis_runtime::{CallError, Kind, Post, Slot};
use serde_json::json;

use crate::{load_bytes, spec};

fn releases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/abi");
    let entries = std::fs::read_dir(&folder).expect("tests/abi is there");
    let mut releases: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.is_dir())
        .collect();
    releases.sort_unstable();
    assert!(!releases.is_empty(), "no release in {}", folder.display());
    releases
}

async fn built(release: &Path, kind: Kind, settings: &str) -> Arc<Post> {
    let path = release.join(format!("{kind}.wasm"));
    let name = path.display();
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut spec = spec(settings);
    if kind == Kind::Handler {
        spec.grants.upstreams = vec![portcullis_runtime::UpstreamGrant {
            name: "users".into(),
            methods: Vec::new(),
            paths: Vec::new(),
        }];
    }
    let post = load_bytes(bytes, spec).await;
    let post = post.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(post.kind(), kind, "{name}");
    post
}

fn exchange(method: Method, path: &str, header: &'static str, value: &str) -> Exchange {
    let mut request = HeaderMap::new();
    request.insert(
        header,
        HeaderValue::from_str(value).expect("a header value"),
    );
    Exchange {
        method,
        target: Target::parse(path).expect("a target"),
        request,
        request_id: "r1".into(),
        ..Exchange::default()
    }
}

#[tokio::test]
async fn an_authenticator_of_every_release_knows_its_caller() {
    for release in releases() {
        let post = built(&release, Kind::Authenticator, "{}").await;
        let mut x = exchange(Method::GET, "/", "x-do", "nothing");
        let caller = post.authenticate(&mut x).await;
        let caller = caller.unwrap_or_else(|error| panic!("{}: {error}", release.display()));
        assert_eq!(&*caller.id, "ann");
        let mut x = exchange(Method::GET, "/", "x-do", "stranger");
        match post.authenticate(&mut x).await {
            Err(CallError::Refused(refusal)) => {
                assert_eq!(refusal.reason, RefusalReason::Unauthenticated);
                assert_eq!(refusal.headers["www-authenticate"], "Test");
            }
            other => panic!("{}: {other:?}", release.display()),
        }
    }
}

#[tokio::test]
async fn an_authorizer_of_every_release_decides() {
    let rules = json!({ "roles": { "user": { "allow": ["GET /api/users/{own}"] } } });
    for release in releases() {
        let post = built(&release, Kind::Authorizer, &rules.to_string()).await;
        let caller = Caller {
            id: "7".into(),
            roles: vec!["user".into()],
            claims: Vec::new(),
        };
        for (path, may) in [("/api/users/7", true), ("/api/users/8", false)] {
            let mut x = exchange(Method::GET, path, "x-a", "1");
            x.caller = Some(caller.clone());
            match post.authorize(&mut x, &caller).await {
                Ok(()) => assert!(may, "{}: {path}", release.display()),
                Err(CallError::Refused(_)) => assert!(!may, "{}: {path}", release.display()),
                Err(error) => panic!("{}: {path}: {error}", release.display()),
            }
        }
    }
}

#[tokio::test]
async fn a_filter_of_every_release_changes_the_request() {
    let settings = json!({ "request": { "set": { "x-id": "${request.id}" }, "remove": ["x-a"] } });
    for release in releases() {
        let post = built(&release, Kind::Filter, &settings.to_string()).await;
        let mut x = exchange(Method::GET, "/", "x-a", "1");
        let outcome = post.on_request(&mut x, &mut Slot::default()).await;
        assert!(matches!(outcome, Ok(Outcome::Next)), "{outcome:?}");
        assert_eq!(x.request["x-id"], "r1", "{}", release.display());
        assert!(!x.request.contains_key("x-a"), "{}", release.display());
    }
}

#[tokio::test]
async fn a_handler_of_every_release_answers() {
    let settings = json!({ "calls": [["users", "/7"], ["raids", "/"]] });
    for release in releases() {
        let post = built(&release, Kind::Handler, &settings.to_string()).await;
        let mut x = exchange(Method::POST, "/", "x-a", "1");
        x.request_body = Some("four".into());
        let reply = post.handle(&mut x).await;
        let reply = reply.unwrap_or_else(|error| panic!("{}: {error}", release.display()));
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(text.starts_with("got 4 bytes"), "{text}");
        assert!(text.contains("raids /: NotGranted"), "{text}");
    }
}
