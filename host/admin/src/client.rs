//! A client of the listener, for the commands that ask a running gateway.

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use portcullis_config::plan::Protocol;
use portcullis_proxy::tls::{Dial, DialParts, TlsParts};
use portcullis_proxy::{Link, Speaks};
use serde_json::Value;

/// Whom to ask, and how. It displays as the address.
pub struct Client {
    /// `host:port`
    address: String,
    dial: Dial,
    authorization: Option<HeaderValue>,
}

/// The body of an answer.
#[derive(Debug)]
pub struct Page(String);

/// Why there is no page.
#[derive(Debug)]
pub enum AskError {
    /// No gateway answers.
    Unreachable(Box<dyn std::error::Error>),
    /// The gateway refused to do it, and changed nothing. The detail of the problem.
    Refused(String),
    /// The token does not permit it. The detail of the problem.
    NotAllowed(String),
    /// Any other status, and the detail of the problem.
    Failed(StatusCode, String),
}

impl Client {
    pub fn new(address: String, tls: Option<TlsParts>) -> Result<Client, String> {
        let protocol = Protocol::Http1;
        Ok(Client {
            address,
            dial: Dial::new(DialParts { protocol, tls })?,
            authorization: None,
        })
    }

    /// With this value of the field Authorization.
    #[must_use]
    pub fn authorized(mut self, value: HeaderValue) -> Client {
        self.authorization = Some(value);
        self
    }

    /// One request and its whole answer.
    pub async fn ask(&self, method: Method, path: &str) -> Result<Page, AskError> {
        let exchanged = self.exchange(method, path).await;
        let (status, page) = exchanged.map_err(AskError::Unreachable)?;
        if status.is_success() {
            return Ok(page);
        }
        let detail = page.member("detail");
        Err(match status {
            StatusCode::UNPROCESSABLE_ENTITY => AskError::Refused(detail),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => AskError::NotAllowed(detail),
            status => AskError::Failed(status, detail),
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
    ) -> Result<(StatusCode, Page), Box<dyn std::error::Error>> {
        let io = self.dial.open(&self.address).await?;
        let mut link = Link::over(io, Speaks::Http1).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::<Bytes>::default())?;
        let response = link.send(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, Page(String::from_utf8_lossy(&body).into_owned())))
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl Page {
    pub fn text(&self) -> &str {
        &self.0
    }

    /// A text of a JSON document; the whole page where it is none.
    pub fn member(&self, name: &str) -> String {
        let document: Option<Value> = serde_json::from_str(&self.0).ok();
        let member = document
            .as_ref()
            .and_then(|document| document[name].as_str());
        member.unwrap_or(self.0.trim_end()).to_owned()
    }
}
