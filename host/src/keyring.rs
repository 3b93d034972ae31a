//! The files of TLS: read when they have changed, the last good content kept when the new one is bad.

mod store;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_admin::StaleFiles;
use portcullis_config::diagnostic::{Diagnostic, Span};
use portcullis_config::plan::{
    AdminTls, CertificatePlan, ClientAuth, FilePlan, Plan, Tls, TlsVersion, UpstreamPlan,
    UpstreamTls,
};
use portcullis_proxy::tls::{
    Authorities, Dial, DialParts, Identity, Termination, TerminationParts, TlsParts, Unusable,
};
use portcullis_proxy::{Generation, Security};

use self::store::Store;

/// Of the admin listener, from the accept.
const ADMIN_HANDSHAKE: Duration = Duration::from_secs(5);

/// Everything that was read, by its files.
#[derive(Default)]
pub(crate) struct Keyring {
    identities: Store<Identity>,
    authorities: Store<Authorities>,
    /// The roots of the system, read once.
    system: Option<Arc<Authorities>>,
    /// Made once for these names, so that a reload does not change it.
    self_signed: Option<(Vec<String>, Arc<Identity>)>,
}

/// One load: what was found wrong with files that have, or have not, a last good content.
#[derive(Default)]
struct Findings {
    mistakes: Vec<Diagnostic>,
    stale: StaleFiles,
}

/// The files that a plan names for TLS.
pub(crate) fn files(plan: &Plan) -> Vec<&Path> {
    fn pair(pair: &CertificatePlan) -> [&FilePlan; 2] {
        [&pair.certificate, &pair.key]
    }
    let mut files: Vec<&FilePlan> = Vec::new();
    if let Some(tls) = &plan.tls {
        files.extend(tls.certificates.iter().flat_map(pair));
        files.extend(tls.client_auth.iter().map(|auth| &auth.ca));
    }
    if let Some(tls) = &plan.admin.tls {
        files.extend(pair(&tls.shown));
        files.extend(tls.client_auth.iter().map(|auth| &auth.ca));
    }
    for tls in plan.upstream.values().filter_map(|u| u.tls.as_ref()) {
        files.extend(tls.certificate.iter().flat_map(pair));
        files.extend(&tls.ca);
    }
    files.iter().map(|file| file.path.as_path()).collect()
}

// === impl Keyring ===

impl Keyring {
    /// What a generation of `plan` needs; taken over from `before` where nothing changed. Beside it, what is wrong
    /// with files whose last good content goes on to serve.
    pub(crate) fn load(
        &mut self,
        plan: &Plan,
        before: Option<&Generation>,
    ) -> Result<(Security, StaleFiles), Vec<Diagnostic>> {
        let mut findings = Findings::default();
        let termination = plan.tls.as_ref().and_then(|tls| {
            let old = before.and_then(|b| b.tls.as_ref());
            self.termination(tls, old, &mut findings)
        });
        let admin = plan.admin.tls.as_ref().and_then(|tls| {
            let old = before.and_then(|b| b.admin_tls.as_ref());
            self.admin(tls, old, &mut findings)
        });
        let mut dials = BTreeMap::new();
        for (name, upstream) in &plan.upstream {
            let old = before.and_then(|b| b.upstreams.get(name));
            let dial = self.dial(upstream, old.map(|old| old.dial()), &mut findings);
            dials.extend(dial.map(|dial| (name.clone(), dial)));
        }
        let used = files(plan);
        self.identities.keep(&used);
        self.authorities.keep(&used);
        if findings.mistakes.is_empty() {
            let security = Security {
                termination,
                admin,
                dials,
            };
            Ok((security, findings.stale))
        } else {
            Err(findings.mistakes)
        }
    }

    fn termination(
        &mut self,
        tls: &Tls,
        old: Option<&Arc<Termination>>,
        findings: &mut Findings,
    ) -> Option<Arc<Termination>> {
        let mut identities: Vec<Arc<Identity>> = Vec::new();
        for pair in &tls.certificates {
            identities.extend(self.identity(pair, findings));
        }
        if !tls.self_signed.is_empty() {
            identities.extend(self.self_signed(&tls.self_signed, findings));
        }
        let clients = self.clients(tls.client_auth.as_ref(), findings)?;
        if identities.is_empty() {
            return None;
        }
        let parts = TerminationParts {
            identities,
            clients,
            min_version: tls.min_version,
            handshake: tls.handshake,
            hsts: tls.hsts,
            h2: true,
        };
        findings.terminate(parts, old)
    }

    /// What the admin listener shows and asks for.
    fn admin(
        &mut self,
        tls: &AdminTls,
        old: Option<&Arc<Termination>>,
        findings: &mut Findings,
    ) -> Option<Arc<Termination>> {
        let identity = self.identity(&tls.shown, findings)?;
        let parts = TerminationParts {
            identities: vec![identity],
            clients: self.clients(tls.client_auth.as_ref(), findings)?,
            min_version: TlsVersion::V12,
            handshake: ADMIN_HANDSHAKE,
            hsts: None,
            h2: false,
        };
        findings.terminate(parts, old)
    }

    /// Before anything else is loaded: the admin listener is there first.
    pub(crate) fn first(
        &mut self,
        plan: &Plan,
    ) -> Result<Option<Arc<Termination>>, Vec<Diagnostic>> {
        let mut findings = Findings::default();
        let admin = plan.admin.tls.as_ref();
        let admin = admin.and_then(|tls| self.admin(tls, None, &mut findings));
        if findings.mistakes.is_empty() {
            Ok(admin)
        } else {
            Err(findings.mistakes)
        }
    }

    /// Whose clients are let in; None only with a mistake noted.
    fn clients(
        &mut self,
        auth: Option<&ClientAuth>,
        findings: &mut Findings,
    ) -> Option<Option<(Arc<Authorities>, bool)>> {
        let Some(auth) = auth else {
            return Some(None);
        };
        let authorities = self.authorities(&auth.ca, findings)?;
        Some(Some((authorities, auth.required)))
    }

    fn dial(
        &mut self,
        upstream: &UpstreamPlan,
        old: Option<&Arc<Dial>>,
        findings: &mut Findings,
    ) -> Option<Arc<Dial>> {
        let parts = DialParts {
            protocol: upstream.protocol,
            tls: match &upstream.tls {
                None => None,
                Some(tls) => Some(self.towards(tls, findings)?),
            },
        };
        if let Some(old) = old.filter(|old| *old.parts() == parts) {
            return Some(old.clone());
        }
        if parts
            .tls
            .as_ref()
            .is_some_and(|tls| tls.authorities.is_none())
        {
            tracing::warn!(upstream = %upstream.name, "tls.verify = false: whoever answers is believed");
        }
        let span = upstream
            .tls
            .as_ref()
            .map_or(Span::default(), |tls| tls.span);
        findings.note(span, Dial::new(parts))
    }

    fn towards(&mut self, tls: &UpstreamTls, findings: &mut Findings) -> Option<TlsParts> {
        let identity = match &tls.certificate {
            None => None,
            Some(pair) => Some(self.identity(pair, findings)?),
        };
        let authorities = match (&tls.ca, tls.verify) {
            (_, false) => None,
            (Some(ca), true) => Some(self.authorities(ca, findings)?),
            (None, true) => Some(self.system(tls.span, findings)?),
        };
        Some(TlsParts {
            authorities,
            identity,
            server_name: tls.server_name.clone(),
        })
    }

    fn identity(
        &mut self,
        pair: &CertificatePlan,
        findings: &mut Findings,
    ) -> Option<Arc<Identity>> {
        let read = |files: &[Vec<u8>]| Identity::from_pem(&files[0], &files[1]);
        let paths = vec![pair.certificate.path.clone(), pair.key.path.clone()];
        let kept = self.identities.get(paths, read);
        kept.content(&[&pair.certificate, &pair.key], findings)
    }

    fn authorities(
        &mut self,
        file: &FilePlan,
        findings: &mut Findings,
    ) -> Option<Arc<Authorities>> {
        let read = |files: &[Vec<u8>]| Authorities::from_pem(&files[0]);
        let kept = self.authorities.get(vec![file.path.clone()], read);
        kept.content(&[file], findings)
    }

    fn system(&mut self, span: Span, findings: &mut Findings) -> Option<Arc<Authorities>> {
        if self.system.is_none() {
            let found = Authorities::of_the_system();
            self.system = findings.note_unusable(span, found);
        }
        self.system.clone()
    }

    fn self_signed(&mut self, names: &[String], findings: &mut Findings) -> Option<Arc<Identity>> {
        let known = self.self_signed.as_ref().filter(|(of, _)| of == names);
        if let Some((_, identity)) = known {
            return Some(identity.clone());
        }
        let identity = findings.note_unusable(Span::default(), Identity::self_signed(names))?;
        tracing::warn!(
            "a self-signed certificate for {} was made; it is for development",
            names.join(", ")
        );
        self.self_signed = Some((names.to_vec(), identity.clone()));
        Some(identity)
    }
}

// === impl Findings ===

impl Findings {
    /// The old one where it is made of the same.
    fn terminate(
        &mut self,
        parts: TerminationParts,
        old: Option<&Arc<Termination>>,
    ) -> Option<Arc<Termination>> {
        match old.filter(|old| *old.parts() == parts) {
            Some(old) => Some(old.clone()),
            None => self.note(Span::default(), Termination::new(parts)),
        }
    }

    fn note<T>(&mut self, span: Span, made: Result<T, String>) -> Option<Arc<T>> {
        let text = |problem| format!("TLS cannot be set up: {problem}");
        let made = made.map_err(|problem| self.mistakes.push(Diagnostic::new(span, text(problem))));
        made.ok().map(Arc::new)
    }

    fn note_unusable<T>(&mut self, span: Span, made: Result<T, Unusable>) -> Option<Arc<T>> {
        let made = made.map_err(|Unusable { message, hint, .. }| {
            self.mistakes
                .push(Diagnostic::new(span, message).with_hint(hint));
        });
        made.ok().map(Arc::new)
    }
}
