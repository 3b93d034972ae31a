//! The kinds of plugin, one trait each.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Exchange, Fault, Reply, Verdict};

/// Who is asking. Limits count by the id, authorizers and filters see all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// Stable and unique: it is what limits count by.
    pub id: String,
    /// Names that an authorizer understands.
    pub roles: Vec<String>,
    /// Open bag of text: "username", "language", "tenant".
    pub claims: Vec<(String, String)>,
}

/// The callbacks of a filter that the gateway should call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases(u8);

/// Establishes who is asking.
///
/// Refuse with [`Refusal::unauthenticated`](crate::Refusal::unauthenticated), and say how to do better with a
/// `www-authenticate` header.
pub trait Authenticator: Sized + 'static {
    /// What `settings` of gateway.toml holds; [`NoSettings`](crate::NoSettings) when nothing. Its schema is what
    /// gateway.toml is checked against before the plugin runs.
    type Settings: DeserializeOwned + JsonSchema;

    /// Called once, before any request. The error is shown to whoever wrote the settings.
    fn configure(settings: Self::Settings) -> Result<Self, String>;

    /// The caller, or why there is none.
    fn authenticate(&self, x: &mut Exchange) -> Result<Caller, Fault>;
}

/// Decides whether the caller may do what the request asks.
pub trait Authorizer: Sized + 'static {
    /// What `settings` of gateway.toml holds; [`NoSettings`](crate::NoSettings) when nothing. Its schema is what
    /// gateway.toml is checked against before the plugin runs.
    type Settings: DeserializeOwned + JsonSchema;

    /// Called once, before any request. The error is shown to whoever wrote the settings.
    fn configure(settings: Self::Settings) -> Result<Self, String>;

    /// `Ok` permits; anything else does not.
    fn authorize(&self, x: &mut Exchange, caller: &Caller) -> Result<(), Fault>;
}

/// Validates and reshapes the request on its way in, the response on its way out.
///
/// Write the callbacks that are needed; `#[portcullis_sdk::plugin]` tells the gateway which ones they are, and
/// the gateway does not enter the plugin for the others.
pub trait Filter: Sized + 'static {
    /// What `settings` of gateway.toml holds; [`NoSettings`](crate::NoSettings) when nothing. Its schema is what
    /// gateway.toml is checked against before the plugin runs.
    type Settings: DeserializeOwned + JsonSchema;

    /// The callbacks that the `impl` has. Filled in by the attribute.
    #[doc(hidden)]
    const PRESENT: Phases = Phases::ALL;

    /// Called once, before any request. The error is shown to whoever wrote the settings.
    fn configure(settings: Self::Settings) -> Result<Self, String>;

    /// The callbacks wanted with these settings: the ones present unless narrowed here. A callback that is not
    /// present cannot be asked for.
    fn phases(&self) -> Phases {
        Self::PRESENT
    }

    /// Largest body, in bytes, that the body callbacks want; a larger one is refused by the gateway.
    fn body_limit(&self) -> u32 {
        1 << 20
    }

    /// What there is to know about the plugin as it is configured: pairs of an open key and a text. Of these
    /// `portcullis check` knows `openapi.operation`, as `GET /users/{id}`: it names those that no route serves.
    fn notes(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The head of the request, before the upstream sees anything.
    fn on_request(&self, _x: &mut Exchange) -> Result<Verdict, Fault> {
        Ok(Verdict::Next)
    }

    /// The whole body of the request.
    fn on_request_body(&self, _x: &mut Exchange) -> Result<Verdict, Fault> {
        Ok(Verdict::Next)
    }

    /// The head of the response, before the client sees anything.
    fn on_response(&self, _x: &mut Exchange) -> Result<Verdict, Fault> {
        Ok(Verdict::Next)
    }

    /// The whole body of the response.
    fn on_response_body(&self, _x: &mut Exchange) -> Result<Verdict, Fault> {
        Ok(Verdict::Next)
    }
}

/// Answers in the upstream's place.
pub trait Handler: Sized + 'static {
    /// What `settings` of gateway.toml holds; [`NoSettings`](crate::NoSettings) when nothing. Its schema is what
    /// gateway.toml is checked against before the plugin runs.
    type Settings: DeserializeOwned + JsonSchema;

    /// Called once, before any request. The error is shown to whoever wrote the settings.
    fn configure(settings: Self::Settings) -> Result<Self, String>;

    /// Largest request body, in bytes, that `handle` wants to read; 0: none is buffered for it.
    fn body_limit(&self) -> u32 {
        0
    }

    /// The response, or why there is none.
    fn handle(&self, x: &mut Exchange) -> Result<Reply, Fault>;
}

// === impl Caller ===

impl Caller {
    /// A caller without roles and claims.
    pub fn new(id: impl Into<String>) -> Self {
        Caller {
            id: id.into(),
            ..Caller::default()
        }
    }

    /// Adds a role, once.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        let role = role.into();
        if !self.roles.contains(&role) {
            self.roles.push(role);
        }
        self
    }

    /// Adds a claim.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// Whether the caller has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r == role)
    }
}

// === impl Phases ===

impl Phases {
    /// No callback at all.
    pub const NONE: Phases = Phases(0);
    /// `on_request`.
    pub const REQUEST: Phases = Phases(1);
    /// `on_request_body`.
    pub const REQUEST_BODY: Phases = Phases(2);
    /// `on_response`.
    pub const RESPONSE: Phases = Phases(4);
    /// `on_response_body`.
    pub const RESPONSE_BODY: Phases = Phases(8);
    /// All four.
    pub const ALL: Phases = Phases(15);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Phases) -> Phases {
        Phases(self.0 | other.0)
    }

    /// These without the others.
    #[must_use]
    pub const fn without(self, other: Phases) -> Phases {
        Phases(self.0 & !other.0)
    }

    /// Whether all of the others are in.
    #[must_use]
    pub const fn contains(self, other: Phases) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_add_and_narrow() {
        let both = Phases::REQUEST.and(Phases::RESPONSE);
        assert!(both.contains(Phases::REQUEST) && both.contains(Phases::RESPONSE));
        assert!(!both.contains(Phases::RESPONSE_BODY));
        assert_eq!(both.without(Phases::REQUEST), Phases::RESPONSE);
        assert_eq!(Phases::ALL.without(Phases::ALL), Phases::NONE);
    }

    #[test]
    fn a_role_is_held_once() {
        let caller = Caller::new("7").role("user").role("user").role("admin");
        assert_eq!(caller.roles, ["user", "admin"]);
        assert!(caller.has_role("admin") && !caller.has_role("adm"));
    }
}
