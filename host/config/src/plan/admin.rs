//! Who may ask what of the admin listener.

use std::sync::Arc;

use super::{CertificatePlan, ClientAuth, Secret};

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdminPlan {
    pub tokens: Vec<TokenPlan>,
    pub tls: Option<AdminTls>,
    /// In lower case: names that requests may have in `Host`. None: it depends on the address.
    pub hosts: Option<Vec<String>>,
}

/// One of `[[admin.tokens]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlan {
    pub name: Arc<str>,
    pub token: Secret,
    pub role: AdminRole,
}

/// `[admin.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminTls {
    pub shown: CertificatePlan,
    pub client_auth: Option<ClientAuth>,
    /// Of clients with a certificate.
    pub client_role: AdminRole,
}

/// What one may. Who may change something may also look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminRole {
    Read,
    Write,
}

impl AdminPlan {
    /// Whether callers say who they are.
    pub fn asks_who(&self) -> bool {
        let certificates = self.tls.as_ref().and_then(|tls| tls.client_auth.as_ref());
        !self.tokens.is_empty() || certificates.is_some()
    }
}

impl std::fmt::Display for AdminRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            AdminRole::Read => "read",
            AdminRole::Write => "write",
        })
    }
}
