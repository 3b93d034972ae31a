//! How the programs under test are set up: the gateway, nginx and haproxy, with one thread for requests each.

use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::{Done, Failure, place, scale};

use super::rows::{Program, STAMP};

/// Sandboxes of the gateway: the kept ones of all routes, and some that are fresh. Each takes 4 GiB of address space,
/// and valgrind has no room for 16.
const INSTANCES: usize = 8;
/// The gateway watches this folder and that of its configuration, above. What a measurement writes is elsewhere, or the
/// gateway would be busy looking at it.
pub(super) const PLUGINS: &str = "gateway/plugins.d";
pub(super) const TOKEN: &str = "7000000001:BENCH-token-0000000000000000000000000";

/// Where the upstreams are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upstreams {
    pub(super) http: SocketAddr,
    pub(super) sockets: SocketAddr,
}

/// A program that has yet to start.
pub(super) struct Setup {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    /// Where clients ask.
    pub(super) address: SocketAddr,
    /// The same over TLS.
    pub(super) secure: SocketAddr,
    /// The gateway's.
    pub(super) admin: Option<SocketAddr>,
}

impl Setup {
    /// Writes the program's configuration.
    pub(super) fn of(program: Program, directory: &Path, upstreams: Upstreams) -> Done<Self> {
        let write = |name: &str, text: String| -> Done<PathBuf> {
            let file = directory.join(name);
            fs::write(&file, text).map_err(Failure::of(file.display()))?;
            Ok(file)
        };
        let (address, secure) = (free_address()?, free_address()?);
        let setup = |program: OsString, options: &[&str], file: PathBuf| Self {
            program,
            arguments: options
                .iter()
                .map(OsString::from)
                .chain([file.into()])
                .collect(),
            address,
            secure,
            admin: None,
        };
        match program {
            Program::Gateway | Program::Scale => {
                let admin = free_address()?;
                let mut text = gateway(address, secure, admin, upstreams);
                if program == Program::Scale {
                    text += &scale::tables(upstreams.http, &["headers_kept", "headers_fresh"]);
                }
                let file = write("gateway/gateway.toml", text)?;
                let portcullis = place::release("portcullis").into();
                Ok(Self {
                    admin: Some(admin),
                    ..setup(portcullis, &["run", "--config"], file)
                })
            }
            Program::Nginx => {
                let file = write(
                    "nginx.conf",
                    nginx(directory, address, secure, upstreams.http),
                )?;
                Ok(setup("nginx".into(), &["-c"], file))
            }
            Program::Haproxy => {
                let file = write("haproxy.cfg", haproxy(address, upstreams.http))?;
                Ok(setup("haproxy".into(), &["-db", "-f"], file))
            }
        }
    }
}

/// Any that is free now; two worktrees may measure at the same time. Its port has five digits, so that no request is
/// longer than another.
pub(super) fn free_address() -> Done<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::of("a free port"))?;
    listener.local_addr().map_err(Failure::of("a free port"))
}

fn gateway(
    address: SocketAddr,
    secure: SocketAddr,
    admin: SocketAddr,
    upstreams: Upstreams,
) -> String {
    let Upstreams { http, sockets } = upstreams;
    let headers = |name: &str, instance: &str| {
        let settings = format!(
            "{{ request = {{ set = {{ x-a = \"1\" }} }}, response = {{ set = {{ {STAMP} = \"1\" }} }} }}"
        );
        plugin(name, "headers.wasm", instance, &settings)
    };
    let telegram = |name: &str, instance: &str| {
        let settings =
            format!("{{ bots = [{{ token = \"{TOKEN}\" }}], query = \"tma\", max_age = \"24h\" }}");
        plugin(name, "telegram_auth.wasm", instance, &settings)
            + "grants = { clock = true, crypto = true }\n"
    };
    let rules = "{ roles = { user = { allow = [\"GET /chain\"] } } }";
    [
        format!(
            "[listen]\nhttp = \"{address}\"\nhttps = \"{secure}\"\nadmin = \"{admin}\"\nworkers = 1\n[log]\naccess = false\n\
             [tls]\ncertificates = [{{ certificate = \"../tls.pem\", key = \"../tls.key\" }}]\n\
             [plugins]\nfolder = \"plugins.d\"\ninstances = {INSTANCES}\n[cache]\nmemory = \"16MiB\"\n\
             [upstream.up]\nservers = [\"{http}\"]\n[upstream.sockets]\nservers = [\"{sockets}\"]\n"
        ),
        headers("headers_kept", "kept"),
        headers("headers_fresh", "fresh"),
        telegram("telegram_kept", "kept"),
        telegram("telegram_fresh", "fresh"),
        plugin("rules", "rbac.wasm", "kept", rules),
        route("plain", "public = true", "up"),
        route("hk", "public = true\nplugins = [\"headers_kept\"]", "up"),
        route("hf", "public = true\nplugins = [\"headers_fresh\"]", "up"),
        route("kept", "plugins = [\"telegram_kept\"]", "up"),
        route("fresh", "plugins = [\"telegram_fresh\"]", "up"),
        route(
            "chain",
            "plugins = [\"telegram_kept\", \"rules\", \"headers_kept\"]",
            "up",
        ),
        route("stored", "public = true\ncache = { ttl = \"1h\" }", "up"),
        route("sockets", "public = true", "sockets"),
    ]
    .join("\n")
}

/// Its calls take fifty times as long under valgrind.
fn plugin(name: &str, component: &str, instance: &str, settings: &str) -> String {
    format!(
        "[plugin.{name}]\ncomponent = \"{component}\"\ninstance = \"{instance}\"\nsettings = {settings}\n\
         limits = {{ time = \"10s\" }}\n"
    )
}

fn route(name: &str, lines: &str, upstream: &str) -> String {
    format!(
        "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\n{lines}\nupstream = \"{upstream}\"\n"
    )
}

fn nginx(
    directory: &Path,
    address: SocketAddr,
    secure: SocketAddr,
    upstream: SocketAddr,
) -> String {
    let d = directory.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary
        .map(|kind| format!("{kind}_temp_path {d}/nginx-{kind};"))
        .join(" ");
    format!(
        "daemon off; master_process off; pid {d}/nginx.pid; error_log {d}/nginx-error.log error;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n  access_log off; keepalive_requests 1000000000; {temporary}\n  \
         upstream up {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}\n  \
         ssl_certificate {d}/tls.pem; ssl_certificate_key {d}/tls.key; ssl_protocols TLSv1.3;\n  \
         server {{ listen {address}; listen {secure} ssl http2; location / {{ proxy_http_version 1.1; proxy_set_header Connection \"\"; \
         proxy_set_header Host $host; proxy_pass http://up; }} }}\n}}\n"
    )
}

fn haproxy(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "global\n  maxconn 64\n  nbthread 1\n\
         defaults\n  mode http\n  http-reuse always\n  timeout connect 60s\n  timeout client 60s\n  timeout server 60s\n\
         frontend clients\n  bind {address}\n  default_backend up\n\
         backend up\n  server up {upstream}\n"
    )
}
