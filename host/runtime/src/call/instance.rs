//! One living instance of a plugin: a store, its limits, and the calls into it.

use std::sync::Arc;
use std::time::Duration;

use portcullis_exchange::{Exchange, Side, What};
use wasmtime::component::{Instance, InstancePre, Resource};
use wasmtime::{PoolConcurrencyLimitError, Store, UpdateDeadline};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use crate::call::bill::{Alive, Bill};
use crate::engine::turns::{self, Long};
use crate::engine::{Runtime, TICK};
use crate::error::CallError;
use crate::guest::contract::types::Registration;
use crate::guest::contract::{authenticator, authorizer, filter, handler, identity, outcome};
use crate::guest::http::incoming;
use crate::guest::meter::Meter;
use crate::guest::resources::Handle;
use crate::guest::session::{Session, Writable};
use crate::guest::wasi::printed::LAST_WORDS;
use crate::kind::Kind;
use crate::spec::Spec;
use crate::text::{one_line, printable};

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
    /// A handler that knows `wasi:http` and not our contract.
    Http(ProxyPre<Session>),
}

enum Bound {
    Authenticator(authenticator::AuthenticatorPlugin),
    Authorizer(authorizer::AuthorizerPlugin),
    Filter(filter::FilterPlugin),
    Handler(handler::HandlerPlugin),
    Http(Proxy),
}

/// The entries of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterPhase {
    Request,
    RequestBody,
    Response,
    ResponseBody,
}

impl FilterPhase {
    pub(crate) fn side(self) -> Side {
        match self {
            FilterPhase::Request | FilterPhase::RequestBody => Side::Request,
            FilterPhase::Response | FilterPhase::ResponseBody => Side::Response,
        }
    }

    pub(crate) fn what(self) -> What {
        match self {
            FilterPhase::Request => What::Request,
            FilterPhase::RequestBody => What::RequestBody,
            FilterPhase::Response => What::Response,
            FilterPhase::ResponseBody => What::ResponseBody,
        }
    }
}

/// A configured instance. Whoever holds it has it alone; one whose call did not return is never put back, so
/// a trap, a time-out or a dropped future cannot poison a later request.
pub(crate) struct Live {
    store: Store<Session>,
    bound: Bound,
    _alive: Option<Alive>,
}

// === impl Pre ===

impl Pre {
    pub(crate) fn new(
        kind: Kind,
        standard: bool,
        pre: InstancePre<Session>,
    ) -> wasmtime::Result<Pre> {
        Ok(match kind {
            Kind::Handler if standard => Pre::Http(ProxyPre::new(pre)?),
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
            Pre::Http(pre) => Bound::Http(pre.instantiate_async(store).await?),
        })
    }

    fn linked(&self) -> &InstancePre<Session> {
        match self {
            Pre::Authenticator(pre) => pre.instance_pre(),
            Pre::Authorizer(pre) => pre.instance_pre(),
            Pre::Filter(pre) => pre.instance_pre(),
            Pre::Handler(pre) => pre.instance_pre(),
            Pre::Http(pre) => pre.instance_pre(),
        }
    }

    /// Like `instantiate`, for a snapshot: it needs the instance itself.
    async fn instantiate_bare(
        &self,
        store: &mut Store<Session>,
    ) -> wasmtime::Result<(Bound, Instance)> {
        let instance = self.linked().instantiate_async(&mut *store).await?;
        let bound = match self {
            Pre::Authenticator(_) => {
                Bound::Authenticator(authenticator::AuthenticatorPlugin::new(store, &instance)?)
            }
            Pre::Authorizer(_) => {
                Bound::Authorizer(authorizer::AuthorizerPlugin::new(store, &instance)?)
            }
            Pre::Filter(_) => Bound::Filter(filter::FilterPlugin::new(store, &instance)?),
            Pre::Handler(_) => Bound::Handler(handler::HandlerPlugin::new(store, &instance)?),
            Pre::Http(_) => Bound::Http(Proxy::new(store, &instance)?),
        };
        Ok((bound, instance))
    }
}

// === impl Live ===

impl Live {
    /// An instance from a snapshot: it is configured already.
    pub(crate) async fn copy(
        runtime: &Runtime,
        pre: &Pre,
        spec: &Arc<Spec>,
        bill: &Arc<Bill>,
    ) -> Result<Live, CallError> {
        let mut store = new_store(runtime, spec, spec.budget.cpu);
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
        runtime: &Runtime,
        pre: &Pre,
        spec: &Arc<Spec>,
        bill: &Arc<Bill>,
        time: Duration,
    ) -> Result<Live, CallError> {
        let mut store = new_store(runtime, spec, time);
        let started = async {
            let bound = pre.instantiate(&mut store).await?;
            let registration = configure(&mut store, &bound, &spec.settings.0).await?;
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
        runtime: &Runtime,
        pre: &Pre,
        spec: &Arc<Spec>,
        time: Duration,
    ) -> Result<(Store<Session>, Instance, Registration), CallError> {
        let mut store = new_store(runtime, spec, time);
        let started = async {
            let (bound, instance) = pre.instantiate_bare(&mut store).await?;
            let registration = configure(&mut store, &bound, &spec.settings.0).await?;
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
        let bound = &self.bound;
        let call = async |store: &mut Store<Session>| match bound {
            Bound::Handler(bound) => {
                let guest = bound.portcullis_plugin_handler();
                guest.call_handle(store, handle()).await
            }
            Bound::Http(bound) => incoming::handle(store, bound).await,
            _ => wasmtime::bail!("it is of another kind"),
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
    let session = Session::new(spec.clone(), runtime.state.clone());
    let mut store = Store::new(&runtime.engine, session);
    store.limiter(|session| session);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_epoch_deadline(1);
    // Each tick that a guest runs it gives way to other requests of its worker; past its time it is stopped. What is
    // counted are its own ticks and not the clock: a guest must not pay for a machine that is busy elsewhere.
    store.epoch_deadline_callback(move |mut store| {
        let session = store.data_mut();
        let limit = if session.configured {
            session.spec.budget.cpu
        } else {
            time
        };
        session.meter.ticks += 1;
        if TICK * session.meter.ticks > limit {
            return Err(Overrun.into());
        }
        // The first may have ended just after the guest began; only the second was a whole one.
        if session.meter.ticks == 1 {
            return Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(turns::step_aside()),
            ));
        }
        session.meter.long.get_or_insert_with(Long::begin);
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(turns::wait_for_others()),
        ))
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
        Bound::Http(_) => Ok(incoming::configure(json)),
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
    let time = store.data().spec.budget.time;
    store.data_mut().begin(std::mem::take(x), writable);
    store.set_epoch_deadline(1);
    // Outbound calls end with the plugin's time by themselves; this is for a host function that does not.
    let done = tokio::time::timeout(time + STARVED, call(&mut *store)).await;
    let session = store.data_mut();
    session.meter.long = None;
    let done = match done {
        Err(_) => Err(CallError::TimedOut(time)),
        Ok(ended) => ended.map_err(|error| spent(call_error(&error, time), session)),
    };
    session.log_printed(if done.is_err() { LAST_WORDS } else { 0 });
    *x = std::mem::take(&mut session.exchange);
    done
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

fn call_error(error: &wasmtime::Error, time: Duration) -> CallError {
    if error.is::<PoolConcurrencyLimitError>() {
        CallError::Overloaded
    } else if error.is::<Overrun>() {
        CallError::TimedOut(time)
    } else {
        CallError::Trapped(one_line(error))
    }
}
