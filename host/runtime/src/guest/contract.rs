//! The contract of `wit/` as Rust types: one module per world, shared interfaces generated once.

pub(crate) mod filter {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "filter-plugin",
        imports: {
            "portcullis:plugin/upstream": async | trappable,
            "portcullis:plugin/state": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "portcullis:plugin/exchange.exchange": crate::guest::resources::Handle,
            "portcullis:plugin/upstream.pending": crate::guest::resources::Pending,
        },
    });
}

pub(crate) mod authenticator {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "authenticator-plugin",
        exports: { default: async },
        with: {
            "portcullis:plugin/types": super::filter::portcullis::plugin::types,
            "portcullis:plugin/exchange": super::filter::portcullis::plugin::exchange,
            "portcullis:plugin/upstream": super::filter::portcullis::plugin::upstream,
            "portcullis:plugin/state": super::filter::portcullis::plugin::state,
            "portcullis:plugin/outcome": super::filter::portcullis::plugin::outcome,
            "portcullis:plugin/identity": super::filter::portcullis::plugin::identity,
            "portcullis:plugin/telemetry": super::filter::portcullis::plugin::telemetry,
            "portcullis:plugin/clock": super::filter::portcullis::plugin::clock,
            "portcullis:plugin/crypto": super::filter::portcullis::plugin::crypto,
        },
    });
}

pub(crate) mod authorizer {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "authorizer-plugin",
        exports: { default: async },
        with: {
            "portcullis:plugin/types": super::filter::portcullis::plugin::types,
            "portcullis:plugin/exchange": super::filter::portcullis::plugin::exchange,
            "portcullis:plugin/upstream": super::filter::portcullis::plugin::upstream,
            "portcullis:plugin/state": super::filter::portcullis::plugin::state,
            "portcullis:plugin/outcome": super::filter::portcullis::plugin::outcome,
            "portcullis:plugin/identity": super::filter::portcullis::plugin::identity,
            "portcullis:plugin/telemetry": super::filter::portcullis::plugin::telemetry,
            "portcullis:plugin/clock": super::filter::portcullis::plugin::clock,
            "portcullis:plugin/crypto": super::filter::portcullis::plugin::crypto,
        },
    });
}

pub(crate) mod handler {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "handler-plugin",
        exports: { default: async },
        with: {
            "portcullis:plugin/types": super::filter::portcullis::plugin::types,
            "portcullis:plugin/exchange": super::filter::portcullis::plugin::exchange,
            "portcullis:plugin/upstream": super::filter::portcullis::plugin::upstream,
            "portcullis:plugin/state": super::filter::portcullis::plugin::state,
            "portcullis:plugin/outcome": super::filter::portcullis::plugin::outcome,
            "portcullis:plugin/identity": super::filter::portcullis::plugin::identity,
            "portcullis:plugin/telemetry": super::filter::portcullis::plugin::telemetry,
            "portcullis:plugin/clock": super::filter::portcullis::plugin::clock,
            "portcullis:plugin/crypto": super::filter::portcullis::plugin::crypto,
        },
    });
}

pub(crate) use filter::portcullis::plugin::{
    clock, crypto, exchange, identity, outcome, state, telemetry, types, upstream,
};
