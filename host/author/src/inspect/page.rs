//! What `plugin inspect` shows, as JSON and as text.

use std::fmt::Write as _;

use portcullis_runtime::{Import, Plugin};
use serde::Serialize;
use serde_json::Value as Json;

/// Everything that is known of a component.
#[derive(Serialize)]
pub(super) struct Page {
    pub(super) file: String,
    pub(super) kind: &'static str,
    /// The contract that it was built for.
    pub(super) contract: String,
    pub(super) bytes: usize,
    pub(super) digest: String,
    pub(super) imports: Vec<ImportPage>,
    /// One for each way in which it was tried.
    pub(super) configured: Vec<ConfiguredPage>,
    pub(super) settings_schema: Option<Json>,
}

#[derive(Serialize)]
pub(super) struct ImportPage {
    name: String,
    lets: &'static str,
    /// Lines of gateway.toml; without them it is refused.
    needs: Vec<&'static str>,
    /// No plugin is given this.
    refused: bool,
}

#[derive(Serialize)]
pub(super) struct ConfiguredPage {
    with: String,
    /// Why not.
    refused: Option<String>,
    phases: Vec<&'static str>,
    body_limit: Option<usize>,
    instances: Option<String>,
}

/// What each interface is for. The order is that of the contract.
const LETS: &[(&str, &str)] = &[
    (
        "portcullis:plugin/types",
        "nothing: words that other interfaces share",
    ),
    (
        "portcullis:plugin/exchange",
        "see the request and response in flight, and change what its kind may",
    ),
    (
        "portcullis:plugin/upstream",
        "call upstreams that gateway.toml names",
    ),
    (
        "portcullis:plugin/state",
        "keep values and take tokens that outlive a call",
    ),
    (
        "portcullis:plugin/outcome",
        "nothing: the words of its decisions",
    ),
    (
        "portcullis:plugin/identity",
        "nothing: the words for callers",
    ),
    (
        "portcullis:plugin/telemetry",
        "write log lines, as many bytes as grants.log says",
    ),
    (
        "portcullis:plugin/clock",
        "know when the exchange began and how much time it has left",
    ),
    (
        "portcullis:plugin/crypto",
        "compute digests, message codes and signatures with secrets that it has",
    ),
    ("wasi:http/types", "nothing: the words of wasi:http"),
    (
        "wasi:http/outgoing-handler",
        "call upstreams that gateway.toml names",
    ),
    ("wasi:random/insecure-seed", "seed its hash maps"),
    ("wasi:random", "draw random numbers"),
    ("wasi:clocks", "tell the time"),
    ("wasi:cli/environment", "nothing: the environment is empty"),
    ("wasi:cli/exit", "end its call, as a failure"),
    (
        "wasi:cli/stderr",
        "print into the gateway's log, as many bytes as grants.log says; a panic's words always",
    ),
    ("wasi:cli", "nothing: there is no terminal and no input"),
    ("wasi:io", "nothing by itself"),
];

/// The version of the contract that its imports name.
pub(super) fn contract(imports: &[ImportPage]) -> String {
    let of = |package: &str| {
        imports
            .iter()
            .find(|import| import.name.starts_with(package))
    };
    let version = |import: &ImportPage| {
        import
            .name
            .split_once('@')
            .map(|(_, version)| version.to_owned())
    };
    match (of("portcullis:plugin/"), of("wasi:http/")) {
        (Some(ours), _) => format!("portcullis:plugin@{}", version(ours).unwrap_or_default()),
        (None, Some(http)) => format!("wasi:http@{}", version(http).unwrap_or_default()),
        (None, None) => "none: it imports nothing of it".into(),
    }
}

// === impl ImportPage ===

impl ImportPage {
    pub(super) fn of(import: Import) -> ImportPage {
        let known = LETS.iter().find(|(name, _)| import.name.starts_with(name));
        ImportPage {
            lets: match known {
                _ if import.refused => "no plugin is given this; it does not load",
                Some((_, lets)) => lets,
                None => "",
            },
            needs: import.needs,
            refused: import.refused,
            name: import.name,
        }
    }
}

// === impl ConfiguredPage ===

impl ConfiguredPage {
    pub(super) fn of(with: String, plugin: &Plugin) -> ConfiguredPage {
        let p = plugin.phases();
        let phases = [
            (p.request, "on_request"),
            (p.request_body, "on_request_body"),
            (p.response, "on_response"),
            (p.response_body, "on_response_body"),
        ];
        ConfiguredPage {
            with,
            refused: None,
            phases: phases
                .into_iter()
                .filter(|(wanted, _)| *wanted)
                .map(|(_, name)| name)
                .collect(),
            body_limit: Some(plugin.body_limit()),
            instances: Some(plugin.snapshot().to_string()),
        }
    }

    pub(super) fn refused(with: String, why: String) -> ConfiguredPage {
        ConfiguredPage {
            with,
            refused: Some(why),
            phases: Vec::new(),
            body_limit: None,
            instances: None,
        }
    }
}

// === impl Page ===

impl Page {
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let Page {
            file,
            kind,
            contract,
            bytes,
            digest,
            ..
        } = self;
        // Writing to a String does not fail.
        let _ = writeln!(
            out,
            "{file}: {kind}, {} KiB, built for {contract}",
            bytes.div_ceil(1024)
        );
        let _ = writeln!(out, "sha256:{digest}\n\nimports");
        for ImportPage {
            name, lets, needs, ..
        } in &self.imports
        {
            let _ = writeln!(out, "  {name:<40} {lets}");
            if !needs.is_empty() {
                let _ = writeln!(
                    out,
                    "  {:<40} needs grants = {{ {} }}",
                    "",
                    needs.join(", ")
                );
            }
        }
        for page in &self.configured {
            let _ = writeln!(out, "\nwith {}", page.with);
            page.write(self.kind, &mut out);
        }
        match &self.settings_schema {
            Some(schema) => {
                let _ = writeln!(out, "\nsettings schema\n{schema:#}");
            }
            None => {
                out.push_str("\nno settings schema: only its own `configure` checks settings\n");
            }
        }
        out
    }
}

impl ConfiguredPage {
    fn write(&self, kind: &str, out: &mut String) {
        if let Some(why) = &self.refused {
            let _ = writeln!(out, "  {why}");
        }
        if kind == "filter" && self.refused.is_none() {
            let phases = if self.phases.is_empty() {
                "none".to_owned()
            } else {
                self.phases.join(", ")
            };
            let _ = writeln!(out, "  callbacks   {phases}");
        }
        if let Some(limit) = self
            .body_limit
            .filter(|_| matches!(kind, "filter" | "handler"))
        {
            let _ = writeln!(out, "  body limit  {limit} bytes");
        }
        if let Some(instances) = &self.instances {
            let _ = writeln!(out, "  instances   {instances}");
        }
    }
}
