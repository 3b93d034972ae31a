//! One living instance of a plugin: a store, its limits, and the calls into it.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{InstancePre, Resource};
use wasmtime::{PoolConcurrencyLimitError, Store, StoreLimitsBuilder, UpdateDeadline};

use crate::contract::types::Registration;
use crate::contract::{authenticator, authorizer, filter, handler, identity, outcome};
use crate::engine::{Runtime, TICK};
use crate::error::CallError;
use crate::exchange::Exchange;
use crate::host::{Handle, Session, Writable};
use crate::life::{Kind, Spec, one_line};

/// Bytes that one value may bring from the guest to the host (wasmtime's default is 128 MiB).
const HOSTCALL_FUEL: usize = 8 * 1024 * 1024;

/// How long beyond its time a call may last while its worker does not get the processor.
const STARVED: Duration = Duration::from_secs(1);

/// A linked component of one kind, ready to be instantiated.
pub(crate) enum Pre {
    Authenticator(authenticator::AuthenticatorPluginPre<Session>),
    Authorizer(authorizer::AuthorizerPluginPre<Session>),
    Filter(filter::FilterPluginPre<Session>),
    Handler(handler::HandlerPluginPre<Session>),
}

enum Bound {
    Authenticator(authenticator::AuthenticatorPlugin),
    Authorizer(authorizer::AuthorizerPlugin),
    Filter(filter::FilterPlugin),
    Handler(handler::HandlerPlugin),
}

/// The entries of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterPhase {
    Request,
    RequestBody,
    Response,
    ResponseBody,
}

/// A configured instance. Whoever holds it has it alone; one whose call did not return is never put back, so
/// a trap, a time-out or a dropped future cannot poison a later request.
pub(crate) struct Live {
    store: Store<Session>,
    bound: Bound,
}

// === impl Pre ===

impl Pre {
    pub(crate) fn new(kind: Kind, pre: InstancePre<Session>) -> wasmtime::Result<Pre> {
        Ok(match kind {
            Kind::Authenticator => {
                Pre::Authenticator(authenticator::AuthenticatorPluginPre::new(pre)?)
            }
            Kind::Authorizer => Pre::Authorizer(authorizer::AuthorizerPluginPre::new(pre)?),
            Kind::Filter => Pre::Filter(filter::FilterPluginPre::new(pre)?),
            Kind::Handler => Pre::Handler(handler::HandlerPluginPre::new(pre)?),
        })
    }

    async fn instantiate(&self, store: &mut Store<Session>) -> wasmtime::Result<Bound> {
        Ok(match self {
            Pre::Authenticator(pre) => Bound::Authenticator(pre.instantiate_async(store).await?),
            Pre::Authorizer(pre) => Bound::Authorizer(pre.instantiate_async(store).await?),
            Pre::Filter(pre) => Bound::Filter(pre.instantiate_async(store).await?),
            Pre::Handler(pre) => Bound::Handler(pre.instantiate_async(store).await?),
        })
    }
}

// === impl Live ===

impl Live {
    /// Instantiates and configures within `time`.
    pub(crate) async fn start(
        runtime: &Runtime,
        pre: &Pre,
        spec: &Arc<Spec>,
        time: Duration,
    ) -> Result<(Live, Registration), CallError> {
        let mut store = new_store(runtime, spec, time);
        let started = async {
            let bound = pre.instantiate(&mut store).await?;
            let registration = configure(&mut store, &bound, &spec.settings.0).await?;
            Ok((bound, registration))
        };
        match tokio::time::timeout(time + STARVED, started).await {
            Err(_) => Err(CallError::TimedOut(time)),
            Ok(Err(error)) => Err(call_error(&error, time)),
            Ok(Ok((_, Err(refused)))) => {
                Err(CallError::Failed(crate::host::printable(&refused, 2000)))
            }
            Ok(Ok((bound, Ok(registration)))) => Ok((Live { store, bound }, registration)),
        }
    }

    pub(crate) async fn authenticate(
        &mut self,
        x: &mut Exchange,
    ) -> Result<Result<identity::Caller, outcome::Fault>, CallError> {
        let Bound::Authenticator(bound) = &self.bound else {
            return Err(wrong_kind());
        };
        let call = async |store: &mut Store<Session>| {
            bound
                .portcullis_plugin_authenticator()
                .call_authenticate(store, handle())
                .await
        };
        entered(&mut self.store, x, Writable::Query, call).await
    }

    pub(crate) async fn authorize(
        &mut self,
        x: &mut Exchange,
        caller: &identity::Caller,
    ) -> Result<Result<(), outcome::Fault>, CallError> {
        let Bound::Authorizer(bound) = &self.bound else {
            return Err(wrong_kind());
        };
        let call = async |store: &mut Store<Session>| {
            bound
                .portcullis_plugin_authorizer()
                .call_authorize(store, handle(), caller)
                .await
        };
        entered(&mut self.store, x, Writable::Nothing, call).await
    }

    pub(crate) async fn filter(
        &mut self,
        x: &mut Exchange,
        phase: FilterPhase,
    ) -> Result<Result<outcome::Verdict, outcome::Fault>, CallError> {
        let Bound::Filter(bound) = &self.bound else {
            return Err(wrong_kind());
        };
        let guest = bound.portcullis_plugin_filter();
        let store = &mut self.store;
        match phase {
            FilterPhase::Request => {
                let call = async |s: &mut Store<Session>| guest.call_on_request(s, handle()).await;
                entered(store, x, Writable::Request, call).await
            }
            FilterPhase::RequestBody => {
                let call =
                    async |s: &mut Store<Session>| guest.call_on_request_body(s, handle()).await;
                entered(store, x, Writable::Request, call).await
            }
            FilterPhase::Response => {
                let call = async |s: &mut Store<Session>| guest.call_on_response(s, handle()).await;
                entered(store, x, Writable::Response, call).await
            }
            FilterPhase::ResponseBody => {
                let call =
                    async |s: &mut Store<Session>| guest.call_on_response_body(s, handle()).await;
                entered(store, x, Writable::Response, call).await
            }
        }
    }

    pub(crate) async fn handle(
        &mut self,
        x: &mut Exchange,
    ) -> Result<Result<outcome::Reply, outcome::Fault>, CallError> {
        let Bound::Handler(bound) = &self.bound else {
            return Err(wrong_kind());
        };
        let call = async |store: &mut Store<Session>| {
            bound
                .portcullis_plugin_handler()
                .call_handle(store, handle())
                .await
        };
        entered(&mut self.store, x, Writable::Nothing, call).await
    }
}

fn handle() -> Resource<Handle> {
    Resource::new_borrow(0)
}

fn wrong_kind() -> CallError {
    CallError::Invalid("it is of another kind".into())
}

fn new_store(runtime: &Runtime, spec: &Arc<Spec>, time: Duration) -> Store<Session> {
    let limits = StoreLimitsBuilder::new()
        .memory_size(spec.memory)
        .table_elements(10_000)
        .instances(32)
        .tables(16)
        .memories(2)
        .build();
    let mut store = Store::new(&runtime.engine, Session::new(spec.clone(), limits));
    store.limiter(|session| &mut session.limits);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_epoch_deadline(1);
    // Each tick that a guest runs it gives way to other requests of its worker; past its time it is stopped. What is
    // counted are its own ticks and not the clock: a guest must not pay for a machine that is busy elsewhere.
    store.epoch_deadline_callback(move |mut store| {
        let session = store.data_mut();
        let limit = if session.configured {
            session.spec.time
        } else {
            time
        };
        session.ticks += 1;
        if TICK * session.ticks > limit {
            return Err(Overrun.into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// What the epoch callback raises.
#[derive(Debug, thiserror::Error)]
#[error("out of time")]
struct Overrun;

async fn configure(
    store: &mut Store<Session>,
    bound: &Bound,
    json: &str,
) -> wasmtime::Result<Result<Registration, String>> {
    let configured = match bound {
        Bound::Authenticator(b) => {
            b.portcullis_plugin_authenticator()
                .call_configure(&mut *store, json)
                .await
        }
        Bound::Authorizer(b) => {
            b.portcullis_plugin_authorizer()
                .call_configure(&mut *store, json)
                .await
        }
        Bound::Filter(b) => {
            b.portcullis_plugin_filter()
                .call_configure(&mut *store, json)
                .await
        }
        Bound::Handler(b) => {
            b.portcullis_plugin_handler()
                .call_configure(&mut *store, json)
                .await
        }
    };
    store.data_mut().configured = true;
    configured
}

/// Lends the exchange to the guest for one call and takes it back, whatever happens in between.
async fn entered<T>(
    store: &mut Store<Session>,
    x: &mut Exchange,
    writable: Writable,
    call: impl AsyncFnOnce(&mut Store<Session>) -> wasmtime::Result<T>,
) -> Result<T, CallError> {
    let time = store.data().spec.time;
    store.data_mut().begin(std::mem::take(x), writable);
    store.set_epoch_deadline(1);
    // Outbound calls end with the plugin's time by themselves; this is for a host function that does not.
    let done = tokio::time::timeout(time + STARVED, call(&mut *store)).await;
    *x = std::mem::take(&mut store.data_mut().exchange);
    match done {
        Err(_) => Err(CallError::TimedOut(time)),
        Ok(Err(error)) => Err(call_error(&error, time)),
        Ok(Ok(answer)) => Ok(answer),
    }
}

fn call_error(error: &wasmtime::Error, time: Duration) -> CallError {
    if error.is::<PoolConcurrencyLimitError>() {
        CallError::Overloaded
    } else if error.is::<Overrun>() {
        CallError::TimedOut(time)
    } else {
        CallError::Trapped(one_line(error))
    }
}
