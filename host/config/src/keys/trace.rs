//! Who may look at single exchanges, and where their traces go.

use super::Fallback::Required;
use super::Shape::Secret;
use super::{Section, key};

pub(crate) static DEBUG: Section = Section {
    title: "[debug]",
    doc: "A request whose header `portcullis-debug` is signed with this key is told its trail, in the response header `portcullis-trail`. `portcullis explain --sign` signs, `portcullis explain --live` signs and asks. Without this table, or with a bad signature, the header is taken out and means nothing.",
    keys: &[key(
        "key",
        Secret,
        Required,
        "at least 16 bytes; whoever has it sees what each step of their requests decided, and why",
    )],
};
