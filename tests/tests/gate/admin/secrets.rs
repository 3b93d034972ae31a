//! No page shows a secret, wherever it stands.

use portcullis_tests::gateway::{Setup, guest};
use portcullis_tests::upstream::echo::Echo;

use super::{ENDLESS, toml};

#[tokio::test(flavor = "multi_thread")]
async fn no_page_shows_a_secret_of_the_file_the_environment_or_a_url() {
    const TOKEN: &str = "ADMIN-TOKEN-0123456789";
    let bot = "7000000001:SECRET-environment-bot-token-0000";
    let text = r#"
# SECRET-comment
[admin]
tokens = [
    { name = "inline", token = "SECRET-inline-admin-token", role = "write" },
    { name = "default", token = { env = "NOT_THERE", default = "SECRET-default-admin-token" } },
    { name = "file", token = { file = "admin.token" } },
]

[plugin.telegram]
component = "telegram_auth.wasm"
snapshot  = "never"
grants    = { clock = true, crypto = true }

[plugin.telegram.settings]
bots      = [{ token = { env = "BOT" } }, { token = "7000000002:SECRET-inline-bot-token-0000000000" }]
admin_ids = { file = "ids" }

[upstream.sticky]
servers = ["127.0.0.1:9"]
sticky  = { cookie = "at", secret = "SECRET-of-a-sticky-cookie" }
health  = { path = "/health?token=SECRET-of-health", every = "1h" }

[[route]]
name     = "private"
path     = "/private"
plugins  = ["telegram"]
upstream = "sticky"

[[route]]
name     = "elsewhere"
path     = "/elsewhere"
public   = true
headers  = { x-key = "SECRET-condition" }
redirect = { to = "https://example.com/?key=SECRET-of-a-query" }

[[route]]
name    = "said"
path    = "/said"
public  = true
respond = { body = "SECRET-body" }
"#;
    let echo = Echo::start("one").await;
    let setup = Setup::new(&format!("{text}\n{}", toml(&echo)))
        .plugin("telegram_auth.wasm", guest("telegram_auth.wasm"))
        .file("admin.token", &format!("{TOKEN}-SECRET-file"))
        .file("ids", "4711471147,4711471148");
    let gateway = setup.env("BOT", bot).start().await;
    let bearer = [("authorization", "Bearer SECRET-inline-admin-token")];
    let document = gateway
        .ask_admin("GET", "/openapi.json", &bearer, b"")
        .await
        .json();
    let paths = document["paths"].as_object().expect("paths");
    let mut pages = 0;
    for (path, operations) in paths {
        if operations.get("get").is_none() || path == ENDLESS {
            continue;
        }
        let path = path.replace("{name}", "telegram");
        let answer = gateway.ask_admin("GET", &path, &bearer, b"").await;
        let shown = format!("{:?} {}", answer.headers, answer.text());
        assert!(!shown.contains("SECRET"), "{path}: {shown}");
        assert!(!shown.contains("471147114"), "{path}: {shown}");
        pages += usize::from(answer.status == 200);
    }
    assert!(pages > 10, "{pages}");
    let config = gateway
        .ask_admin("GET", "/config", &bearer, b"")
        .await
        .json();
    let config = &config["config"];
    assert_eq!(config["admin"]["tokens"][0]["name"], "inline");
    assert_eq!(config["admin"]["tokens"][2]["token"]["file"], "admin.token");
    assert_eq!(
        config["plugin"]["telegram"]["settings"]["bots"][0]["token"]["env"],
        "BOT"
    );
    assert_eq!(config["plugin"]["telegram"]["grants"]["clock"], true);
    assert_eq!(config["upstream"]["sticky"]["servers"][0], "127.0.0.1:9");
}
