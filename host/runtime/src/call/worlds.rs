//! The worlds of the contract: a linked component of one kind, and an instance of it.

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use crate::guest::contract::types::Registration;
use crate::guest::contract::{authenticator, authorizer, filter, handler};
use crate::guest::http::incoming;
use crate::guest::session::Session;
use crate::kind::Kind;

/// A linked component of one kind, ready to be instantiated.
pub(crate) enum Pre {
    Authenticator(authenticator::AuthenticatorPluginPre<Session>),
    Authorizer(authorizer::AuthorizerPluginPre<Session>),
    Filter(filter::FilterPluginPre<Session>),
    Handler(handler::HandlerPluginPre<Session>),
    /// A handler that knows `wasi:http` and not our contract.
    Http(ProxyPre<Session>),
}

/// An instance of one kind.
pub(crate) enum Bound {
    Authenticator(authenticator::AuthenticatorPlugin),
    Authorizer(authorizer::AuthorizerPlugin),
    Filter(filter::FilterPlugin),
    Handler(handler::HandlerPlugin),
    Http(Proxy),
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

    pub(crate) async fn instantiate(&self, store: &mut Store<Session>) -> wasmtime::Result<Bound> {
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
    pub(crate) async fn instantiate_bare(
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

// === impl Bound ===

impl Bound {
    /// Gives the instance its settings: what it registers, or why it refuses them.
    pub(crate) async fn configure(
        &self,
        store: &mut Store<Session>,
        json: &str,
    ) -> wasmtime::Result<Result<Registration, String>> {
        let configured = match self {
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
}
