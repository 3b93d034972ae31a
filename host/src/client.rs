//! Asking the admin listener of the running gateway: what `reload` and `top` have in common.

use std::net::SocketAddr;

use http::{Method, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

use crate::Failure;

/// One request and its whole answer.
pub(crate) async fn ask(
    admin: SocketAddr,
    method: Method,
    path: &str,
) -> Result<(StatusCode, String), Failure> {
    exchange(admin, method, path).await.map_err(|error| {
        Failure::Trouble(format!(
            "no gateway answers on {admin} (listen.admin): {error}"
        ))
    })
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
