//! The filters of one exchange: forward on the request, reversed on the response. Bodies are buffered only where a
//! filter asked for them.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use portcullis_exchange::{Exchange, Outcome, Reply, ResponseHead};
use portcullis_runtime::{Kind, Post, Slot};

use crate::ground::body::{collect, forget_framing};
use crate::ground::events;
use crate::ground::refusal::{Reason, Refusal};
use crate::stages::chain::Chain;
use crate::stages::content::Content;
use crate::stages::readable::ask_for_readable;
use crate::upstreams::request_body::RequestBody;

/// Each filter with the place where its instance waits between request and response.
pub(crate) struct Filters {
    running: Vec<(Arc<Post>, Slot)>,
    max_body: u64,
    /// The response has no body (HEAD).
    head: bool,
}

/// What the request phases came to.
pub(crate) enum Filtered {
    /// The request goes on, with this body.
    On(RequestBody),
    /// A filter has answered.
    Reply(Reply),
}

impl Filters {
    /// `max_body`: bytes that a request body of the route may have.
    pub(crate) fn of(chain: &Chain, max_body: u64) -> Filters {
        let running = chain
            .of(Kind::Filter)
            .map(|plugin| (plugin.clone(), Slot::default()))
            .collect();
        Filters {
            running,
            max_body,
            head: false,
        }
    }

    pub(crate) fn see_responses(&self) -> bool {
        self.running
            .iter()
            .any(|(plugin, _)| plugin.phases().response || plugin.phases().response_body)
    }

    fn read_responses(&self) -> bool {
        self.running
            .iter()
            .any(|(plugin, _)| plugin.phases().response_body)
    }

    /// Runs the request phases. A reply ends the way to the upstream.
    pub(crate) async fn request(
        &mut self,
        x: &mut Exchange,
        body: RequestBody,
    ) -> Result<Filtered, Refusal> {
        if self.running.is_empty() {
            return Ok(Filtered::On(body));
        }
        // Boxed, so that no request of a route without filters carries its size.
        let filtered = Box::pin(self.run_request(x, body)).await?;
        self.head = x.method == Method::HEAD;
        if self.read_responses() {
            // Of the upstream, the cache or a handler.
            ask_for_readable(&mut x.request);
        }
        Ok(filtered)
    }

    async fn run_request(
        &mut self,
        x: &mut Exchange,
        body: RequestBody,
    ) -> Result<Filtered, Refusal> {
        for (plugin, slot) in &mut self.running {
            if plugin.phases().request {
                let outcome = plugin
                    .on_request(x, slot)
                    .await
                    .map_err(|e| Refusal::from_call(plugin.name(), e))?;
                if let Some(reply) = reply_of(outcome) {
                    return Ok(Filtered::Reply(reply));
                }
            }
        }
        let Some(limit) = self.buffer_limit(|plugin| plugin.phases().request_body) else {
            return Ok(Filtered::On(body));
        };
        let limit = limit.min(usize::try_from(self.max_body).unwrap_or(usize::MAX));
        let buffered = body.collect(limit).await?;
        if let Some(reply) = self.request_bodies(x, buffered).await? {
            return Ok(Filtered::Reply(reply));
        }
        let body = x.request_body.take().unwrap_or_default();
        Ok(Filtered::On(RequestBody::full(body)))
    }

    async fn request_bodies(
        &mut self,
        x: &mut Exchange,
        buffered: Bytes,
    ) -> Result<Option<Reply>, Refusal> {
        x.request_body = Some(buffered);
        for (plugin, slot) in &mut self.running {
            if plugin.phases().request_body {
                let outcome = plugin
                    .on_request_body(x, slot)
                    .await
                    .map_err(|e| Refusal::from_call(plugin.name(), e))?;
                if let Some(reply) = reply_of(outcome) {
                    return Ok(Some(reply));
                }
            }
        }
        Ok(None)
    }

    /// Runs the response phases, last filter first. A filter that replies replaces the response; the filters
    /// before it see the new one.
    pub(crate) async fn response(
        &mut self,
        x: &mut Exchange,
        response: Response<Content>,
    ) -> Result<Response<Content>, Refusal> {
        if !self.see_responses() || matches!(response.body(), Content::Tunnel(_)) {
            return Ok(response);
        }
        Box::pin(self.change(x, response)).await
    }

    async fn change(
        &mut self,
        x: &mut Exchange,
        response: Response<Content>,
    ) -> Result<Response<Content>, Refusal> {
        let (mut parts, mut content) = response.into_parts();
        let endless = events::is_stream(&parts.headers);
        if self.head && self.read_responses() {
            // The filters make what a GET gets: the upstream speaks of another body.
            forget_framing(&mut parts.headers);
        }
        x.response = Some(ResponseHead {
            status: parts.status,
            headers: std::mem::take(&mut parts.headers),
        });
        let limit = if self.head {
            None
        } else {
            self.buffer_limit(|plugin| plugin.phases().response_body)
        };
        if let Some(limit) = limit {
            x.response_body = Some(whole(content, endless, limit).await?);
            content = Content::Full(None);
        }
        self.run_response(x, limit.is_some()).await?;
        if let Some(ResponseHead { status, headers }) = x.response.take() {
            parts.status = status;
            parts.headers = headers;
        }
        if let Some(bytes) = x.response_body.take() {
            // hyper writes the length of what is really sent.
            forget_framing(&mut parts.headers);
            content = Content::full(bytes);
        }
        Ok(Response::from_parts(parts, content))
    }

    /// `has_body`: the response has one, and it is at hand for those that want it.
    async fn run_response(&mut self, x: &mut Exchange, has_body: bool) -> Result<(), Refusal> {
        for (plugin, slot) in self.running.iter_mut().rev() {
            for step in [Step::Head, Step::Body] {
                let entered = match step {
                    Step::Head if plugin.phases().response => plugin.on_response(x, slot).await,
                    Step::Body if plugin.phases().response_body && has_body => {
                        plugin.on_response_body(x, slot).await
                    }
                    _ => continue,
                };
                let outcome = entered.map_err(|e| Refusal::from_call(plugin.name(), e))?;
                if let Some(reply) = reply_of(outcome) {
                    x.response = Some(ResponseHead {
                        status: reply.status,
                        headers: reply.headers,
                    });
                    x.response_body = Some(reply.body);
                    break;
                }
            }
        }
        Ok(())
    }

    /// The smallest limit of the filters that want the body; None where none does.
    fn buffer_limit(&self, wants: impl Fn(&Post) -> bool) -> Option<usize> {
        self.running
            .iter()
            .filter(|(plugin, _)| wants(plugin))
            .map(|(plugin, _)| plugin.body_limit())
            .min()
    }
}

#[derive(Clone, Copy)]
enum Step {
    Head,
    Body,
}

/// The body for a handler that wants it.
pub(crate) async fn body_for(
    handler: &Post,
    body: RequestBody,
    max_body: u64,
) -> Result<Option<Bytes>, Refusal> {
    let limit = handler
        .body_limit()
        .min(usize::try_from(max_body).unwrap_or(usize::MAX));
    if limit == 0 {
        return Ok(None);
    }
    body.collect(limit).await.map(Some)
}

/// Whether a filter went on or answered itself.
fn reply_of(outcome: Outcome) -> Option<Reply> {
    match outcome {
        Outcome::Next => None,
        Outcome::Respond(reply) => Some(reply),
    }
}

/// The response body, for filters that want it whole.
async fn whole(content: Content, endless: bool, limit: usize) -> Result<Bytes, Refusal> {
    match content {
        Content::Full(bytes) => Ok(bytes.unwrap_or_default()),
        Content::Upstream(_) if endless => Err(Refusal::new(Reason::UpstreamBroken)
            .because("an event stream has no end, and a filter of the route wants bodies whole")),
        streamed => collect_response(streamed, limit).await,
    }
}

async fn collect_response(body: Content, limit: usize) -> Result<Bytes, Refusal> {
    match collect(body, limit).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Refusal::new(Reason::UpstreamBroken).because(format!(
            "the response body is larger than the {limit} bytes that a filter takes"
        ))),
        Err(error) => Err(Refusal::new(Reason::UpstreamBroken).because(error.to_string())),
    }
}
