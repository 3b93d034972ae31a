//! The contract in Rust, generated from `wit/`. Nothing here is for plugin authors: the rest of the crate
//! turns it into plain types.
//!
//! One module per world. `host` owns the imported types and the four others point at them, so that one SDK
//! serves every kind. The section that names a world's exports is emitted by its `export!`, hence only in the
//! plugin that calls it; natively nothing is exported and those four are left out.

#![expect(missing_docs, reason = "generated: the documentation is in wit/")]

/// The imports that every kind of plugin shares.
pub(crate) mod host {
    wit_bindgen::generate!({
        path: "../wit",
        world: "host",
        generate_all,
        generate_unused_types: true,
    });
}

#[cfg(target_family = "wasm")]
macro_rules! world {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                world: $world,
                pub_export_macro: true,
                with: {
                    "portcullis:plugin/types@0.1.1": super::host::portcullis::plugin::types,
                    "portcullis:plugin/exchange@0.1.1": super::host::portcullis::plugin::exchange,
                    "portcullis:plugin/upstream@0.1.1": super::host::portcullis::plugin::upstream,
                    "portcullis:plugin/state@0.1.1": super::host::portcullis::plugin::state,
                    "portcullis:plugin/outcome@0.1.1": super::host::portcullis::plugin::outcome,
                    "portcullis:plugin/identity@0.1.1": super::host::portcullis::plugin::identity,
                    "portcullis:plugin/telemetry@0.1.1": super::host::portcullis::plugin::telemetry,
                    "portcullis:plugin/clock@0.1.1": super::host::portcullis::plugin::clock,
                    "portcullis:plugin/crypto@0.1.1": super::host::portcullis::plugin::crypto,
                },
            });
        }
    };
}

#[cfg(target_family = "wasm")]
world!(authenticator, "authenticator-plugin");
#[cfg(target_family = "wasm")]
world!(authorizer, "authorizer-plugin");
#[cfg(target_family = "wasm")]
world!(filter, "filter-plugin");
#[cfg(target_family = "wasm")]
world!(handler, "handler-plugin");
