//! Python literals: what `repr` writes and `ast.literal_eval` reads.

mod number;
mod printable;
mod read;
mod text;
mod write;

pub use printable::{PRINTABLE_UNICODE, printable};
pub use read::read;
pub use write::write;

/// CPython reads and writes no longer decimal integer (sys.int_info.default_max_str_digits), and converting
/// between bases takes time by the square of it.
const MOST_DIGITS: usize = 4300;
