//! `/openapi.json`

use std::sync::LazyLock;

use super::OPERATIONS;
use crate::answer::{Answer, JSON, Problem, page as answer};
use crate::call::Call;
use crate::openapi::document;

/// Made once; it is the same for every gateway of this version.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document(OPERATIONS)));

pub(super) async fn page(_: Call) -> Result<Answer, Problem> {
    Ok(answer(JSON, DOCUMENT.as_str()))
}
