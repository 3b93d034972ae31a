//! `/certs`: what TLS shows to clients, and the files of TLS that are bad.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_proxy::tls::Identity;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, Problem, json};
use crate::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct CertsPage {
    certificates: Vec<CertificatePage>,
    /// Why a file is bad, by its path; its last good content serves on.
    errors: BTreeMap<String, String>,
}

#[derive(Serialize, JsonSchema)]
struct CertificatePage {
    names: Vec<String>,
    /// Seconds since 1970.
    not_after: i64,
}

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    let generation = call.gate()?.lease();
    let tls = generation.tls.as_ref();
    let identities = tls.map(|tls| tls.parts().identities.as_slice());
    let page = |identity: &Arc<Identity>| CertificatePage {
        names: identity.names().to_vec(),
        not_after: identity.not_after(),
    };
    let stale = call.gateway.status.stale();
    json(&CertsPage {
        certificates: identities.unwrap_or_default().iter().map(page).collect(),
        errors: stale
            .into_iter()
            .map(|(file, text)| (file.to_string(), text))
            .collect(),
    })
}
