//! The files of the peers: nginx's, the gateway's, the certificate that both show, and what wrk asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ADMIN, GATEWAY, GATEWAY_TLS, NGINX, NGINX_TLS, SOCKETS, TRACED, UPSTREAM};
use crate::cargo::says;
use crate::{Done, Failure};

const PAGES: &str = "local page = 0\nrequest = function()\n  page = (page + 1) % 10000\n  \
    return wrk.format(\"GET\", \"/pages/\" .. page)\nend\n";

pub(super) struct Files {
    pub(super) upstream: PathBuf,
    pub(super) nginx: PathBuf,
    pub(super) gateway: PathBuf,
    /// In the order of `TRACED`.
    pub(super) traced: Vec<PathBuf>,
    /// Asks for one page after the other.
    pub(super) pages: PathBuf,
}

impl Files {
    pub(super) fn write(directory: &Path) -> Done<Files> {
        let write = |name: &str, text: String| {
            let file = directory.join(name);
            fs::write(&file, text)
                .map_err(Failure::of(file.display()))
                .map(|()| file)
        };
        certificate(directory)?;
        write("page.txt", "x".repeat(16 * 1024))?;
        let traced = TRACED.iter().map(|(_, address, admin, share)| {
            let name = format!("traces-{share}.toml");
            write(&name, traced_toml(address, admin, share))
        });
        Ok(Files {
            traced: traced.collect::<Done<_>>()?,
            upstream: write("upstream.conf", upstream_conf(directory))?,
            nginx: write("proxy.conf", proxy_conf(directory))?,
            gateway: write("gateway.toml", gateway_toml())?,
            pages: write("pages.lua", PAGES.to_owned())?,
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

fn upstream_conf(directory: &Path) -> String {
    let body = "x".repeat(1024);
    let servers = format!(
        "server {{ listen {UPSTREAM} reuseport; location / {{ default_type text/plain; return 200 \"{body}\"; }} \
         location /pages {{ root {}; try_files /page.txt =404; }} }}",
        directory.display()
    );
    nginx(directory, "upstream", &servers)
}

fn proxy_conf(directory: &Path) -> String {
    let servers = format!(
        "proxy_cache_path {0}/proxy-cache keys_zone=store:10m;\n  \
         ssl_certificate {0}/tls.pem; ssl_certificate_key {0}/tls.key;\n  \
         upstream up {{ server {UPSTREAM}; keepalive 64; keepalive_requests 1000000000; }}\n  \
         server {{ listen {NGINX}; listen {NGINX_TLS} ssl http2; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; proxy_set_header Host $host; location / {{ proxy_pass http://up; }} \
         location ~ ^/(stored|pages) {{ proxy_cache store; proxy_cache_valid 200 1h; proxy_pass http://up; }}\n  \
         location /sockets {{ proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
         proxy_set_header Connection upgrade; proxy_pass http://{SOCKETS}; }} }}",
        directory.display()
    );
    nginx(directory, "proxy", &servers)
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
             settings = {{ bots = [{{ token = {{ env = \"BOT_TOKEN\" }} }}], query = \"tma\" }}\nlimits = {{ time = \"1s\" }}\ngrants = {{ clock = true, crypto = true }}\n"
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
