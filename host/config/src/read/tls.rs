//! `[tls]`, and `protocol` and `tls` of an upstream.

use std::time::Duration;

use toml::de::DeValue;

use super::{File, upstream};
use crate::fields::{Fields, Word};
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{
    CertificatePlan, ClientAuth, FilePlan, Hsts, Protocol, Tls, TlsVersion, UpstreamTls,
};
use crate::shapes::type_name;

/// hstspreload.org asks for it.
const PRELOAD_LEAST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const CERTIFICATES: &str = "write [[tls.certificates]] with `certificate` and `key`, or for development self_signed = [\"localhost\"]";

// === [tls] ===

pub(super) fn read(file: &File<'_>, listen: &Fields<'_>) -> Option<Tls> {
    let mistakes = file.mistakes();
    let https = listen.item("https").is_some();
    if !https && listen.flag("redirect_https") && listen.item("https_port").is_none() {
        let fault = Fault::new("`redirect_https` sends clients to a listener that is not there");
        let fault = fault.with_hint("add `https`, or `https_port` if TLS ends elsewhere");
        mistakes.fault(listen.span_of("redirect_https"), fault);
    }
    let Some((span, table)) = file.root.table("tls") else {
        if https {
            let fault = Fault::new("`https` has no certificate to show");
            mistakes.fault(listen.span_of("https"), fault.with_hint(CERTIFICATES));
        }
        return None;
    };
    let fields = Fields::new(&keys::TLS, span, table, mistakes);
    if !https {
        let fault = Fault::new("[tls] has no effect without a listener");
        let fault = fault.with_hint("write https = \"0.0.0.0:8443\" in [listen]");
        mistakes.fault(span, fault);
    }
    let certificates = certificates(file, &fields);
    let self_signed = self_signed(&fields);
    one_source_of_certificates(&fields);
    Some(Tls {
        certificates,
        self_signed,
        client_auth: client_auth(file, &fields),
        min_version: match fields.choice("min_version") {
            "1.3" => TlsVersion::V13,
            _ => TlsVersion::V12,
        },
        handshake: fields.duration("handshake"),
        hsts: hsts(&fields),
    })
}

fn one_source_of_certificates(fields: &Fields<'_>) {
    let given = ["certificates", "self_signed"].map(|name| fields.item(name).is_some());
    let fault = match given {
        [false, false] => Fault::new("[tls] names no certificate").with_hint(CERTIFICATES),
        [true, true] => Fault::new("`self_signed` stands beside `certificates`")
            .with_hint("take one of the two out"),
        _ => return,
    };
    fields
        .mistakes()
        .fault(fields.span_of("self_signed"), fault);
}

fn certificates(file: &File<'_>, fields: &Fields<'_>) -> Vec<CertificatePlan> {
    let mistakes = fields.mistakes();
    let Some(item) = fields.item("certificates") else {
        return Vec::new();
    };
    let DeValue::Array(array) = item.get_ref() else {
        let found = type_name(item.get_ref());
        let fault = Fault::new(format!("`certificates` must be a list, not {found}"));
        mistakes.fault(item.span().into(), fault.with_hint(CERTIFICATES));
        return Vec::new();
    };
    if array.is_empty() {
        let fault = Fault::new("`certificates` is empty").with_hint(CERTIFICATES);
        mistakes.fault(item.span().into(), fault);
    }
    let mut all = Vec::new();
    for fields in fields.tables("certificates", array, &keys::CERTIFICATE, CERTIFICATES) {
        let certificate = fields.required_text("certificate");
        let key = fields.required_text("key");
        if let (Some(certificate), Some(key)) = (certificate, key) {
            all.push(CertificatePlan {
                certificate: file.file(certificate),
                key: file.file(key),
            });
        }
    }
    all
}

fn self_signed(fields: &Fields<'_>) -> Vec<String> {
    let words = fields.distinct("self_signed");
    if fields.item("self_signed").is_some() && words.is_empty() {
        let fault = Fault::new("`self_signed` names nobody");
        let fault = fault.with_hint("write self_signed = [\"localhost\", \"127.0.0.1\"]");
        fields
            .mistakes()
            .fault(fields.span_of("self_signed"), fault);
    }
    let names = words.into_iter().filter_map(|word| {
        let name = server_name(word.text);
        fields.mistakes().note(word.span, name)
    });
    names.collect()
}

pub(super) fn client_auth(file: &File<'_>, fields: &Fields<'_>) -> Option<ClientAuth> {
    let required = fields.choice("client_auth") == "required";
    let ca = fields.text("client_ca");
    if ca.is_none() && fields.item("client_auth").is_some() {
        let fault = Fault::new("`client_auth` has no effect without `client_ca`");
        let fault = fault.with_hint("name the authorities whose certificates are good");
        fields
            .mistakes()
            .fault(fields.span_of("client_auth"), fault);
    }
    Some(ClientAuth {
        ca: file.file(ca?),
        required,
    })
}

fn hsts(fields: &Fields<'_>) -> Option<Hsts> {
    let (span, table) = fields.table("hsts")?;
    let fields = Fields::new(&keys::HSTS, span, table, fields.mistakes());
    let hsts = Hsts {
        max_age: fields.duration("max_age"),
        include_subdomains: fields.flag("include_subdomains"),
        preload: fields.flag("preload"),
    };
    if hsts.preload && (!hsts.include_subdomains || hsts.max_age < PRELOAD_LEAST) {
        let fault = Fault::new("browsers do not take this onto their lists");
        let hint = "`preload` needs include_subdomains = true and max_age = \"365d\" or more";
        fields
            .mistakes()
            .fault(fields.span_of("preload"), fault.with_hint(hint));
    }
    Some(hsts)
}

// === upstreams ===

/// What is spoken to the servers of an upstream; None with a mistake noted.
pub(super) fn upstream(
    file: &File<'_>,
    fields: &Fields<'_>,
) -> (Option<Protocol>, Option<UpstreamTls>) {
    let tls = upstream_tls(file, fields);
    let secure = fields.item("tls").is_some();
    let protocol = match (fields.choice_if_given("protocol"), secure) {
        (None, true) | (Some("auto"), true) => Protocol::Negotiated,
        (None | Some("http1"), _) => Protocol::Http1,
        (Some("h2"), true) | (Some("h2c"), false) => Protocol::Http2,
        (Some(other), _) => {
            let (what, hint) = if secure {
                (
                    "HTTP/2 in clear text, which `tls` is not",
                    "write protocol = \"h2\"",
                )
            } else {
                (
                    "spoken over TLS only",
                    "add tls = {}, or write protocol = \"h2c\"",
                )
            };
            let fault = Fault::new(format!("`{other}` is {what}")).with_hint(hint);
            fields.mistakes().fault(fields.span_of("protocol"), fault);
            return (None, tls);
        }
    };
    (Some(protocol), tls)
}

fn upstream_tls(file: &File<'_>, fields: &Fields<'_>) -> Option<UpstreamTls> {
    let (span, table) = fields.table("tls")?;
    let fields = Fields::new(&keys::UPSTREAM_TLS, span, table, fields.mistakes());
    let (certificate, key) = (fields.text("certificate"), fields.text("key"));
    if certificate.is_some() != key.is_some() {
        let alone = if key.is_some() { "key" } else { "certificate" };
        let fault = Fault::new("a certificate and its key belong together");
        let fault = fault.with_hint("give both `certificate` and `key`");
        fields.mistakes().fault(fields.span_of(alone), fault);
    }
    let name = fields.text("server_name");
    let server_name = name.and_then(|word| {
        let name = server_name(word.text);
        fields.mistakes().note(word.span, name)
    });
    let verify = fields.flag("verify");
    if !verify && fields.item("ca").is_some() {
        let fault = Fault::new("`ca` has no effect where nothing is verified");
        let fault = fault.with_hint("take `verify = false` out");
        fields.mistakes().fault(fields.span_of("ca"), fault);
    }
    Some(UpstreamTls {
        ca: fields.text("ca").map(|word| file.file(word)),
        certificate: certificate
            .zip(key)
            .map(|(certificate, key)| CertificatePlan {
                certificate: file.file(certificate),
                key: file.file(key),
            }),
        server_name,
        verify,
        span,
    })
}

/// A name or an address that a certificate can be for; `*.` may stand before a name.
fn server_name(text: &str) -> Result<String, Fault> {
    let address = text.parse::<std::net::IpAddr>().is_ok();
    let name = text.strip_prefix("*.").unwrap_or(text);
    if address || (upstream::is_host(name) && !name.starts_with('[')) {
        return Ok(text.to_ascii_lowercase());
    }
    let fault = Fault::new(format!(
        "`{text}` is not a name that a certificate can be for"
    ));
    Err(fault.with_hint("write \"users.internal\" or \"127.0.0.1\", without a port"))
}

impl File<'_> {
    pub(super) fn file(&self, word: Word<'_>) -> FilePlan {
        FilePlan {
            path: self.secrets.dir.join(word.text),
            span: word.span,
        }
    }
}
