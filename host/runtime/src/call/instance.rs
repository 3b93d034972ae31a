//! One living instance of a plugin, and the calls into it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use portcullis_exchange::{Exchange, Side};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::call::bill::{Alive, Bill};
use crate::call::phase::FilterPhase;
use crate::call::store::{Stores, call_error};
use crate::call::worlds::{Bound, Pre};
use crate::error::CallError;
use crate::guest::contract::types::Registration;
use crate::guest::contract::{identity, outcome};
use crate::guest::meter::Meter;
use crate::guest::session::{Session, Writable};
use crate::guest::wasi::printed::LAST_WORDS;
use crate::spec::Spec;
use crate::text::printable;

/// How long beyond its time a call may last while its worker does not get the processor.
const STARVED: Duration = Duration::from_secs(1);

/// A configured instance. Its holder has it alone. One whose call did not return is never put back, so
/// a trap, a time-out or a dropped future cannot poison a later request.
pub(crate) struct Live {
    store: Store<Session>,
    bound: Bound,
    _alive: Option<Alive>,
}

// === impl Live ===

impl Live {
    /// An instance from a snapshot: it is configured already.
    pub(crate) async fn copy(
        stores: &Stores,
        pre: &Pre,
        spec: &Arc<Spec>,
        bill: &Arc<Bill>,
    ) -> Result<Live, CallError> {
        let mut store = stores.open(spec, spec.budget.cpu);
        store.data_mut().configured = true;
        let bound = pre.instantiate(&mut store).await;
        let bound = bound.map_err(|error| call_error(&error, spec.budget.time))?;
        Ok(Live {
            store,
            bound,
            _alive: Some(Alive::on(bill)),
        })
    }

    /// Instantiates and configures within `time`.
    pub(crate) async fn start(
        stores: &Stores,
        pre: &Pre,
        spec: &Arc<Spec>,
        bill: &Arc<Bill>,
        time: Duration,
    ) -> Result<Live, CallError> {
        let mut store = stores.open(spec, time);
        let started = async {
            let mut bound = pre.instantiate(&mut store).await?;
            let registration = bound.configure(&mut store, &spec.settings.0).await?;
            Ok((bound, registration))
        };
        let started = tokio::time::timeout(time + STARVED, started).await;
        // What it prints while all goes well is logged with its first call, as part of that.
        if !matches!(started, Ok(Ok((_, Ok(_))))) {
            store.data_mut().log_printed(LAST_WORDS);
            bill.used(&store.data().meter);
        }
        let (bound, _) = configured(started, time)?;
        Ok(Live {
            store,
            bound,
            _alive: Some(Alive::on(bill)),
        })
    }

    /// Instantiates and configures for the first time: what it registers, and what a snapshot is taken of.
    pub(crate) async fn first(
        stores: &Stores,
        pre: &Pre,
        spec: &Arc<Spec>,
        time: Duration,
    ) -> Result<(Store<Session>, Instance, Registration), CallError> {
        let mut store = stores.open(spec, time);
        let started = async {
            let (mut bound, instance) = pre.instantiate_first(&mut store).await?;
            let registration = bound.configure(&mut store, &spec.settings.0).await?;
            Ok((instance, registration))
        };
        let ended = tokio::time::timeout(time + STARVED, started).await;
        // Once per load, for the operator who watches it load.
        store.data_mut().log_printed(LAST_WORDS);
        let (instance, registration) = configured(ended, time)?;
        Ok((store, instance, registration))
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.store.data().meter
    }

    pub(crate) async fn authenticate(
        &mut self,
        x: &mut Exchange,
        now: Instant,
    ) -> Result<Result<identity::Caller, outcome::Fault>, CallError> {
        let bound = &mut self.bound;
        let call = async |store: &mut Store<Session>| bound.authenticate(store).await;
        entered(&mut self.store, x, (Writable::Query, now), call).await
    }

    pub(crate) async fn authorize(
        &mut self,
        x: &mut Exchange,
        now: Instant,
        caller: identity::Caller,
    ) -> Result<Result<(), outcome::Fault>, CallError> {
        let bound = &mut self.bound;
        let call = async |store: &mut Store<Session>| bound.authorize(store, caller).await;
        entered(&mut self.store, x, (Writable::Nothing, now), call).await
    }

    pub(crate) async fn filter(
        &mut self,
        x: &mut Exchange,
        now: Instant,
        phase: FilterPhase,
    ) -> Result<Result<outcome::Verdict, outcome::Fault>, CallError> {
        let bound = &mut self.bound;
        let writable = match phase.side() {
            Side::Request => Writable::Request,
            Side::Response => Writable::Response,
        };
        let call = async |store: &mut Store<Session>| bound.filter(store, phase).await;
        entered(&mut self.store, x, (writable, now), call).await
    }

    pub(crate) async fn handle(
        &mut self,
        x: &mut Exchange,
        now: Instant,
    ) -> Result<Result<outcome::Reply, outcome::Fault>, CallError> {
        let bound = &mut self.bound;
        let call = async |store: &mut Store<Session>| bound.handle(store).await;
        entered(&mut self.store, x, (Writable::Nothing, now), call).await
    }
}

/// Lends the exchange to the guest for one call and takes it back, whatever happens in between.
async fn entered<T>(
    store: &mut Store<Session>,
    x: &mut Exchange,
    (writable, now): (Writable, Instant),
    call: impl AsyncFnOnce(&mut Store<Session>) -> wasmtime::Result<T>,
) -> Result<T, CallError> {
    let time = store.data().spec.budget.time;
    store.data_mut().begin(x, writable, now);
    store.set_epoch_deadline(1);
    // Outbound calls end with the plugin's time by themselves; this is for a host function that does not.
    let done = within(now + time + STARVED, pin!(call(&mut *store))).await;
    let session = store.data_mut();
    session.meter.long = None;
    let done = match done {
        None => Err(CallError::TimedOut(time)),
        Some(ended) => ended.map_err(|error| spent(call_error(&error, time), session)),
    };
    session.log_printed(if done.is_err() { LAST_WORDS } else { 0 });
    std::mem::swap(x, &mut session.exchange);
    done
}

/// What a future yields until then, or None. A timer is only made for one that is not ready at once.
async fn within<F: Future>(end: Instant, mut inner: Pin<&mut F>) -> Option<F::Output> {
    let mut timer = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = inner.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end.into())));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

type Started<T> =
    Result<wasmtime::Result<(T, Result<Registration, String>)>, tokio::time::error::Elapsed>;

fn configured<T>(started: Started<T>, time: Duration) -> Result<(T, Registration), CallError> {
    match started {
        Err(_) => Err(CallError::TimedOut(time)),
        Ok(Err(error)) => Err(call_error(&error, time)),
        Ok(Ok((_, Err(refused)))) => Err(CallError::Failed(printable(&refused, 2000))),
        Ok(Ok((started, Ok(registration)))) => Ok((started, registration)),
    }
}

/// Functions of `wasi:http` cannot say why they failed.
fn spent(error: CallError, session: &Session) -> CallError {
    let limit = session.spec.budget.host_calls;
    match error {
        CallError::Trapped(_) if session.meter.host_calls > limit => {
            CallError::Trapped(format!("it called the host more than {limit} times"))
        }
        error => error,
    }
}
