//! `[admin]`

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use toml::de::DeValue;

use super::{File, tls, upstream};
use crate::fields::{Fields, Word};
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{AdminPlan, AdminRole, AdminTls, CertificatePlan, Secret, TokenPlan};

/// Whoever guesses a million times a second needs longer than there is time.
const SHORTEST: usize = 16;

pub(super) fn read(file: &File<'_>, listen: &Fields<'_>, address: SocketAddr) -> AdminPlan {
    let fields = file.root.fields("admin", &keys::ADMIN);
    let admin = AdminPlan {
        tokens: tokens(file, &fields),
        tls: tls(file, &fields),
        hosts: hosts(&fields),
    };
    // A token with a mistake is one that is meant to be there.
    let asks = admin.asks_who() || fields.item("tokens").is_some();
    if !address.ip().is_loopback() && !asks {
        let fault = Fault::new(format!(
            "`admin` listens on {address}, where other machines come in, and nobody is asked who he is"
        ));
        let hint = "write [[admin.tokens]] with `name` and `token`, or `client_ca` in [admin.tls]; or keep it on loopback: \"127.0.0.1:9901\"";
        let mistakes = fields.mistakes();
        mistakes.fault(listen.span_of("admin"), fault.with_hint(hint));
    }
    admin
}

fn tokens(file: &File<'_>, fields: &Fields<'_>) -> Vec<TokenPlan> {
    let mistakes = file.mistakes();
    let mut names = BTreeSet::new();
    let mut all: Vec<TokenPlan> = Vec::new();
    for fields in tables(fields) {
        let name = fields.required_text("name");
        let token = fields.required("token").and_then(|item| {
            let secret = file.secrets.text("token", item)?;
            mistakes.note(item.span().into(), sendable(secret))
        });
        let role = role(&fields, "role");
        let Some((name, token)) = name.zip(token) else {
            continue;
        };
        if !names.insert(name.text) {
            let fault = Fault::new(format!("`{}` is the name of two tokens", name.text));
            mistakes.fault(name.span, fault.with_hint("give each its own"));
        }
        if let Some(other) = all.iter().find(|other| other.token == token) {
            let fault = Fault::new(format!("the token is the same as that of `{}`", other.name));
            let fault = fault.with_hint("make another: `openssl rand -hex 16`");
            mistakes.fault(fields.span_of("token"), fault);
        }
        all.push(TokenPlan {
            name: Arc::from(name.text),
            token,
            role,
        });
    }
    all
}

/// The tables of `tokens`.
fn tables<'a>(fields: &Fields<'a>) -> Vec<Fields<'a>> {
    const HINT: &str = "write [[admin.tokens]] with `name` and `token`";
    let mistakes = fields.mistakes();
    let Some(item) = fields.item("tokens") else {
        return Vec::new();
    };
    let array = match item.get_ref() {
        DeValue::Array(array) if !array.is_empty() => array,
        other => {
            let fault = match other {
                DeValue::Array(_) => Fault::new("`tokens` is empty"),
                other => Fault::wrong_type("tokens", "a list of tables", other),
            };
            mistakes.fault(item.span().into(), fault.with_hint(HINT));
            return Vec::new();
        }
    };
    fields.tables("tokens", array, &keys::TOKEN, HINT)
}

fn role(fields: &Fields<'_>, key: &str) -> AdminRole {
    match fields.choice(key) {
        "write" => AdminRole::Write,
        _ => AdminRole::Read,
    }
}

/// RFC 6750 section 2.1: what may stand behind `Bearer`.
fn sendable(token: Secret) -> Result<Secret, Fault> {
    let text = token.expose();
    let hint = "`openssl rand -hex 16` makes a good one";
    if text.len() < SHORTEST {
        let fault = Fault::new(format!("the token has less than {SHORTEST} characters"));
        return Err(fault.with_hint(hint));
    }
    let mut bytes = text.trim_end_matches('=').bytes();
    if !bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)) {
        let fault = Fault::new("the token has characters that cannot be sent in a header");
        return Err(fault.with_hint(hint));
    }
    Ok(token)
}

fn tls(file: &File<'_>, fields: &Fields<'_>) -> Option<AdminTls> {
    let (span, table) = fields.table("tls")?;
    let fields = Fields::new(&keys::ADMIN_TLS, span, table, fields.mistakes());
    let (certificate, key) = (
        fields.required_text("certificate"),
        fields.required_text("key"),
    );
    let client_role = role(&fields, "client_role");
    let client_auth = tls::client_auth(file, &fields);
    if client_auth.is_none() && fields.item("client_role").is_some() {
        let fault = Fault::new("`client_role` has no effect without `client_ca`");
        let fault = fault.with_hint("name the authorities whose certificates are good");
        let mistakes = fields.mistakes();
        mistakes.fault(fields.span_of("client_role"), fault);
    }
    let (certificate, key) = certificate.zip(key)?;
    Some(AdminTls {
        shown: CertificatePlan {
            certificate: file.file(certificate),
            key: file.file(key),
        },
        client_auth,
        client_role,
    })
}

fn hosts(fields: &Fields<'_>) -> Option<Vec<String>> {
    fields.item("hosts")?;
    let name = |word: Word<'_>| {
        let fault = || {
            let fault = Fault::new(format!("`{}` is not the name of a host", word.text));
            fault.with_hint("write \"gateway.internal\", without a port")
        };
        let name = upstream::is_host(word.text).then(|| word.text.to_ascii_lowercase());
        fields.mistakes().note(word.span, name.ok_or_else(fault))
    };
    Some(
        fields
            .distinct("hosts")
            .into_iter()
            .filter_map(name)
            .collect(),
    )
}
