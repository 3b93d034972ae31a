//! What is measured: nginx as the upstream, nginx as a proxy, and the gateway, each on its core.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cargo::says;
use crate::children::Children;
use crate::{Done, Failure, place, probe};

/// The proxy under test has one core, its upstream and the load the other.
const PROXY_CORE: &str = "0";
pub(super) const LOAD_CORE: &str = "1";

const UPSTREAM: &str = "127.0.0.1:18090";
const NGINX: &str = "127.0.0.1:18091";
const GATEWAY: &str = "127.0.0.1:18092";
const SOCKETS: &str = "127.0.0.1:18096";
const ADMIN: &str = "127.0.0.1:18093";
const NGINX_TLS: &str = "127.0.0.1:18094";
const GATEWAY_TLS: &str = "127.0.0.1:18095";
/// The same gateway with traces, by the share that is kept: name, clients, admin, share.
const TRACED: [(&str, &str, &str, &str); 2] = [
    (
        "gateway, 1 % of traces",
        "127.0.0.1:18097",
        "127.0.0.1:18098",
        "1%",
    ),
    (
        "gateway, all traces",
        "127.0.0.1:18099",
        "127.0.0.1:18100",
        "100%",
    ),
];
const TOKEN: &str = "7000000001:BENCH-token-0000000000000000000000000";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The rows that others are compared with.
const NGINX_PLAIN: &str = "nginx proxy_pass";
const NGINX_STORED: &str = "nginx proxy_cache, cached hit";
const TLS: &str = "nginx, TLS";
const HTTP2: &str = "nginx, HTTP/2 over TLS";
const ECHO: &str = "nginx, WebSocket echo";
const STORED: &str = "/stored";
/// Of 16 KiB, more than the gateway's memory has room for here: nearly all come from its disk tier, as all do with nginx.
const NGINX_PAGES: &str = "nginx proxy_cache, 10,000 pages";
const PAGES: &str = "local page = 0\nrequest = function()\n  page = (page + 1) % 10000\n  \
    return wrk.format(\"GET\", \"/pages/\" .. page)\nend\n";

pub(super) struct Peers {
    pub(super) subjects: Vec<Subject>,
}

/// One row of the table.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// The row that it is compared with.
    pub(super) beside: &'static str,
    pub(super) load: Load,
    pub(super) url: String,
    pub(super) headers: Vec<String>,
    /// What wrk asks for, where it is not the URL alone.
    pub(super) script: Option<PathBuf>,
    /// The process whose CPU, with that of its children, is counted.
    process: u32,
}

/// What asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// HTTP/1.1
    Wrk,
    /// HTTP/2
    H2load,
    /// WebSocket
    Sockets,
}

impl Peers {
    pub(super) fn start(directory: &Path, children: &mut Children) -> Done<Peers> {
        let write = |name: &str, text: String| {
            let file = directory.join(name);
            fs::write(&file, text)
                .map_err(Failure::of(file.display()))
                .map(|()| file)
        };
        certificate(directory)?;
        let body = "x".repeat(1024);
        write("page.txt", "x".repeat(16 * 1024))?;
        let upstream = write(
            "upstream.conf",
            nginx(
                directory,
                "upstream",
                &format!(
                    "server {{ listen {UPSTREAM} reuseport; location / {{ default_type text/plain; return 200 \"{body}\"; }} \
                     location /pages {{ root {}; try_files /page.txt =404; }} }}",
                    directory.display()
                ),
            ),
        )?;
        let proxy = write(
            "proxy.conf",
            nginx(
                directory,
                "proxy",
                &format!(
                    "proxy_cache_path {0}/proxy-cache keys_zone=store:10m;\n  \
             ssl_certificate {0}/tls.pem; ssl_certificate_key {0}/tls.key;\n  \
             upstream up {{ server {UPSTREAM}; keepalive 64; keepalive_requests 1000000000; }}\n  \
             server {{ listen {NGINX}; listen {NGINX_TLS} ssl http2; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_set_header Host $host; location / {{ proxy_pass http://up; }} \
             location ~ ^/(stored|pages) {{ proxy_cache store; proxy_cache_valid 200 1h; proxy_pass http://up; }}\n  \
             location /sockets {{ proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
             proxy_set_header Connection upgrade; proxy_pass http://{SOCKETS}; }} }}",
                    directory.display()
                ),
            ),
        )?;
        let config = write("gateway.toml", gateway_toml())?;
        let script = write("pages.lua", PAGES.to_owned())?;

        let mut start = |name, core, program: &Path, arguments: &[&str]| {
            let mut command = Command::new("taskset");
            command.args(["-c", core]).arg(program).args(arguments);
            command.env("BOT_TOKEN", TOKEN).stdin(Stdio::null());
            children.start(name, &mut command)
        };
        let text = |path: &Path| path.display().to_string();
        let nginx = Path::new("nginx");
        start("the upstream", LOAD_CORE, nginx, &["-c", &text(&upstream)])?;
        let echo = place::release("echo-sockets");
        let serve = ["serve", SOCKETS];
        start("the upstream of WebSockets", LOAD_CORE, &echo, &serve)?;
        let nginx_process = start("nginx", PROXY_CORE, nginx, &["-c", &text(&proxy)])?;
        let portcullis = place::release("portcullis");
        let gateway = start(
            "the gateway",
            PROXY_CORE,
            &portcullis,
            &["run", "--config", &text(&config)],
        )?;
        let mut traced = Vec::new();
        for (name, address, admin, share) in TRACED {
            let config = write(
                &format!("traces-{share}.toml"),
                traced_toml(address, admin, share),
            )?;
            let run = ["run", "--config", &text(&config)];
            traced.push((name, address, start(name, PROXY_CORE, &portcullis, &run)?));
        }
        wait_ready(children)?;

        let init_data = says(
            Command::new(place::release("init-data"))
                .arg("42")
                .env("BOT_TOKEN", TOKEN),
        )
        .ok_or_else(|| Failure::new("cannot sign initData"))?;
        let credential = format!("Authorization: tma {init_data}");
        let row = |name, beside, url: String, process| Subject {
            name,
            beside,
            load: Load::Wrk,
            url,
            headers: Vec::new(),
            script: None,
            process,
        };
        let pages = |row: Subject| Subject {
            script: Some(script.clone()),
            beside: NGINX_PAGES,
            ..row
        };
        let clear = |name, path: &str, headers: &[&String]| Subject {
            headers: headers.iter().map(|h| (*h).clone()).collect(),
            ..row(
                name,
                NGINX_PLAIN,
                format!("http://{GATEWAY}{path}"),
                gateway,
            )
        };
        let with_traces = |at: usize| {
            let (name, address, process) = traced[at];
            row(
                name,
                NGINX_PLAIN,
                format!("http://{address}/plain"),
                process,
            )
        };
        let http2 = |row: Subject| Subject {
            load: Load::H2load,
            ..row
        };
        let echo = |name, address: &str, process| Subject {
            load: Load::Sockets,
            ..row(name, ECHO, format!("ws://{address}/sockets"), process)
        };
        let stored = Subject {
            beside: NGINX_STORED,
            ..clear("gateway, cached hit", STORED, &[])
        };
        let nginx_tls = format!("https://{NGINX_TLS}/plain");
        let gateway_tls = format!("https://{GATEWAY_TLS}/plain");
        Ok(Peers {
            subjects: vec![
                row(
                    NGINX_PLAIN,
                    NGINX_PLAIN,
                    format!("http://{NGINX}/plain"),
                    nginx_process,
                ),
                clear("gateway, no plugin", "/plain", &[]),
                with_traces(0),
                with_traces(1),
                clear("gateway, telegram-auth kept", "/kept", &[&credential]),
                clear("gateway, telegram-auth fresh", "/fresh", &[&credential]),
                row(
                    NGINX_STORED,
                    NGINX_STORED,
                    format!("http://{NGINX}{STORED}"),
                    nginx_process,
                ),
                stored,
                pages(row(
                    NGINX_PAGES,
                    NGINX_PAGES,
                    format!("http://{NGINX}"),
                    nginx_process,
                )),
                pages(clear("gateway, 10,000 pages from its disk", "", &[])),
                row(TLS, TLS, nginx_tls.clone(), nginx_process),
                row("gateway, TLS", TLS, gateway_tls.clone(), gateway),
                http2(row(HTTP2, HTTP2, nginx_tls, nginx_process)),
                http2(row("gateway, HTTP/2 over TLS", HTTP2, gateway_tls, gateway)),
                echo(ECHO, NGINX, nginx_process),
                echo("gateway, WebSocket echo", GATEWAY, gateway),
            ],
        })
    }
}

/// One for both: ECDSA on P-256.
fn certificate(directory: &Path) -> Done {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]);
    openssl.args(["-nodes", "-days", "30", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    openssl.arg("-keyout").arg(directory.join("tls.key"));
    openssl.arg("-out").arg(directory.join("tls.pem"));
    let made = says(&mut openssl);
    made.map(drop)
        .ok_or_else(|| Failure::new("openssl cannot make a certificate"))
}

fn nginx(directory: &Path, name: &str, servers: &str) -> String {
    let d = directory.display();
    format!(
        "daemon off; worker_processes 1; pid {d}/{name}.pid; error_log {d}/{name}.log error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off; keepalive_requests 1000000000;\n  \
         client_body_temp_path {d}/{name}-body; proxy_temp_path {d}/{name}-proxy;\n  {servers}\n}}\n"
    )
}

fn gateway_toml() -> String {
    let plugin = |name: &str| {
        format!(
            "[plugin.{name}]\ncomponent = \"telegram_auth.wasm\"\ninstance = \"{name}\"\n\
             settings = {{ bots = [{{ token = {{ env = \"BOT_TOKEN\" }} }}], query = \"tma\" }}\nlimits = {{ time = \"1s\" }}\ngrants = {{ clock = true }}\n"
        )
    };
    let route = |name: &str, guard: &str| {
        format!("[[route]]\nname = \"{name}\"\npath = \"/{name}\"\n{guard}\nupstream = \"up\"\n")
    };
    [
        format!(
            "[listen]\nhttp = \"{GATEWAY}\"\nhttps = \"{GATEWAY_TLS}\"\nadmin = \"{ADMIN}\"\nworkers = 1\n\
             [[tls.certificates]]\ncertificate = \"tls.pem\"\nkey = \"tls.key\"\n[log]\naccess = false\n"
        ),
        format!("[upstream.up]\nservers = [\"{UPSTREAM}\"]\n"),
        plugin("fresh"),
        plugin("kept"),
        route("plain", "public = true"),
        "[cache]\nmemory = \"16MiB\"\ndisk = { folder = \"cache.d\", size = \"1GiB\" }\n".to_owned(),
        route("stored", "public = true\ncache = { ttl = \"1h\" }"),
        route("pages", "public = true\ncache = { ttl = \"1h\" }").replace("/pages", "/pages/{number}"),
        route("fresh", "plugins = [\"fresh\"]"),
        route("kept", "plugins = [\"kept\"]"),
        format!("[upstream.sockets]\nservers = [\"{SOCKETS}\"]\n"),
        route("sockets", "public = true").replace("\"up\"", "\"sockets\""),
    ]
    .join("\n")
}

/// The upstream is the collector, too: whatever it answers with 200 is taken for granted.
fn traced_toml(address: &str, admin: &str, share: &str) -> String {
    format!(
        "[listen]\nhttp = \"{address}\"\nadmin = \"{admin}\"\nworkers = 1\n[log]\naccess = false\n\
         [traces]\nendpoint = \"http://{UPSTREAM}\"\nsample = \"{share}\"\nqueue = 100000\n\
         [upstream.up]\nservers = [\"{UPSTREAM}\"]\n\
         [[route]]\nname = \"plain\"\npath = \"/plain\"\npublic = true\nupstream = \"up\"\n"
    )
}

fn wait_ready(children: &mut Children) -> Done {
    let end = Instant::now() + READY_WITHIN;
    let answers = |address: &str, path: &str| {
        address
            .parse()
            .is_ok_and(|address| probe::status(address, path).is_ok_and(|status| status == 200))
    };
    while Instant::now() < end {
        children.all_run()?;
        let traced = TRACED
            .iter()
            .all(|(_, address, ..)| answers(address, "/plain"));
        let first = answers(ADMIN, "/readyz") && answers(GATEWAY, "/plain");
        if first && traced && answers(NGINX, "/plain") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Failure::new(format!(
        "not everything answers after {READY_WITHIN:?}"
    )))
}

impl Subject {
    /// User and system time so far, in microseconds, of the process and its children (proc_pid_stat(5)).
    pub(super) fn cpu(&self) -> Done<f64> {
        let known: Vec<u64> = processes(self.process)
            .into_iter()
            .filter_map(ticks)
            .collect();
        if known.is_empty() {
            return Err(Failure::new(format!(
                "{}: process {} is gone",
                self.name, self.process
            )));
        }
        let ticks: u64 = known.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        Ok(ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64)
    }
}

fn processes(parent: u32) -> Vec<u32> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(file).unwrap_or_default();
    children
        .split_whitespace()
        .filter_map(|id| id.parse().ok())
        .chain([parent])
        .collect()
}

fn ticks(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}
