//! `exchange` of the contract: the message pair, seen through one borrowed handle.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use portcullis_exchange::{Side, Target};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::guest::checked::{
    MAX_HEADER_VALUE, MAX_HEADERS, final_status, forget_spellings, settable_name, usable_method,
};
use crate::guest::contract::exchange::HostExchange;
use crate::guest::contract::types::{Denied, Field};
use crate::guest::contract::{exchange, identity, outcome, types};
use crate::guest::resources::Handle;
use crate::guest::session::{Session, Writable};

const MAX_VARS: usize = 64;
const MAX_VAR: usize = 64 * 1024;

impl Session {
    fn write_header(
        &mut self,
        side: Side,
        name: &str,
        value: Option<Vec<u8>>,
        add: bool,
    ) -> Result<(), Denied> {
        self.may_write(side)?;
        let name = settable_name(name)?;
        let changed = match side {
            Side::Request => &mut self.exchange.changed_headers,
            Side::Response => &mut self.exchange.changed_response_headers,
        };
        if !changed.contains(&name) {
            changed.push(name.clone());
        }
        let headers = self.exchange.headers_mut(side).ok_or(Denied::NotReady)?;
        if side == Side::Request && !add {
            forget_spellings(headers, &name);
        }
        let Some(value) = value else {
            headers.remove(name);
            return Ok(());
        };
        if value.len() > MAX_HEADER_VALUE || headers.len() >= MAX_HEADERS {
            return Err(Denied::TooLarge);
        }
        let value =
            HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(|_| Denied::Invalid)?;
        let done = if add {
            headers.try_append(name, value).map(drop)
        } else {
            headers.try_insert(name, value).map(drop)
        };
        done.map_err(|_| Denied::TooLarge)
    }
}

fn side(side: types::Side) -> Side {
    match side {
        types::Side::Request => Side::Request,
        types::Side::Response => Side::Response,
    }
}

pub(crate) fn fields(headers: &HeaderMap) -> Vec<Field> {
    let field = |(name, value): (&HeaderName, &HeaderValue)| Field {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    };
    headers.iter().map(field).collect()
}

impl HostExchange for Session {
    fn method(&mut self, _: Resource<Handle>) -> Result<String> {
        Ok(self.count()?.method.as_str().to_owned())
    }

    fn set_method(&mut self, _: Resource<Handle>, method: String) -> Result<Result<(), Denied>> {
        self.count()?;
        if self.writable != Writable::Request {
            return Ok(Err(Denied::Immutable));
        }
        // A HEAD has no body in its answer: the client's side and the upstream's must agree on that.
        let changed = usable_method(&method).filter(|method| {
            *method == self.exchange.method
                || (*method != Method::HEAD && self.exchange.method != Method::HEAD)
        });
        Ok(changed
            .map(|method| self.exchange.method = method)
            .ok_or(Denied::Invalid))
    }

    fn target(&mut self, _: Resource<Handle>) -> Result<String> {
        Ok(self.count()?.target.as_str().to_owned())
    }

    fn set_target(&mut self, _: Resource<Handle>, text: String) -> Result<Result<(), Denied>> {
        let writable = self.writable;
        let exchange = self.count()?;
        let Ok(target) = Target::parse(&text) else {
            return Ok(Err(Denied::Invalid));
        };
        let same_path = target.canonical_path() == exchange.target.canonical_path();
        if writable == Writable::Request || (writable == Writable::Query && same_path) {
            exchange.target = target;
            return Ok(Ok(()));
        }
        Ok(Err(Denied::Immutable))
    }

    fn attr(&mut self, _: Resource<Handle>, name: String) -> Result<Option<String>> {
        Ok(self.count()?.attr(&name))
    }

    fn header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
    ) -> Result<Option<Vec<u8>>> {
        let headers = self.count()?.headers(side(s));
        let value = headers
            .and_then(|h| h.get(name.as_str()))
            .map(|v| v.as_bytes().to_vec());
        self.copy_in(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    fn header_all(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
    ) -> Result<Vec<Vec<u8>>> {
        let headers = self.count()?.headers(side(s));
        let values: Vec<Vec<u8>> = headers
            .map(|h| {
                h.get_all(name.as_str())
                    .iter()
                    .map(|v| v.as_bytes().to_vec())
                    .collect()
            })
            .unwrap_or_default();
        self.copy_in(values.iter().map(Vec::len).sum())?;
        Ok(values)
    }

    fn headers_named(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        names: Vec<String>,
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let headers = self.count()?.headers(side(s));
        let value = |name: &String| {
            headers
                .and_then(|h| h.get(name.as_str()))
                .map(|v| v.as_bytes().to_vec())
        };
        let values: Vec<Option<Vec<u8>>> = names.iter().map(value).collect();
        self.copy_in(values.iter().flatten().map(Vec::len).sum())?;
        Ok(values)
    }

    fn headers(&mut self, _: Resource<Handle>, s: types::Side) -> Result<Vec<Field>> {
        let all = self.count()?.headers(side(s)).map(fields);
        let all = all.unwrap_or_default();
        self.copy_in(all.iter().map(|f| f.name.len() + f.value.len()).sum())?;
        Ok(all)
    }

    fn set_header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
        value: Vec<u8>,
    ) -> Result<Result<(), Denied>> {
        self.count()?;
        self.copy_out(value.len())?;
        Ok(self.write_header(side(s), &name, Some(value), false))
    }

    fn add_header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
        value: Vec<u8>,
    ) -> Result<Result<(), Denied>> {
        self.count()?;
        self.copy_out(value.len())?;
        Ok(self.write_header(side(s), &name, Some(value), true))
    }

    fn remove_header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
    ) -> Result<Result<(), Denied>> {
        self.count()?;
        Ok(self.write_header(side(s), &name, None, false))
    }

    fn status(&mut self, _: Resource<Handle>) -> Result<Option<u16>> {
        Ok(self.count()?.response.as_ref().map(|r| r.status.as_u16()))
    }

    fn set_status(&mut self, _: Resource<Handle>, code: u16) -> Result<Result<(), Denied>> {
        self.count()?;
        if let Err(denied) = self.may_write(Side::Response) {
            return Ok(Err(denied));
        }
        let Some(response) = &mut self.exchange.response else {
            return Ok(Err(Denied::NotReady));
        };
        Ok(final_status(code)
            .map(|status| response.status = status)
            .ok_or(Denied::Invalid))
    }

    fn body_length(&mut self, _: Resource<Handle>, s: types::Side) -> Result<Option<u64>> {
        Ok(self
            .count()?
            .body_mut(side(s))
            .as_ref()
            .map(|b| b.len() as u64))
    }

    fn read_body(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        offset: u64,
        max: u32,
    ) -> Result<Result<Vec<u8>, Denied>> {
        let Some(body) = self.count()?.body_mut(side(s)) else {
            return Ok(Err(Denied::NotReady));
        };
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(body.len());
        let end = start.saturating_add(max as usize).min(body.len());
        let part = body[start..end].to_vec();
        self.copy_in(part.len())?;
        Ok(Ok(part))
    }

    fn replace_body(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        body: Vec<u8>,
    ) -> Result<Result<(), Denied>> {
        self.count()?;
        self.copy_out(body.len())?;
        if let Err(denied) = self.may_write(side(s)) {
            return Ok(Err(denied));
        }
        let Some(current) = self.exchange.body_mut(side(s)) else {
            return Ok(Err(Denied::NotReady));
        };
        *current = Bytes::from(body);
        Ok(Ok(()))
    }

    fn get_var(&mut self, _: Resource<Handle>, key: String) -> Result<Option<Vec<u8>>> {
        let vars = &self.count()?.vars;
        let value = vars.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        self.copy_in(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    fn set_var(
        &mut self,
        _: Resource<Handle>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), Denied>> {
        let vars = &mut self.count()?.vars;
        if key.len() > 256 || value.len() > MAX_VAR {
            return Ok(Err(Denied::TooLarge));
        }
        if let Some((_, held)) = vars.iter_mut().find(|(k, _)| *k == key) {
            *held = value;
        } else if vars.len() < MAX_VARS {
            vars.push((key, value));
        } else {
            return Ok(Err(Denied::TooLarge));
        }
        Ok(Ok(()))
    }

    fn drop(&mut self, _: Resource<Handle>) -> Result<()> {
        Ok(())
    }
}

impl exchange::Host for Session {}
impl types::Host for Session {}
impl outcome::Host for Session {}
impl identity::Host for Session {}
