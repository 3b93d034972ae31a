//! `[debug]`.

use super::File;
use super::balance::long_enough;
use crate::fields::Fields;
use crate::keys;
use crate::plan::Secret;

pub(super) fn debug_key(file: &File<'_>) -> Option<Secret> {
    let (span, table) = file.root.table("debug")?;
    let fields = Fields::new(&keys::DEBUG, span, table, file.mistakes());
    let item = fields.required("key")?;
    let key = file.secrets.text("key", item)?;
    file.mistakes().note(item.span().into(), long_enough(key))
}
