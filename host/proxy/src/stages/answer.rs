//! Who answers the requests of a route, and the answers that are made here.

mod split;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_config::plan::{AnswerPlan, Piece, RedirectPlan, RespondPlan, RoutePlan};
use portcullis_exchange::{Exchange, Reply};
use portcullis_runtime::Post;

use self::split::Split;
use crate::ground::refusal::{Reason, Refusal};
use crate::stages::edge::EdgeMetrics;
use crate::upstreams::servers::Upstream;

/// Who answers.
#[derive(Debug)]
pub enum Answer {
    Handler(Arc<Post>),
    Upstream(Arc<Upstream>),
    Split(Split),
    Redirect(Redirect),
    Respond(Respond),
}

#[derive(Debug)]
pub struct Redirect {
    plan: RedirectPlan,
    status: StatusCode,
    /// Segments of the route's path: what is after them is `{rest}`.
    segments: usize,
}

/// An answer that is always the same.
#[derive(Debug)]
pub struct Respond {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Who answers an exchange, once it is known.
pub(crate) enum Answers<'a> {
    Handler(&'a Arc<Post>),
    Upstream(&'a Arc<Upstream>),
    /// Answered already.
    Here(Reply),
}

/// Everything that has a meaning in a URI is encoded: a value stays one segment, or one value of the query.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Answer {
    /// None where a handler should answer and none is given.
    pub(crate) fn new(
        route: &RoutePlan,
        handler: Option<&Arc<Post>>,
        upstream: impl Fn(&str) -> Option<Arc<Upstream>>,
        metrics: &EdgeMetrics,
    ) -> Option<Answer> {
        Some(match &route.answer {
            AnswerPlan::Plugin => Answer::Handler(handler?.clone()),
            AnswerPlan::Upstream(name) => Answer::Upstream(upstream(name)?),
            AnswerPlan::Split(plan) => {
                Answer::Split(Split::new(plan, &route.name, upstream, metrics)?)
            }
            AnswerPlan::Redirect(plan) => Answer::Redirect(Redirect::new(plan, route)),
            AnswerPlan::Respond(plan) => Answer::Respond(Respond::new(plan)),
        })
    }

    /// Who answers this exchange.
    pub(crate) fn to(&self, x: &Exchange) -> Result<Answers<'_>, Refusal> {
        Ok(match self {
            Answer::Handler(handler) => Answers::Handler(handler),
            Answer::Upstream(upstream) => Answers::Upstream(upstream),
            Answer::Split(split) => Answers::Upstream(split.side(x)),
            Answer::Redirect(redirect) => Answers::Here(redirect.reply(x)?),
            Answer::Respond(respond) => Answers::Here(respond.reply()),
        })
    }
}

// === impl Redirect ===

impl Redirect {
    fn new(plan: &RedirectPlan, route: &RoutePlan) -> Redirect {
        Redirect {
            status: StatusCode::from_u16(plan.status).unwrap_or(StatusCode::PERMANENT_REDIRECT),
            plan: plan.clone(),
            segments: route.path.segments.len(),
        }
    }

    fn reply(&self, x: &Exchange) -> Result<Reply, Refusal> {
        // A value that no header can carry is a client's doing; nothing of it is repeated.
        let location = HeaderValue::try_from(self.location(x))
            .map_err(|_| Refusal::new(Reason::InvalidRequest))?;
        Ok(Reply {
            status: self.status,
            headers: HeaderMap::from_iter([(LOCATION, location)]),
            body: Bytes::new(),
        })
    }

    fn location(&self, x: &Exchange) -> String {
        let mut to = String::with_capacity(128);
        for piece in &self.plan.to {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Param(name) => {
                    let value = x.params.iter().find(|(known, _)| **known == **name);
                    let value = value.map_or("", |(_, value)| value);
                    to.extend(utf8_percent_encode(value, VALUE));
                }
                Piece::Rest => to.push_str(self.rest(x.target.path())),
            }
        }
        if let Some(query) = x.target.query().filter(|_| self.plan.keep_query) {
            to.push(if to.contains('?') { '&' } else { '?' });
            to.push_str(query);
        }
        to
    }

    /// What `/**` stands for, without the slash before it: a normal path, as admitted.
    fn rest<'a>(&self, path: &'a str) -> &'a str {
        path.splitn(self.segments + 2, '/')
            .nth(self.segments + 1)
            .unwrap_or_default()
    }
}

// === impl Respond ===

impl Respond {
    fn new(plan: &RespondPlan) -> Respond {
        let header = |(name, value): &(String, String)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        };
        Respond {
            status: StatusCode::from_u16(plan.status).unwrap_or(StatusCode::OK),
            headers: plan.headers.iter().filter_map(header).collect(),
            body: Bytes::copy_from_slice(&plan.body),
        }
    }

    fn reply(&self) -> Reply {
        Reply {
            status: self.status,
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_exchange::Target;

    use super::*;

    fn redirect(to: Vec<Piece>, segments: usize) -> Redirect {
        Redirect {
            plan: RedirectPlan {
                to,
                status: 308,
                keep_query: true,
            },
            status: StatusCode::PERMANENT_REDIRECT,
            segments,
        }
    }

    fn exchange(target: &str, id: &str) -> Exchange {
        Exchange {
            target: Target::parse(target).unwrap(),
            params: vec![("id".into(), id.to_owned())],
            ..Exchange::default()
        }
    }

    #[test]
    fn no_value_of_a_request_leaves_its_place_in_the_target() {
        let by_id = redirect(
            vec![
                Piece::Text("https://new.example/u/".into()),
                Piece::Param("id".into()),
            ],
            2,
        );
        let table = [
            ("7", "https://new.example/u/7"),
            ("../admin", "https://new.example/u/..%2Fadmin"),
            ("@evil.test", "https://new.example/u/%40evil.test"),
            (
                "a\r\nset-cookie: x",
                "https://new.example/u/a%0D%0Aset-cookie%3A%20x",
            ),
            ("ä b", "https://new.example/u/%C3%A4%20b"),
            ("?x#y", "https://new.example/u/%3Fx%23y"),
        ];
        for (id, want) in table {
            assert_eq!(by_id.location(&exchange("/old/1", id)), want);
        }
    }

    #[test]
    fn the_rest_is_what_is_below_the_path_and_the_query_goes_along() {
        let table = [
            (1, "/old/a/b", "https://new.example/a/b"),
            (1, "/old", "https://new.example/"),
            (1, "/old//evil.test", "https://new.example/evil.test"),
            (0, "/a/b?x=1", "https://new.example/a/b?x=1"),
            (0, "/", "https://new.example/"),
        ];
        for (segments, target, want) in table {
            let pieces = vec![Piece::Text("https://new.example/".into()), Piece::Rest];
            let seen = redirect(pieces, segments).location(&exchange(target, ""));
            assert_eq!(seen, want, "{target}");
        }
        let with_query = redirect(vec![Piece::Text("/b?a=1".into())], 1);
        let seen = with_query.location(&exchange("/a?b=2", ""));
        assert_eq!(seen, "/b?a=1&b=2");
    }
}
