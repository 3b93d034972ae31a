//! Between the generated exports and the traits. The attribute macro names these items; nobody else should.
//! In WebAssembly only, because the exchange of the contract exists nowhere else.

use std::cell::OnceCell;
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::bindings::host::portcullis::plugin as wit;
use crate::wire::fields;
use crate::{
    Authenticator, Authorizer, Caller, Exchange, Fault, Filter, Handler, Phases, Refusal, Reply,
    Side, Verdict, settings,
};
use wit::exchange::Exchange as Raw;

pub use crate::bindings::{authenticator, authorizer, filter, handler};

/// Where the one configured plugin of a component lives. A thread-local because a guest has one thread and
/// this asks neither `Sync` of the plugin nor `unsafe` of us; without threads it is a plain static.
pub trait Slot: Sized + 'static {
    /// The cell that the attribute declared.
    fn slot() -> &'static LocalKey<OnceCell<Self>>;
}

/// The type that carries the exports of `T`.
#[derive(Debug)]
pub struct Export<T>(PhantomData<T>);

type Registration = Result<wit::types::Registration, String>;
type Notes = Vec<(String, String)>;

/// Parses, configures, stores and says what to register. A second call would leave two truths, so it fails.
fn configure<T: Slot, S: serde::de::DeserializeOwned>(
    json: &str,
    build: fn(S) -> Result<T, String>,
    register: fn(&T) -> (Phases, u32, Notes),
) -> Registration {
    let plugin = build(settings::parse(json)?)?;
    let (phases, body_limit, notes) = register(&plugin);
    T::slot()
        .with(|slot| slot.set(plugin))
        .map_err(|_| "configure was called twice".to_owned())
        .map(|()| wit::types::Registration {
            phases: phases.into(),
            body_limit,
            notes,
        })
}

fn with<T: Slot, R>(run: impl FnOnce(&T) -> Result<R, Fault>) -> Result<R, Fault> {
    T::slot().with(|slot| match slot.get() {
        Some(plugin) => run(plugin),
        None => Err(Fault::failed("called before configure")),
    })
}

macro_rules! configures {
    ($kind:ident, $register:expr) => {
        fn configure(json: String) -> Registration {
            configure(&json, <T as $kind>::configure, $register)
        }
    };
}

impl<T: Authenticator + Slot> authenticator::exports::portcullis::plugin::authenticator::Guest
    for Export<T>
{
    configures!(Authenticator, |_| (Phases::NONE, 0, Notes::new()));

    fn authenticate(x: &Raw) -> Result<wit::identity::Caller, wit::outcome::Fault> {
        let caller = with(|plugin: &T| plugin.authenticate(&mut Exchange::new(x, Side::Request)))?;
        Ok(caller.into())
    }
}

impl<T: Authorizer + Slot> authorizer::exports::portcullis::plugin::authorizer::Guest
    for Export<T>
{
    configures!(Authorizer, |_| (Phases::NONE, 0, Notes::new()));

    fn authorize(x: &Raw, caller: wit::identity::Caller) -> Result<(), wit::outcome::Fault> {
        let caller = Caller::from(caller);
        Ok(with(|plugin: &T| {
            plugin.authorize(&mut Exchange::new(x, Side::Request), &caller)
        })?)
    }
}

impl<T: Filter + Slot> filter::exports::portcullis::plugin::filter::Guest for Export<T> {
    configures!(Filter, registration_of_filter);

    fn on_request(x: &Raw) -> Result<wit::outcome::Verdict, wit::outcome::Fault> {
        run(
            x,
            Side::Request,
            T::PRESENT.contains(Phases::REQUEST),
            T::on_request,
        )
    }

    fn on_request_body(x: &Raw) -> Result<wit::outcome::Verdict, wit::outcome::Fault> {
        run(
            x,
            Side::Request,
            T::PRESENT.contains(Phases::REQUEST_BODY),
            T::on_request_body,
        )
    }

    fn on_response(x: &Raw) -> Result<wit::outcome::Verdict, wit::outcome::Fault> {
        run(
            x,
            Side::Response,
            T::PRESENT.contains(Phases::RESPONSE),
            T::on_response,
        )
    }

    fn on_response_body(x: &Raw) -> Result<wit::outcome::Verdict, wit::outcome::Fault> {
        run(
            x,
            Side::Response,
            T::PRESENT.contains(Phases::RESPONSE_BODY),
            T::on_response_body,
        )
    }
}

/// `present` is a constant of the type: the code of an absent callback is not in the component.
fn run<T: Slot>(
    x: &Raw,
    side: Side,
    present: bool,
    callback: fn(&T, &mut Exchange) -> Result<Verdict, Fault>,
) -> Result<wit::outcome::Verdict, wit::outcome::Fault> {
    if !present {
        return Ok(wit::outcome::Verdict::Next);
    }
    Ok(
        match with(|plugin: &T| callback(plugin, &mut Exchange::new(x, side)))? {
            Verdict::Next => wit::outcome::Verdict::Next,
            Verdict::Respond(reply) => wit::outcome::Verdict::Respond(reply.into()),
        },
    )
}

impl<T: Handler + Slot> handler::exports::portcullis::plugin::handler::Guest for Export<T> {
    configures!(Handler, registration_of_handler);

    fn handle(x: &Raw) -> Result<wit::outcome::Reply, wit::outcome::Fault> {
        Ok(with(|plugin: &T| plugin.handle(&mut Exchange::new(x, Side::Request)))?.into())
    }
}

fn registration_of_filter<T: Filter>(plugin: &T) -> (Phases, u32, Notes) {
    // Never more than there is: an absent callback would be entered for nothing.
    let absent = Phases::ALL.without(T::PRESENT);
    (
        plugin.phases().without(absent),
        plugin.body_limit(),
        plugin.notes(),
    )
}

fn registration_of_handler<T: Handler>(plugin: &T) -> (Phases, u32, Notes) {
    let limit = plugin.body_limit();
    let body = if limit > 0 {
        Phases::REQUEST_BODY
    } else {
        Phases::NONE
    };
    (Phases::REQUEST.and(body), limit, Notes::new())
}

// === plain types and types of the contract ===

impl From<Phases> for wit::types::Phases {
    fn from(phases: Phases) -> Self {
        let mut out = Self::empty();
        out.set(Self::REQUEST, phases.contains(Phases::REQUEST));
        out.set(Self::REQUEST_BODY, phases.contains(Phases::REQUEST_BODY));
        out.set(Self::RESPONSE, phases.contains(Phases::RESPONSE));
        out.set(Self::RESPONSE_BODY, phases.contains(Phases::RESPONSE_BODY));
        out
    }
}

impl From<Caller> for wit::identity::Caller {
    fn from(Caller { id, roles, claims }: Caller) -> Self {
        Self { id, roles, claims }
    }
}

impl From<wit::identity::Caller> for Caller {
    fn from(caller: wit::identity::Caller) -> Self {
        Self {
            id: caller.id,
            roles: caller.roles,
            claims: caller.claims,
        }
    }
}

impl From<Reply> for wit::outcome::Reply {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status,
            fields: fields(reply.headers),
            body: reply.body,
        }
    }
}

impl From<Refusal> for wit::outcome::Refusal {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason.into_owned(),
            detail: refusal.detail,
            because: refusal.because,
            fields: fields(refusal.headers),
            members: refusal.members,
        }
    }
}

impl From<Fault> for wit::outcome::Fault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refuse(refusal) => Self::Refuse(refusal.into()),
            Fault::Failed(why) => Self::Failed(why),
        }
    }
}
