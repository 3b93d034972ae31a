//! A plugin at its post: the calls that the request's way makes on one route, and where instances come from.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use portcullis_exchange::{Caller, Cost, Exchange, Facts, Outcome, Reply, What};

use crate::call::bill::{Bill, Ending, timed};
use crate::call::instance::Live;
use crate::call::phase::{FilterPhase, Phases};
use crate::error::CallError;
use crate::guest::contract::outcome;
use crate::guest::decision::{identity_of, judge, valid_caller, valid_reply};
use crate::kind::Kind;
use crate::serve::backup::MessageBackup;
use crate::serve::concurrency::{CallPermit, Concurrency};
use crate::serve::plugin::Plugin;
use crate::spec::Spec;

/// Kept instances that wait for their next request. More than the workers only matters where guests wait for
/// upstreams.
const KEPT: usize = 64;
/// The least time that configuring a fresh instance gets where there is no snapshot.
const CONFIGURE: Duration = Duration::from_millis(100);

/// A plugin on one route. Kept instances belong to it: none ever serves two routes.
pub struct Post {
    plugin: Arc<Plugin>,
    spec: Arc<Spec>,
    bill: Arc<Bill>,
    kept: ArrayQueue<Box<Live>>,
    concurrency: Concurrency,
}

/// Where a filter's instance waits between the request and the response of one exchange.
#[derive(Default)]
pub struct Slot(Option<Box<Live>>);

/// One call: its name, an instance that waits for it, and what becomes of that.
struct CallPlan<'a> {
    what: What,
    held: Option<Box<Live>>,
    then: Then<'a>,
}

/// What becomes of an instance whose call returned.
enum Then<'a> {
    /// It may serve the next request, where instances are kept.
    Done,
    /// It belongs to its exchange for later phases.
    Waits(&'a mut Slot),
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Post({:?})", self.plugin)
    }
}

impl Plugin {
    /// Puts it to work on a route, with what the route leaves it of its spec. Calls are written on `bill`.
    pub fn post(self: &Arc<Self>, spec: Arc<Spec>, bill: Arc<Bill>) -> Arc<Post> {
        Arc::new(Post::new(self.clone(), spec, bill))
    }
}

impl Post {
    pub(crate) fn new(plugin: Arc<Plugin>, spec: Arc<Spec>, bill: Arc<Bill>) -> Post {
        Post {
            plugin,
            spec,
            bill,
            kept: ArrayQueue::new(KEPT),
            concurrency: Concurrency::default(),
        }
    }

    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    pub fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    pub fn kind(&self) -> Kind {
        self.plugin.kind()
    }

    pub fn phases(&self) -> Phases {
        self.plugin.phases()
    }

    /// Largest body, in bytes, that its body callbacks take.
    pub fn body_limit(&self) -> usize {
        self.plugin.body_limit()
    }

    /// What it has on this route.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    pub fn bill(&self) -> &Arc<Bill> {
        &self.bill
    }

    /// Asks who the caller is.
    pub async fn authenticate(&self, x: &mut Exchange) -> Result<Caller, CallError> {
        let enter = async |live: &mut Live, x: &mut Exchange, now| live.authenticate(x, now).await;
        let check = |caller| valid_caller(caller);
        self.call(x, CallPlan::of(What::Authenticate), enter, check)
            .await
    }

    /// Asks whether the caller may.
    pub async fn authorize(&self, x: &mut Exchange, caller: &Caller) -> Result<(), CallError> {
        let caller = identity_of(caller);
        let enter =
            async |live: &mut Live, x: &mut Exchange, now| live.authorize(x, now, caller).await;
        self.call(x, CallPlan::of(What::Authorize), enter, Ok).await
    }

    /// Answers in the upstream's place.
    pub async fn handle(&self, x: &mut Exchange) -> Result<Reply, CallError> {
        let enter = async |live: &mut Live, x: &mut Exchange, now| live.handle(x, now).await;
        self.call(x, CallPlan::of(What::Handle), enter, valid_reply)
            .await
    }

    pub async fn on_request(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::Request, slot).await
    }

    /// `x.request_body` must hold the body.
    pub async fn on_request_body(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::RequestBody, slot).await
    }

    /// `x.response` must hold the response.
    pub async fn on_response(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::Response, slot).await
    }

    /// `x.response_body` must hold the body.
    pub async fn on_response_body(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::ResponseBody, slot).await
    }

    /// A filter's callback. One that fails open leaves the message as it was before.
    async fn filter(
        &self,
        x: &mut Exchange,
        phase: FilterPhase,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        let before = self
            .spec
            .fail_open
            .then(|| Box::new(MessageBackup::of(x, phase.side())));
        let held = slot.0.take();
        let what = phase.what();
        let enter = async |live: &mut Live, x: &mut Exchange, now| live.filter(x, now, phase).await;
        let check = |verdict| match verdict {
            outcome::Verdict::Next => Ok(Outcome::Next),
            outcome::Verdict::Respond(reply) => valid_reply(reply).map(Outcome::Respond),
        };
        let then = if self.phases().any_after(phase) && !self.spec.kept {
            Then::Waits(slot)
        } else {
            Then::Done
        };
        let plan = CallPlan { what, held, then };
        match (self.call(x, plan, enter, check).await, before) {
            (Err(error), Some(before)) if error.is_failure() => {
                tracing::warn!(plugin = %self.spec.name, request_id = %x.request_id, "passed by: {error}");
                self.bill.bypassed();
                before.restore(x);
                Ok(Outcome::Next)
            }
            (decided, _) => decided,
        }
    }

    /// One call: obtains an instance, enters it, checks the answer, writes the bill.
    async fn call<T, U>(
        &self,
        x: &mut Exchange,
        CallPlan { what, held, then }: CallPlan<'_>,
        enter: impl AsyncFnOnce(
            &mut Live,
            &mut Exchange,
            Instant,
        ) -> Result<Result<T, outcome::Fault>, CallError>,
        check: impl FnOnce(T) -> Result<U, CallError>,
    ) -> Result<U, CallError> {
        let began = Instant::now();
        let entry = self.bill.open();
        let trail = x.trail.as_ref();
        let step = trail.map(|trail| trail.enter_plugin(what, &self.spec.name));
        let mut cost = Cost::default();
        let (answer, wall, cpu) = {
            let run = pin!(async {
                let _permits = self.permits()?;
                let (mut live, now) = match held.or_else(|| self.waiting()) {
                    Some(live) => (live, began),
                    // In a box of its own: the future of all other calls is smaller without it.
                    None => (Box::pin(self.made()).await?, Instant::now()),
                };
                let answer = enter(&mut live, x, now).await;
                self.bill.used(live.meter());
                cost = live.meter().cost();
                // Only an instance whose call returned goes on; any other is dropped here.
                let answer = answer?;
                match then {
                    Then::Waits(slot) => slot.0 = Some(live),
                    // Full: enough instances wait already, this one goes.
                    Then::Done if self.spec.kept => drop(self.kept.push(live)),
                    Then::Done => {}
                }
                check(judge(answer)?)
            });
            timed(began, run).await
        };
        let ending = Ending::of(&answer);
        entry.close(ending, wall, cpu);
        if let Some(mut step) = step {
            step.know(Facts::Cost(Cost { cpu, ..cost }));
            step.end(ending.as_str());
        }
        answer
    }

    /// A permit among the calls of this route, and one among all calls of the plugin.
    fn permits(&self) -> Result<(CallPermit<'_>, CallPermit<'_>), CallError> {
        let here = self.concurrency.acquire(self.spec.budget.concurrent);
        let plugin = &self.plugin;
        let all = plugin.concurrency.acquire(plugin.spec().budget.concurrent);
        here.zip(all).ok_or(CallError::Overloaded)
    }

    /// A kept instance that waits.
    fn waiting(&self) -> Option<Box<Live>> {
        self.spec.kept.then(|| self.kept.pop()).flatten()
    }

    /// A new instance.
    async fn made(&self) -> Result<Box<Live>, CallError> {
        let time = self.spec.budget.cpu.max(CONFIGURE);
        let template = &self.plugin.template;
        let live = template.instance(&self.spec, &self.bill, time).await;
        live.map(Box::new)
    }
}

// === impl CallPlan ===

impl CallPlan<'_> {
    /// By an instance that is here for this call only.
    fn of(what: What) -> CallPlan<'static> {
        CallPlan {
            what,
            held: None,
            then: Then::Done,
        }
    }
}
