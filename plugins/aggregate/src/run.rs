//! The calls on their way: each begins as soon as what it needs is there, so that the whole takes as long as its
//! slowest chain. Waves would not do: a wave waits for its slowest call, whether the next needs it or not.

use std::collections::BTreeMap;

use portcullis_sdk::Exchange;
use portcullis_sdk::upstream::{self, Answer, Call, CallError, Pending};
use shape::{Json, Scope, from_json, header_value};

use crate::loss::{Loss, Reason};
use crate::plan::{Plan, Planned};

/// Calls that are begun, waited for and taken one by one: the gateway, or a clock in a test.
pub trait Upstreams {
    /// A call under way; dropping it cancels it.
    type Pending;
    /// Begins a call.
    fn start(&mut self, call: Call) -> Result<Self::Pending, CallError>;
    /// Waits for the first to finish.
    fn next(&mut self, pending: &[&Self::Pending]) -> Option<usize>;
    /// Its answer.
    fn take(&mut self, pending: Self::Pending) -> Result<Answer, CallError>;
}

/// The gateway's.
#[derive(Debug)]
pub struct Gateway;

/// Headers of the client by name.
pub(crate) type Forwarded = BTreeMap<String, Vec<Vec<u8>>>;

/// What came of a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Its answer.
    Got(Json),
    /// An optional one that failed.
    Lost(Reason),
}

/// The calls under way, with all that is known so far.
pub(crate) struct Run<'p> {
    plan: &'p Plan,
    pub(crate) scope: Scope,
    forwarded: Forwarded,
    begun: Vec<bool>,
    parts: Vec<Option<Part>>,
    /// Bytes that answers may still have.
    left: usize,
}

impl Upstreams for Gateway {
    type Pending = Pending;

    fn start(&mut self, call: Call) -> Result<Pending, CallError> {
        upstream::start(call)
    }

    fn next(&mut self, pending: &[&Pending]) -> Option<usize> {
        upstream::next(pending)
    }

    fn take(&mut self, pending: Pending) -> Result<Answer, CallError> {
        pending.take()
    }
}

/// The client's headers that some call forwards.
pub(crate) fn forwarded(x: &Exchange, plan: &Plan) -> Forwarded {
    let names = plan.calls.iter().flat_map(|call| &call.forward);
    names
        .map(|name| (name.clone(), x.request().header_all(name)))
        .collect()
}

impl<'p> Run<'p> {
    pub(crate) fn new(plan: &'p Plan, scope: Scope, forwarded: Forwarded) -> Run<'p> {
        Run {
            plan,
            scope,
            forwarded,
            begun: vec![false; plan.calls.len()],
            parts: plan.calls.iter().map(|_| None).collect(),
            left: plan.max_total,
        }
    }

    /// Makes all calls. A loss ends it at once: what is still under way is cancelled by being dropped.
    pub(crate) fn all<U: Upstreams>(&mut self, upstreams: &mut U) -> Result<Vec<Part>, Loss> {
        let mut flying: Vec<(usize, U::Pending)> = Vec::new();
        loop {
            while let Some(at) = self.ready() {
                self.begun[at] = true;
                match self.begin(at, upstreams) {
                    Ok(pending) => flying.push((at, pending)),
                    Err(loss) => self.lose(at, loss)?,
                }
            }
            let pending: Vec<&U::Pending> = flying.iter().map(|(_, pending)| pending).collect();
            let Some(first) = upstreams
                .next(&pending)
                .filter(|first| *first < pending.len())
            else {
                break;
            };
            let (at, pending) = flying.swap_remove(first);
            let answer = upstreams.take(pending).map_err(Loss::from);
            match answer.and_then(|answer| self.read(at, &answer)) {
                Ok(json) => self.settle(at, Part::Got(json)),
                Err(loss) => self.lose(at, loss)?,
            }
        }
        let all: Option<Vec<Part>> = self.parts.iter_mut().map(Option::take).collect();
        all.ok_or_else(|| Loss::new(Reason::Failed, "the calls ended before they were all made"))
    }

    /// One whose needs are all settled.
    fn ready(&self) -> Option<usize> {
        let settled = |need: &usize| self.parts[*need].is_some();
        (0..self.plan.calls.len())
            .find(|at| !self.begun[*at] && self.plan.calls[*at].needs.iter().all(settled))
    }

    fn begin<U: Upstreams>(&self, at: usize, upstreams: &mut U) -> Result<U::Pending, Loss> {
        let planned = &self.plan.calls[at];
        for need in &planned.needs {
            let needed = &self.plan.calls[*need];
            if matches!(self.parts[*need], Some(Part::Lost(_))) && needed.default.is_none() {
                let because = format!("it needs calls.{}, which failed", needed.name);
                return Err(Loss::new(Reason::Depends, because));
            }
        }
        let call = self
            .call(planned)
            .map_err(|trouble| Loss::of_trouble(&trouble, !planned.needs.is_empty()))?;
        upstreams.start(call).map_err(Loss::from)
    }

    fn call(&self, planned: &Planned) -> Result<Call, shape::Trouble> {
        let scope = self.scope.value();
        let (mut target, query) = planned.target.fill(&scope)?;
        if let Some(query) = query {
            target.push('?');
            target.push_str(&query);
        }
        let mut call = Call::new(&planned.upstream, &planned.method, target);
        for name in &planned.forward {
            for value in self.forwarded.get(name).into_iter().flatten() {
                call = call.header(name, value);
            }
        }
        for (name, text) in &planned.headers {
            if let Some(value) = text
                .fill_or_none(&scope)
                .map_err(|trouble| trouble.at(name))?
            {
                header_value(&value).map_err(|trouble| trouble.at(name))?;
                call = call.header(name, value);
            }
        }
        if let Some(body) = &planned.body {
            let body = body.fill(&scope)?.to_string();
            call = call.header("content-type", "application/json").body(body);
        }
        if let Some(timeout) = planned.timeout {
            call = call.timeout(timeout);
        }
        let left = u32::try_from(self.left).unwrap_or(u32::MAX);
        Ok(match planned.max_response {
            Some(max) => call.max_response(max.min(left)),
            None => call,
        })
    }

    fn read(&mut self, at: usize, answer: &Answer) -> Result<Json, Loss> {
        let planned = &self.plan.calls[at];
        if !planned.accept.has(answer.status) {
            let because = format!("the upstream answered {}", answer.status);
            return Err(Loss::new(Reason::Status, because));
        }
        self.left = self.left.checked_sub(answer.body.len()).ok_or_else(|| {
            let max = self.plan.max_total;
            Loss::new(
                Reason::TooLarge,
                format!("the answers are larger than {max} bytes together"),
            )
        })?;
        if answer.body.is_empty()
            && (planned.method == "HEAD" || [204, 205, 304].contains(&answer.status))
        {
            return Ok(Json::Null);
        }
        Json::parse(&answer.body)
            .map_err(|error| Loss::new(Reason::NotJson, format!("the answer is no JSON: {error}")))
    }

    fn lose(&mut self, at: usize, loss: Loss) -> Result<(), Loss> {
        let planned = &self.plan.calls[at];
        let loss = loss.of(&planned.name);
        if !planned.optional {
            return Err(loss);
        }
        portcullis_sdk::log::warn!("answered without a part: {}", loss.because);
        self.settle(at, Part::Lost(loss.reason));
        Ok(())
    }

    fn settle(&mut self, at: usize, part: Part) {
        let planned = &self.plan.calls[at];
        if self.plan.uses.takes(&planned.name) {
            let value = match &part {
                Part::Got(json) => from_json(json),
                Part::Lost(_) => planned
                    .default
                    .as_ref()
                    .map_or_else(Default::default, from_json),
            };
            // A lost part without default is null to a template; calls that need it are not made.
            let value = if value.is_undefined() {
                from_json(&Json::Null)
            } else {
                value
            };
            self.scope.insert(&planned.name, value);
        }
        self.parts[at] = Some(part);
    }
}
