//! Bodies in general: read whole within a limit, and replaced.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;

/// Why a body failed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reads a body whole, at most `limit` bytes; None when there is more.
pub(crate) async fn collect<B>(body: B, limit: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut all: Vec<u8> = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if all.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > limit {
            return Ok(None);
        }
        match first.take() {
            None if all.is_empty() => first = Some(data),
            None => all.extend_from_slice(&data),
            Some(one) => {
                all.extend_from_slice(&one);
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(Some(first.unwrap_or_else(|| Bytes::from(all))))
}

/// Removes what the gateway decides itself once a body was replaced.
pub(crate) fn forget_framing(headers: &mut HeaderMap) {
    for name in [
        "content-length",
        "content-md5",
        "digest",
        "content-digest",
        "repr-digest",
        "etag",
        "trailer",
    ] {
        headers.remove(name);
    }
}
