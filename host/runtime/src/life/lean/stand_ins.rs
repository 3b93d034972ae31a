//! The functions within a guest that answer for empty WASI, as guest/wasi does: no environment, no arguments, no
//! terminal; streams that take everything, of which only stderr leads somewhere.

use wasm_encoder::{Function, InstructionSink, MemArg, ValType};

use super::Reason;
use super::shape::{Import, Named};

/// What becomes of an import of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replacement {
    /// It stays an import.
    Keep,
    /// It is called through this slot of the guest's table, counted from the first one that is ours.
    Slot(u32),
    StandIn(StandIn),
}

/// A function that answers without the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StandIn {
    /// Does nothing: drops what does not exist, waits for what is ready.
    Nothing,
    /// Returns a handle, which only other stand-ins are given.
    Handle(i32),
    /// Writes `none` to where its last parameter points.
    NoneAt,
    /// Writes an empty list.
    EmptyListAt,
    /// Writes that so many bytes may be written.
    RoomAt,
    /// Writes that all went well.
    DoneAt,
    /// Takes bytes, and hands those of stderr to the host.
    Write,
}

const STDIN: i32 = 1;
const STDOUT: i32 = 2;
const STDERR: i32 = 3;
const READY: i32 = 4;
/// Bytes per write, as guest/wasi says.
const ROOM: i64 = 4096;

/// Functions that neither take nor give what a stand-in might: all of an interface, or those named.
const APART: [(&str, &[&str]); 6] = [
    ("wasi:random/random", &[]),
    ("wasi:random/insecure", &[]),
    ("wasi:random/insecure-seed", &[]),
    ("wasi:clocks/wall-clock", &[]),
    ("wasi:clocks/monotonic-clock", &["now", "resolution"]),
    ("wasi:cli/exit", &[]),
];

/// Chooses for each import. Streams and what uses them are replaced all together or not at all: a guest that has them
/// from anywhere else, of `wasi:http` for one, keeps the host's.
pub(super) fn choose(imports: &[Import<'_>]) -> Result<Vec<Replacement>, Reason> {
    let apart = |(interface, function): Named<'_>| {
        let bare = interface.split('@').next().unwrap_or(interface);
        let of_it = |(apart, only): &(&str, &[&str])| {
            *apart == bare && (only.is_empty() || only.contains(&function))
        };
        bare.starts_with("portcullis:plugin/") || APART.iter().any(of_it)
    };
    let stand_ins: Option<Vec<Option<StandIn>>> = imports
        .iter()
        .map(|import| {
            if apart(import.host) {
                Some(None)
            } else {
                StandIn::of(import).map(Some)
            }
        })
        .collect();
    let stand_ins = stand_ins.unwrap_or_else(|| vec![None; imports.len()]);
    let mut slots = 0..;
    let replacement = |(import, stand_in): (&Import<'_>, Option<StandIn>)| match stand_in {
        Some(stand_in) => Ok(Replacement::StandIn(stand_in)),
        None if import.through_shim => {
            let slot = slots.next();
            slot.map(Replacement::Slot)
                .ok_or_else(|| "too many imports".into())
        }
        None => Ok(Replacement::Keep),
    };
    imports.iter().zip(stand_ins).map(replacement).collect()
}

/// Whether anything of it prints.
pub(super) fn prints(replacements: &[Replacement]) -> bool {
    replacements.contains(&Replacement::StandIn(StandIn::Write))
}

/// How many slots the imports that stay take, without the one for stderr.
pub(super) fn slots(replacements: &[Replacement]) -> u32 {
    let taken = replacements.iter().filter_map(|replacement| {
        if let Replacement::Slot(slot) = replacement {
            Some(slot + 1)
        } else {
            None
        }
    });
    taken.max().unwrap_or(0)
}

// === impl StandIn ===

impl StandIn {
    fn of(import: &Import<'_>) -> Option<StandIn> {
        let (interface, function) = import.host;
        let (bare, version) = interface.split_once('@')?;
        if !version.starts_with("0.2.") {
            return None;
        }
        let drops = import.name == format!("[resource-drop]{function}");
        Some(match (bare, function) {
            ("wasi:io/error", "error")
            | ("wasi:io/poll", "pollable")
            | ("wasi:io/streams", "input-stream" | "output-stream")
            | ("wasi:cli/terminal-input", "terminal-input")
            | ("wasi:cli/terminal-output", "terminal-output")
                if drops =>
            {
                StandIn::Nothing
            }
            ("wasi:io/poll", "[method]pollable.block") => StandIn::Nothing,
            ("wasi:cli/stdin", "get-stdin") => StandIn::Handle(STDIN),
            ("wasi:cli/stdout", "get-stdout") => StandIn::Handle(STDOUT),
            ("wasi:cli/stderr", "get-stderr") => StandIn::Handle(STDERR),
            ("wasi:io/streams", "[method]output-stream.subscribe") => StandIn::Handle(READY),
            ("wasi:cli/terminal-stdin", "get-terminal-stdin")
            | ("wasi:cli/terminal-stdout", "get-terminal-stdout")
            | ("wasi:cli/terminal-stderr", "get-terminal-stderr")
            | ("wasi:cli/environment", "initial-cwd") => StandIn::NoneAt,
            ("wasi:cli/environment", "get-environment" | "get-arguments") => StandIn::EmptyListAt,
            ("wasi:io/streams", "[method]output-stream.check-write") => StandIn::RoomAt,
            (
                "wasi:io/streams",
                "[method]output-stream.flush" | "[method]output-stream.blocking-flush",
            ) => StandIn::DoneAt,
            (
                "wasi:io/streams",
                "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush",
            ) => StandIn::Write,
            _ => return None,
        })
    }

    /// Parameters, all of them 32 bits wide, and whether there is a result.
    pub(super) fn signature(self) -> (usize, bool) {
        match self {
            StandIn::Nothing | StandIn::NoneAt | StandIn::EmptyListAt => (1, false),
            // get-stdin and so on take nothing, subscribe the stream.
            StandIn::Handle(READY) => (1, true),
            StandIn::Handle(_) => (0, true),
            StandIn::RoomAt | StandIn::DoneAt => (2, false),
            StandIn::Write => (4, false),
        }
    }

    /// Its code. `stderr` is the slot of the table, and the type of the function in it, that takes a text.
    pub(super) fn code(self, (slot, ty): (i32, u32)) -> Function {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        match self {
            StandIn::Nothing => {}
            StandIn::Handle(handle) => {
                code.i32_const(handle);
            }
            StandIn::NoneAt => ok_at(&mut code, 0),
            StandIn::DoneAt => ok_at(&mut code, 1),
            StandIn::EmptyListAt => {
                // No element: the pointer has but to be aligned.
                code.local_get(0).i32_const(4).i32_store(at(0, 2));
                code.local_get(0).i32_const(0).i32_store(at(4, 2));
            }
            StandIn::RoomAt => {
                ok_at(&mut code, 1);
                code.local_get(1).i64_const(ROOM).i64_store(at(8, 3));
            }
            StandIn::Write => {
                code.local_get(0).i32_const(STDERR).i32_eq();
                code.if_(wasm_encoder::BlockType::Empty);
                code.local_get(1).local_get(2);
                code.i32_const(slot).call_indirect(0, ty);
                code.end();
                ok_at(&mut code, 3);
            }
        }
        code.end();
        function
    }
}

/// The type of a function that takes a text: its address and its length.
pub(super) const TEXT: [ValType; 2] = [ValType::I32, ValType::I32];

/// The first case of `option` and the first of `result`: both are 0.
fn ok_at(code: &mut InstructionSink<'_>, pointer: u32) {
    code.local_get(pointer).i32_const(0).i32_store8(at(0, 0));
}

fn at(offset: u64, align: u32) -> MemArg {
    MemArg {
        offset,
        align,
        memory_index: 0,
    }
}
