//! What `rewrite` and `aggregate` share, and no plugin itself: values of a request put into text, targets and JSON.
//!
//! Two ways to write a value down. A setting of one line has *places*, `/users/{caller.id}`, because what stands
//! around a place says how its value is encoded, and because a place that is a whole string keeps its JSON type. A
//! whole body may be a *page*, a Jinja template with loops and conditions. The expressions are the same in both.

#![warn(missing_docs)]

mod compiler;
mod engine;
mod json;
mod names;
mod page;
mod pointer;
mod scope;
mod settings;
mod target;
mod text;
mod tree;
mod trouble;
mod value;
mod words;

pub use compiler::{Compiler, header_name, header_value};
pub use indexmap::IndexMap;
pub use json::Json;
pub use names::{Kind, Roots, Uses, did_you_mean};
pub use page::Page;
pub use pointer::{Missing, Pointer};
pub use scope::Scope;
pub use settings::{Size, Statuses};
pub use target::{Target, decode, encode};
pub use text::Text;
pub use tree::Tree;
pub use trouble::Trouble;
pub use value::{from_json, to_json};
