//! The WASI interfaces that every plugin may import, and their version.

/// The interfaces that are linked for every plugin, without version; all of WASI 0.2.
pub(crate) const GRANTED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure-seed",
];

/// Where the copies of a guest print (life/lean): the function `write: func(text: list<u8>)`. A component that was read
/// from a file is refused if it imports this.
pub(crate) const STDERR: &str = "portcullis:runtime/stderr@0.1.0";
pub(crate) const WRITE: &str = "write";

/// The version that the definitions carry; the linker matches any 0.2.
pub(crate) const VERSION: &str = "0.2.0";
