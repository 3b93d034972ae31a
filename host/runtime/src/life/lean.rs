//! Makes a snapshot lean: what each fresh instance would pay for and no call needs is taken out.
//!
//! A component that wit-component made has three core instances: the guest, a shim that its imports go through, and a
//! fixup that connects the shim once the guest's memory is there. A guest of a standard library also imports streams,
//! terminals and an environment that are empty here (guest/wasi). Instantiating pays for every instance, every import
//! and every export of it, several times what the call itself costs. So in the lean component
//!
//! - the guest's own table takes the place of the shim: two instances instead of three;
//! - empty WASI is answered by functions within the guest. Only what it prints to stderr still goes to the host;
//! - results are not freed after a call, because the instance ends with its exchange.
//!
//! It imports nothing that the component did not import, but for a way to stderr. Where the
//! shape is any other than the one described here the snapshot is used as it is.

mod encode;
mod facts;
mod fixup;
mod main_module;
mod shape;
mod shim;
mod stand_ins;
#[cfg(test)]
mod tests;

/// Why a component has no lean form. It still serves.
type Reason = String;

/// The lean form of a component.
pub(crate) fn lean(component: &[u8]) -> Result<Vec<u8>, Reason> {
    let shape = shape::read(component)?;
    let replacements = stand_ins::choose(&shape.imports)?;
    let main = main_module::rewrite(&shape, &replacements)?;
    encode::encode(&shape, &replacements, &main)
}

/// A reason from an error of the parser or encoder.
fn reason(error: impl std::fmt::Display) -> Reason {
    error.to_string()
}
