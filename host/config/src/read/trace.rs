//! `[traces]` and `[debug]`.

use super::File;
use super::balance::long_enough;
use super::upstream::{check_address, with_port};
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{Endpoint, Secret, TraceProtocol, TracesPlan};
use crate::spelling;

/// What every request to a collector has anyway.
const OWN: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "grpc-status",
    "host",
    "te",
    "transfer-encoding",
    "user-agent",
];

pub(super) fn debug_key(file: &File<'_>) -> Option<Secret> {
    let (span, table) = file.root.table("debug")?;
    let fields = Fields::new(&keys::DEBUG, span, table, file.mistakes());
    let item = fields.required("key")?;
    let key = file.secrets.text("key", item)?;
    file.mistakes().note(item.span().into(), long_enough(key))
}

pub(super) fn traces(file: &File<'_>) -> Option<TracesPlan> {
    let (span, table) = file.root.table("traces")?;
    let fields = Fields::new(&keys::TRACES, span, table, file.mistakes());
    let protocol = match fields.choice("protocol") {
        "grpc" => TraceProtocol::Grpc,
        _ => TraceProtocol::Http,
    };
    let endpoint = fields.required_text("endpoint");
    let endpoint = endpoint.and_then(|word| {
        let endpoint = endpoint_of(word.text, protocol);
        fields.mistakes().note(word.span, endpoint)
    });
    Some(TracesPlan {
        protocol,
        headers: headers(file, &fields),
        service: fields.text_or_default("service").to_owned(),
        sample: fields.percent("sample"),
        trusted_only: fields.choice("accept") == "trusted",
        user_agent: fields.flag("user_agent"),
        queue: usize::try_from(fields.count("queue")).unwrap_or(usize::MAX),
        timeout: fields.duration("timeout"),
        endpoint: endpoint?,
    })
}

fn endpoint_of(text: &str, protocol: TraceProtocol) -> Result<Endpoint, Fault> {
    let hint = match protocol {
        TraceProtocol::Http => "write it like http://127.0.0.1:4318",
        TraceProtocol::Grpc => "write it like http://127.0.0.1:4317",
    };
    let (tls, rest) = match text.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        _ => {
            let fault = Fault::new(format!("`{text}` does not begin with http:// or https://"));
            return Err(fault.with_hint(hint));
        }
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if text.contains(['?', '#', '@']) || !text.is_ascii() || text.contains(char::is_whitespace) {
        let fault = Fault::new("only a host, a port and a path can stand here");
        return Err(
            fault.with_hint("credentials are for `headers`, where they can come from `env`")
        );
    }
    let address = with_port(authority, if tls { 443 } else { 80 });
    let path = match (protocol, path) {
        (TraceProtocol::Http, "" | "/") => "/v1/traces",
        (TraceProtocol::Grpc, "" | "/") => "",
        (TraceProtocol::Http, path) => path,
        (TraceProtocol::Grpc, path) => {
            let fault = Fault::new(format!("gRPC has no path, and there is `{path}`"));
            return Err(fault.with_hint(hint));
        }
    };
    Ok(Endpoint {
        tls,
        address: check_address(&address)?,
        path: path.to_owned(),
    })
}

fn headers(file: &File<'_>, fields: &Fields<'_>) -> Vec<(String, Secret)> {
    let Some((_, table)) = fields.table("headers") else {
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, item) in table {
        let (text, span) = (name.get_ref().to_ascii_lowercase(), name.span().into());
        if !spelling::is_token(&text) || OWN.contains(&text.as_str()) {
            let fault = Fault::new(format!("`{text}` cannot be a header of yours here"));
            file.mistakes().fault(span, fault);
            continue;
        }
        let Some(value) = file.secrets.text(&text, item) else {
            continue;
        };
        if value.expose().bytes().any(|b| !(b' '..=b'~').contains(&b)) {
            // Its text stays out of the message.
            let fault = Fault::new(format!("the value of `{text}` cannot stand in a header"));
            file.mistakes().fault(item.span().into(), fault);
            continue;
        }
        headers.push((text, value));
    }
    headers
}
