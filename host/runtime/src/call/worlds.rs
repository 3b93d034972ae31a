//! The worlds of the contract: a linked component of one kind, and an instance of it.
//!
//! Where a component's functions are is found once, when it is linked. An instance looks up and type-checks only those
//! that are called, at their first call: bindgen's own types would check all of them for every fresh instance.

use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower,
    Resource, TypedFunc,
};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use crate::call::phase::FilterPhase;
use crate::guest::contract::types::Registration;
use crate::guest::contract::{identity, outcome};
use crate::guest::http::incoming;
use crate::guest::resources::Handle;
use crate::guest::session::Session;
use crate::kind::Kind;

/// A linked component of one kind, ready to be instantiated.
pub(crate) enum Pre {
    Contract(InstancePre<Session>, Functions),
    /// A handler that knows `wasi:http` and not our contract.
    Http(ProxyPre<Session>),
}

/// The functions of a kind, as places in a component or as functions of an instance.
#[derive(Clone)]
pub(crate) struct Functions {
    configure: Function<(String,), (Result<Registration, String>,)>,
    of_kind: OfKind,
}

#[derive(Clone)]
enum OfKind {
    Authenticator(Function<(Lent,), (Result<identity::Caller, outcome::Fault>,)>),
    Authorizer(Function<(Lent, identity::Caller), (Result<(), outcome::Fault>,)>),
    /// In the order of [`FilterPhase`].
    Filter([Function<(Lent,), (Judged,)>; 4]),
    Handler(Function<(Lent,), (Result<outcome::Reply, outcome::Fault>,)>),
}

/// What a filter makes of a message.
type Judged = Result<outcome::Verdict, outcome::Fault>;

/// The exchange as a guest is lent it.
type Lent = Resource<Handle>;

/// A function: its place, and once it was looked up itself.
struct Function<P: 'static, R: 'static> {
    place: ComponentExportIndex,
    found: Option<TypedFunc<P, R>>,
}

/// An instance of one kind.
pub(crate) enum Bound {
    Contract(Instance, Functions),
    Http(Proxy),
}

// === impl Pre ===

impl Pre {
    pub(crate) fn new(
        kind: Kind,
        standard: bool,
        pre: InstancePre<Session>,
    ) -> wasmtime::Result<Pre> {
        if kind == Kind::Handler && standard {
            return Ok(Pre::Http(ProxyPre::new(pre)?));
        }
        let functions = Functions::of(pre.component(), kind)?;
        Ok(Pre::Contract(pre, functions))
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<Session>) -> wasmtime::Result<Bound> {
        Ok(match self {
            Pre::Contract(pre, functions) => {
                let instance = pre.instantiate_async(store).await?;
                Bound::Contract(instance, functions.clone())
            }
            Pre::Http(pre) => Bound::Http(pre.instantiate_async(store).await?),
        })
    }

    /// Like `instantiate`, for the first instance: each of its functions is checked, and a snapshot needs the instance
    /// itself.
    pub(crate) async fn instantiate_first(
        &self,
        store: &mut Store<Session>,
    ) -> wasmtime::Result<(Bound, Instance)> {
        Ok(match self {
            Pre::Contract(pre, functions) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                let mut functions = functions.clone();
                functions.check(store, instance)?;
                (Bound::Contract(instance, functions), instance)
            }
            Pre::Http(pre) => {
                let instance = pre.instance_pre().instantiate_async(&mut *store).await?;
                (Bound::Http(Proxy::new(store, &instance)?), instance)
            }
        })
    }
}

// === impl Functions ===

impl Functions {
    fn of(component: &Component, kind: Kind) -> wasmtime::Result<Functions> {
        let interface = format!("portcullis:plugin/{kind}@0.1.0");
        let outer = component.get_export_index(None, &interface);
        let missing = |name: &str| wasmtime::format_err!("it exports no {name} of {interface}");
        let outer = outer.ok_or_else(|| missing("interface"))?;
        let place = |name: &str| {
            let place = component.get_export_index(Some(&outer), name);
            place.ok_or_else(|| missing(name))
        };
        let of_kind = match kind {
            Kind::Authenticator => OfKind::Authenticator(Function::at(place("authenticate")?)),
            Kind::Authorizer => OfKind::Authorizer(Function::at(place("authorize")?)),
            Kind::Filter => OfKind::Filter([
                Function::at(place("on-request")?),
                Function::at(place("on-request-body")?),
                Function::at(place("on-response")?),
                Function::at(place("on-response-body")?),
            ]),
            Kind::Handler => OfKind::Handler(Function::at(place("handle")?)),
        };
        Ok(Functions {
            configure: Function::at(place("configure")?),
            of_kind,
        })
    }

    /// Looks all of them up: fails where one has another type than the contract says.
    fn check(&mut self, store: &mut Store<Session>, instance: Instance) -> wasmtime::Result<()> {
        self.configure.find(store, instance)?;
        match &mut self.of_kind {
            OfKind::Authenticator(authenticate) => authenticate.find(store, instance).map(drop),
            OfKind::Authorizer(authorize) => authorize.find(store, instance).map(drop),
            OfKind::Filter(callbacks) => callbacks
                .iter_mut()
                .try_for_each(|callback| callback.find(store, instance).map(drop)),
            OfKind::Handler(handle) => handle.find(store, instance).map(drop),
        }
    }
}

// === impl Function ===

impl<P: 'static, R: 'static> Clone for Function<P, R> {
    fn clone(&self) -> Self {
        Function {
            place: self.place,
            found: self.found,
        }
    }
}

impl<P, R> Function<P, R>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    fn at(place: ComponentExportIndex) -> Self {
        Function { place, found: None }
    }

    fn find(
        &mut self,
        store: &mut Store<Session>,
        instance: Instance,
    ) -> wasmtime::Result<TypedFunc<P, R>> {
        if let Some(found) = self.found {
            return Ok(found);
        }
        let found = instance.get_typed_func(store, self.place)?;
        self.found = Some(found);
        Ok(found)
    }

    async fn call(
        &mut self,
        store: &mut Store<Session>,
        instance: Instance,
        parameters: P,
    ) -> wasmtime::Result<R> {
        let found = self.find(store, instance)?;
        found.call_async(store, parameters).await
    }
}

// === impl Bound ===

/// The one exchange of a call.
fn lent() -> Lent {
    Resource::new_borrow(0)
}

fn wrong_kind<T>() -> wasmtime::Result<T> {
    wasmtime::bail!("it is of another kind")
}

impl Bound {
    /// Gives the instance its settings: what it registers, or why it refuses them.
    pub(crate) async fn configure(
        &mut self,
        store: &mut Store<Session>,
        json: &str,
    ) -> wasmtime::Result<Result<Registration, String>> {
        let configured = match self {
            Bound::Contract(instance, functions) => {
                let configure = &mut functions.configure;
                let json = (json.to_owned(),);
                let configured = configure.call(&mut *store, *instance, json).await;
                configured.map(|(registered,)| registered)
            }
            Bound::Http(_) => Ok(incoming::configure(json)),
        };
        store.data_mut().configured = true;
        configured
    }

    pub(crate) async fn authenticate(
        &mut self,
        store: &mut Store<Session>,
    ) -> wasmtime::Result<Result<identity::Caller, outcome::Fault>> {
        match self.of_kind() {
            Some((instance, OfKind::Authenticator(authenticate))) => {
                let decided = authenticate.call(store, instance, (lent(),)).await;
                decided.map(|(decided,)| decided)
            }
            _ => wrong_kind(),
        }
    }

    pub(crate) async fn authorize(
        &mut self,
        store: &mut Store<Session>,
        caller: identity::Caller,
    ) -> wasmtime::Result<Result<(), outcome::Fault>> {
        match self.of_kind() {
            Some((instance, OfKind::Authorizer(authorize))) => {
                let decided = authorize.call(store, instance, (lent(), caller)).await;
                decided.map(|(decided,)| decided)
            }
            _ => wrong_kind(),
        }
    }

    pub(crate) async fn filter(
        &mut self,
        store: &mut Store<Session>,
        phase: FilterPhase,
    ) -> wasmtime::Result<Result<outcome::Verdict, outcome::Fault>> {
        match self.of_kind() {
            Some((instance, OfKind::Filter(callbacks))) => {
                let callback = &mut callbacks[phase as usize];
                let decided = callback.call(store, instance, (lent(),)).await;
                decided.map(|(decided,)| decided)
            }
            _ => wrong_kind(),
        }
    }

    pub(crate) async fn handle(
        &mut self,
        store: &mut Store<Session>,
    ) -> wasmtime::Result<Result<outcome::Reply, outcome::Fault>> {
        if let Bound::Http(guest) = self {
            return incoming::handle(store, guest).await;
        }
        match self.of_kind() {
            Some((instance, OfKind::Handler(handle))) => {
                let decided = handle.call(store, instance, (lent(),)).await;
                decided.map(|(decided,)| decided)
            }
            _ => wrong_kind(),
        }
    }

    fn of_kind(&mut self) -> Option<(Instance, &mut OfKind)> {
        match self {
            Bound::Contract(instance, functions) => Some((*instance, &mut functions.of_kind)),
            Bound::Http(_) => None,
        }
    }
}
