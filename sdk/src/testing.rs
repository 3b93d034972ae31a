//! A gateway made of maps, for tests of a plugin's logic without WebAssembly.
//!
//! ```
//! use portcullis_sdk::testing::Fake;
//!
//! let fake = Fake::request("GET", "/api/users/7?verbose=1").with_header("x-tenant", "a").with_attr("caller.id", "7");
//! let mut x = fake.exchange();
//! assert_eq!(x.query_param("verbose"), Ok(Some("1".to_owned())));
//! x.set_header("x-user-id", "7").unwrap();
//! assert_eq!(fake.header_text("x-user-id").as_deref(), Some("7"));
//! ```
//!
//! It refuses what no gateway accepts (bad header names and values), but it does not know the rights of each
//! kind and phase: those are tested against the real one.

pub(crate) mod crypto;
pub(crate) mod host;
pub(crate) mod state;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::bindings::host::portcullis::plugin::types::Field;
use crate::settings::is_token;
use crate::{Denied, Exchange, Side, wire};

pub use host::{answer_upstreams_with, set_now};
pub use state::set_bucket;

/// One exchange in memory.
#[derive(Debug, Default)]
pub struct Fake {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    method: String,
    target: String,
    attrs: BTreeMap<String, String>,
    request: Half,
    response: Half,
    status: Option<u16>,
    vars: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Half {
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

// === impl Fake: making one ===

impl Fake {
    /// A request without headers. The attribute `path` is the target's.
    pub fn request(method: &str, target: &str) -> Fake {
        let fake = Fake::default();
        {
            let mut state = fake.state.borrow_mut();
            method.clone_into(&mut state.method);
            target.clone_into(&mut state.target);
            let path = target.split('?').next().unwrap_or_default();
            state.attrs.insert("path".to_owned(), path.to_owned());
        }
        fake
    }

    /// Adds a header to the request.
    #[must_use]
    pub fn with_header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.state
            .borrow_mut()
            .request
            .headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets an attribute: `caller.id`, `claim.username`, `param.id`.
    #[must_use]
    pub fn with_attr(self, name: &str, value: &str) -> Self {
        self.state
            .borrow_mut()
            .attrs
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// Buffers a body for the request.
    #[must_use]
    pub fn with_body(self, body: impl Into<Vec<u8>>) -> Self {
        self.state.borrow_mut().request.body = Some(body.into());
        self
    }

    /// Adds a response with a buffered body.
    #[must_use]
    pub fn with_response(
        self,
        status: u16,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Self {
        {
            let mut state = self.state.borrow_mut();
            state.status = Some(status);
            state.response.headers = headers
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
                .collect();
            state.response.body = Some(body.into());
        }
        self
    }

    /// As the request callbacks see it.
    pub fn exchange(&self) -> Exchange<'_> {
        Exchange::new(self, Side::Request)
    }

    /// As the response callbacks see it.
    pub fn exchange_back(&self) -> Exchange<'_> {
        Exchange::new(self, Side::Response)
    }

    /// A header of the request as it is now.
    pub fn header_text(&self, name: &str) -> Option<String> {
        self.header(Side::Request, name).map(wire::text)
    }

    /// A header of the response as it is now.
    pub fn response_header_text(&self, name: &str) -> Option<String> {
        self.header(Side::Response, name).map(wire::text)
    }
}

// === impl Fake: what the exchange of the contract has ===

impl Fake {
    fn read<R>(&self, side: Side, read: impl FnOnce(&Half) -> R) -> R {
        let state = self.state.borrow();
        read(match side {
            Side::Request => &state.request,
            Side::Response => &state.response,
        })
    }

    fn change<R>(&self, side: Side, change: impl FnOnce(&mut Half) -> R) -> R {
        let mut state = self.state.borrow_mut();
        change(match side {
            Side::Request => &mut state.request,
            Side::Response => &mut state.response,
        })
    }

    pub(crate) fn method(&self) -> String {
        self.state.borrow().method.clone()
    }

    pub(crate) fn set_method(&self, method: &str) -> Result<(), Denied> {
        let token =
            !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        if !token || method == "CONNECT" || method == "TRACE" {
            return Err(Denied::Invalid);
        }
        method.clone_into(&mut self.state.borrow_mut().method);
        Ok(())
    }

    pub(crate) fn target(&self) -> String {
        self.state.borrow().target.clone()
    }

    pub(crate) fn set_target(&self, target: &str) -> Result<(), Denied> {
        if !target.starts_with('/') {
            return Err(Denied::Invalid);
        }
        target.clone_into(&mut self.state.borrow_mut().target);
        Ok(())
    }

    pub(crate) fn attr(&self, name: &str) -> Option<String> {
        self.state.borrow().attrs.get(name).cloned()
    }

    pub(crate) fn header(&self, side: Side, name: &str) -> Option<Vec<u8>> {
        self.header_all(side, name).into_iter().next()
    }

    pub(crate) fn header_all(&self, side: Side, name: &str) -> Vec<Vec<u8>> {
        self.read(side, |half| {
            half.headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.clone())
                .collect()
        })
    }

    pub(crate) fn headers_named(&self, side: Side, names: &[String]) -> Vec<Option<Vec<u8>>> {
        names.iter().map(|name| self.header(side, name)).collect()
    }

    pub(crate) fn headers(&self, side: Side) -> Vec<Field> {
        self.read(side, |half| {
            half.headers
                .iter()
                .map(|(name, value)| Field {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect()
        })
    }

    pub(crate) fn set_header(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Denied> {
        valid(name, value)?;
        self.remove_header(side, name)?;
        self.add_header(side, name, value)
    }

    pub(crate) fn add_header(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Denied> {
        valid(name, value)?;
        self.change(side, |half| {
            half.headers
                .push((name.to_ascii_lowercase(), value.to_vec()));
        });
        Ok(())
    }

    pub(crate) fn remove_header(&self, side: Side, name: &str) -> Result<(), Denied> {
        let folded = |name: &str| match side {
            // `_` is another spelling of `-` to many servers: the client's goes with it.
            Side::Request => name.replace('_', "-"),
            Side::Response => name.to_owned(),
        };
        self.change(side, |half| {
            half.headers
                .retain(|(n, _)| !folded(n).eq_ignore_ascii_case(&folded(name)));
        });
        Ok(())
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.state.borrow().status
    }

    pub(crate) fn set_status(&self, code: u16) -> Result<(), Denied> {
        let mut state = self.state.borrow_mut();
        if state.status.is_none() {
            return Err(Denied::Immutable);
        }
        state.status = Some(code);
        Ok(())
    }

    pub(crate) fn body_length(&self, side: Side) -> Option<u64> {
        self.read(side, |half| {
            half.body.as_ref().map(|body| body.len() as u64)
        })
    }

    pub(crate) fn read_body(&self, side: Side, offset: u64, max: u32) -> Result<Vec<u8>, Denied> {
        self.read(side, |half| {
            let body = half.body.as_ref().ok_or(Denied::NotReady)?;
            let start = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(body.len());
            let end = start.saturating_add(max as usize).min(body.len());
            Ok(body[start..end].to_vec())
        })
    }

    pub(crate) fn replace_body(&self, side: Side, body: &[u8]) -> Result<(), Denied> {
        self.change(side, |half| match &mut half.body {
            Some(old) => {
                body.clone_into(old);
                Ok(())
            }
            None => Err(Denied::NotReady),
        })
    }

    pub(crate) fn get_var(&self, key: &str) -> Option<Vec<u8>> {
        self.state.borrow().vars.get(key).cloned()
    }

    pub(crate) fn set_var(&self, key: &str, value: &[u8]) -> Result<(), Denied> {
        self.state
            .borrow_mut()
            .vars
            .insert(key.to_owned(), value.to_vec());
        Ok(())
    }
}

/// RFC 9110 section 5: a name is a token; a value holds neither controls (but a tab) nor DEL.
fn valid(name: &str, value: &[u8]) -> Result<(), Denied> {
    let text = |b: u8| b == b'\t' || (b >= b' ' && b != 0x7f);
    if is_token(name) && value.iter().copied().all(text) {
        Ok(())
    } else {
        Err(Denied::Invalid)
    }
}
