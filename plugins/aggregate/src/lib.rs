//! Handler: one answer from several upstreams, as fast as their slowest chain.

#![warn(missing_docs)]

mod answer;
mod graph;
mod loss;
mod output;
mod plan;
mod run;
mod settings;

use portcullis_sdk::prelude::*;
use shape::{Json, Scope, from_json};

use plan::Plan;
use run::Run;

pub use run::{Gateway, Upstreams};
pub use settings::{CallSettings, PartialSettings, Settings};

/// The plugin.
#[derive(Debug)]
pub struct Aggregate {
    plan: Plan,
}

#[portcullis_sdk::plugin]
impl Handler for Aggregate {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(Aggregate {
            plan: Plan::new(&settings)?,
        })
    }

    fn body_limit(&self) -> u32 {
        self.plan.body_limit()
    }

    fn handle(&self, x: &mut Exchange) -> Result<Reply, Fault> {
        self.answer(x, &mut Gateway)
    }
}

impl Aggregate {
    /// The answer by these upstreams.
    pub fn answer<U: Upstreams>(&self, x: &Exchange, upstreams: &mut U) -> Result<Reply, Fault> {
        let uses = &self.plan.uses;
        let mut scope = Scope::new(x, uses);
        // Nobody was asked who they are: not the client's mistake.
        if uses.takes("caller") && !scope.has("caller") {
            return Err(Fault::failed(
                "`caller` is used, but the route authenticates nobody",
            ));
        }
        if uses.takes("body") {
            let body = Json::parse(&x.body()?).map_err(|error| {
                Refusal::invalid_request().detail(format!("the body is no JSON: {error}"))
            })?;
            scope.insert("body", from_json(&body));
        }
        let mut run = Run::new(&self.plan, scope, run::forwarded(x, &self.plan));
        let made = run.all(upstreams);
        made.and_then(|mut parts| answer::compose(&self.plan, &mut parts, &run.scope))
            .or_else(|loss| loss.answer(x.attr("request.id").as_deref()))
    }
}
