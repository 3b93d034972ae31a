//! `#[portcullis_sdk::plugin]`, the attribute on the one `impl` that makes a type a plugin.
//!
//! It does three things: it tells the gateway which callbacks of a filter are there, it emits the component's
//! exports when the target is WebAssembly, and it carries the schema of the settings from `settings.schema.json`
//! into the component. It writes no logic: that is in `portcullis_sdk::__glue` and `__schema`.

use std::path::PathBuf;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{Error, ImplItem, ItemImpl, Result, parse_macro_input, parse_quote};

/// The callbacks of a filter and the names of their phases.
const CALLBACKS: [(&str, &str); 4] = [
    ("on_request", "REQUEST"),
    ("on_request_body", "REQUEST_BODY"),
    ("on_response", "RESPONSE"),
    ("on_response_body", "RESPONSE_BODY"),
];

/// Beside the Cargo.toml of a plugin: the schema of its settings.
const SCHEMA_FILE: &str = "settings.schema.json";

/// Where the gateway finds it in the component: a custom section of the core module.
const SCHEMA_SECTION: &str = "portcullis:settings-schema";

/// Makes this `impl` of `Authenticator`, `Authorizer`, `Filter` or `Handler` the plugin of the crate. One per
/// crate.
///
/// It adds a test, `settings_schema_is_current`: the file `settings.schema.json` beside Cargo.toml says what the
/// settings type says. `UPDATE=1 cargo test` writes the file, and the component carries it from then on. Cargo
/// does not see a file appear: after the first time, touch a source file or build anew.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let block = parse_macro_input!(item as ItemImpl);
    let schema = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(|folder| PathBuf::from(folder).join(SCHEMA_FILE))
        .filter(|file| file.is_file());
    expand(arguments.into(), block, schema.is_some())
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

/// `schema`: whether there is a file with the schema of the settings.
fn expand(arguments: Tokens, mut block: ItemImpl, schema: bool) -> Result<Tokens> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(
            arguments,
            "this attribute takes no arguments",
        ));
    }
    let world = world(&block)?;
    if !block.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &block.generics,
            "a plugin is one type: it cannot be generic",
        ));
    }
    if world == "filter" {
        let phases = present(&block).map(|phase| format_ident!("{phase}"));
        block.items.push(parse_quote! {
            const PRESENT: ::portcullis_sdk::Phases =
                ::portcullis_sdk::Phases::NONE #(.and(::portcullis_sdk::Phases::#phases))*;
        });
    }
    let exports = exports(&block, &world);
    let schema_test = schema_test(&block);
    let schema = schema.then(schema_section);
    Ok(quote! { #block #exports #schema #schema_test })
}

/// The name of the world, from the name of the trait.
fn world(block: &ItemImpl) -> Result<syn::Ident> {
    let wanted = "expected an `impl` of Authenticator, Authorizer, Filter or Handler";
    let Some((_, path, _)) = &block.trait_ else {
        return Err(Error::new_spanned(&block.self_ty, wanted));
    };
    let name = path
        .segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default();
    match name.as_str() {
        "Authenticator" | "Authorizer" | "Filter" | "Handler" => {
            Ok(format_ident!("{}", name.to_lowercase()))
        }
        _ => Err(Error::new_spanned(path, wanted)),
    }
}

fn present(block: &ItemImpl) -> impl Iterator<Item = &'static str> {
    let here: Vec<String> = block
        .items
        .iter()
        .filter_map(|item| match item {
            ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
            _ => None,
        })
        .collect();
    CALLBACKS
        .into_iter()
        .filter(move |(name, _)| here.iter().any(|h| h == name))
        .map(|(_, phase)| phase)
}

fn exports(block: &ItemImpl, world: &syn::Ident) -> Tokens {
    let plugin = &block.self_ty;
    quote! {
        #[cfg(target_family = "wasm")]
        const _: () = {
            ::std::thread_local! {
                static SLOT: ::std::cell::OnceCell<#plugin> = const { ::std::cell::OnceCell::new() };
            }

            impl ::portcullis_sdk::__glue::Slot for #plugin {
                fn slot() -> &'static ::std::thread::LocalKey<::std::cell::OnceCell<#plugin>> {
                    &SLOT
                }
            }

            type Export = ::portcullis_sdk::__glue::Export<#plugin>;
            ::portcullis_sdk::__glue::#world::export!(Export with_types_in ::portcullis_sdk::__glue::#world);
        };
    }
}

/// The file, in the core module. Not `#[used]`: that would keep a copy in the guest's memory too.
/// `include_bytes` makes cargo build anew when it changes.
fn schema_section() -> Tokens {
    quote! {
        #[cfg(target_family = "wasm")]
        const _: () = {
            const TEXT: &[u8] = ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #SCHEMA_FILE));

            #[allow(unsafe_code, reason = "a custom section is data for the gateway and is never linked")]
            #[unsafe(link_section = #SCHEMA_SECTION)]
            static _SCHEMA: [u8; TEXT.len()] =
                *::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #SCHEMA_FILE));
        };
    }
}

fn schema_test(block: &ItemImpl) -> Tokens {
    let (plugin, kind) = (
        &block.self_ty,
        block.trait_.as_ref().map(|(_, path, _)| path),
    );
    quote! {
        #[cfg(all(test, not(target_family = "wasm")))]
        #[test]
        fn settings_schema_is_current() {
            ::portcullis_sdk::__schema::is_current::<<#plugin as #kind>::Settings>(
                ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #SCHEMA_FILE),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(block: ItemImpl) -> String {
        expanded(block, true)
    }

    fn expanded(block: ItemImpl, schema: bool) -> String {
        match expand(Tokens::new(), block, schema) {
            Ok(tokens) => tokens.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn a_filter_says_which_callbacks_it_has() {
        let out = text(
            parse_quote! { impl Filter for F { fn on_request() {} fn on_response_body() {} fn help() {} } },
        );
        assert!(
            out.contains("NONE . and (:: portcullis_sdk :: Phases :: REQUEST) . and"),
            "{out}"
        );
        assert!(
            out.contains("RESPONSE_BODY") && !out.contains("REQUEST_BODY"),
            "{out}"
        );
    }

    #[test]
    fn the_world_is_named_after_the_trait() {
        let out = text(parse_quote! { impl portcullis_sdk::Handler for H {} });
        assert!(out.contains(":: __glue :: handler :: export !"), "{out}");
        assert!(!out.contains("PRESENT"), "{out}");
    }

    #[test]
    fn the_schema_is_carried_where_there_is_one() {
        let plugin = || parse_quote! { impl Handler for H {} };
        let section = "link_section = \"portcullis:settings-schema\"";
        assert!(expanded(plugin(), true).contains(section));
        let without = expanded(plugin(), false);
        assert!(!without.contains(section), "{without}");
        assert!(
            without.contains("fn settings_schema_is_current"),
            "{without}"
        );
    }

    #[test]
    fn anything_else_is_told_what_to_be() {
        let wanted = "error: expected an `impl` of Authenticator, Authorizer, Filter or Handler";
        assert_eq!(text(parse_quote! { impl F {} }), wanted);
        assert_eq!(text(parse_quote! { impl Clone for F {} }), wanted);
        assert!(text(parse_quote! { impl<T> Filter for F<T> {} }).contains("cannot be generic"));
    }
}
