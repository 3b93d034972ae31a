//! Asking the admin listener of the running gateway: what `reload` and `top` have in common.

use std::net::SocketAddr;

use http::{Method, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

use crate::Failure;

/// What an operation answered.
pub(crate) struct Said(String);

/// One request and its whole answer. A problem is the operator's to mend where the gateway says that it is.
pub(crate) async fn ask(admin: SocketAddr, method: Method, path: &str) -> Result<Said, Failure> {
    let (status, text) = exchange(admin, method, path).await.map_err(|error| {
        Failure::Trouble(format!(
            "no gateway answers on {admin} (listen.admin): {error}"
        ))
    })?;
    let said = Said(text);
    match status {
        status if status.is_success() => Ok(said),
        StatusCode::UNPROCESSABLE_ENTITY => Err(Failure::Mistake(said.member("detail"))),
        status => {
            let detail = said.member("detail");
            Err(Failure::Trouble(format!(
                "{admin}{path} answers {status}: {detail}"
            )))
        }
    }
}

impl Said {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// A text of a JSON document; all of it where it is none.
    pub(crate) fn member(&self, name: &str) -> String {
        let document: Option<serde_json::Value> = serde_json::from_str(&self.0).ok();
        let member = document
            .as_ref()
            .and_then(|document| document[name].as_str());
        member.unwrap_or(self.0.trim_end()).to_owned()
    }
}

async fn exchange(
    admin: SocketAddr,
    method: Method,
    path: &str,
) -> Result<(StatusCode, String), Box<dyn std::error::Error>> {
    let tcp = tokio::net::TcpStream::connect(admin).await?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await?;
    let driving = tokio::spawn(driver);
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, admin.to_string())
        .body(Empty::<bytes::Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    driving.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
