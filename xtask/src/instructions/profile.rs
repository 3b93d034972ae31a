//! Reads what callgrind writes: <https://valgrind.org/docs/manual/cl-format.html>.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// One dump: instructions by function, those of callees not included.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) total: u64,
    functions: HashMap<String, u64>,
}

/// A function's part of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    /// In per cent of all instructions.
    pub(super) share: f64,
}

/// Names that stand once and are referred to by number from then on.
#[derive(Debug, Default)]
struct Names(HashMap<String, String>);

// === impl Profile ===

impl Profile {
    /// None where it is no dump, or the functions do not sum up to its total.
    pub(super) fn read(dump: &str) -> Option<Profile> {
        let mut reader = Reader::default();
        let mut total = None;
        for line in dump.lines() {
            if let Some(count) = line.strip_prefix("totals: ") {
                total = Some(count.trim().parse().ok()?);
            } else {
                reader.line(line)?;
            }
        }
        let total = total?;
        let sum: u64 = reader.functions.values().sum();
        (sum == total).then_some(Profile {
            total,
            functions: reader.functions,
        })
    }

    pub(super) fn costliest(&self, count: usize) -> Vec<Function> {
        let mut functions: Vec<_> = self.functions.iter().collect();
        // By name where they cost the same: the order must not differ from run to run.
        functions.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        #[expect(clippy::cast_precision_loss, reason = "a share, rounded below")]
        let share = |own: u64| (own as f64 * 1e4 / self.total as f64).round() / 100.0;
        let function = |(name, own): (&String, &u64)| Function {
            name: name.clone(),
            share: share(*own),
        };
        functions.into_iter().take(count).map(function).collect()
    }
}

/// Where one is in a dump.
#[derive(Debug, Default)]
struct Reader {
    functions: HashMap<String, u64>,
    function_names: Names,
    object_names: Names,
    object: String,
    function: String,
    /// Words before the cost in a line of costs.
    positions: usize,
    /// The next line is what a call cost, callee included.
    of_call: bool,
}

// === impl Reader ===

impl Reader {
    fn line(&mut self, line: &str) -> Option<()> {
        if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            return self.cost(line);
        }
        if let Some(positions) = line.strip_prefix("positions:") {
            self.positions = positions.split_whitespace().count();
        } else if let Some((key, value)) = line.split_once('=') {
            match key {
                "ob" => self.object = self.object_names.resolve(value)?,
                // A callee's name may be needed later, when only its number stands there.
                "cob" => drop(self.object_names.resolve(value)?),
                "cfn" => drop(self.function_names.resolve(value)?),
                "fn" => {
                    let name = self.function_names.resolve(value)?;
                    self.function = readable(&name, &self.object);
                }
                "calls" => self.of_call = true,
                _ => {}
            }
        }
        Some(())
    }

    fn cost(&mut self, line: &str) -> Option<()> {
        if std::mem::take(&mut self.of_call) {
            return Some(());
        }
        let own: u64 = line.split_whitespace().nth(self.positions)?.parse().ok()?;
        *self.functions.entry(self.function.clone()).or_default() += own;
        Some(())
    }
}

// === impl Names ===

impl Names {
    /// `(7) name` defines a name, `(7)` repeats it.
    fn resolve(&mut self, text: &str) -> Option<String> {
        let Some((number, name)) = text.strip_prefix('(').and_then(|text| text.split_once(')'))
        else {
            return Some(text.to_owned());
        };
        match name.trim_start() {
            "" => self.0.get(number).cloned(),
            name => {
                self.0.insert(number.to_owned(), name.to_owned());
                Some(name.to_owned())
            }
        }
    }
}

/// Without what differs from build to build, or tells nothing: numbers of the linker, hashes, levels of recursion.
fn readable(name: &str, object: &str) -> String {
    if name.starts_with("0x") {
        // Plugins' code is made while the gateway runs and is in no file.
        return match object.rsplit('/').next() {
            None | Some("" | "???") => "(compiled plugins)".to_owned(),
            Some(file) => format!("({file}, without symbols)"),
        };
    }
    let name = name.split(".llvm.").next().unwrap_or(name);
    let name = without_recursion(name);
    let name = match name.rsplit_once("::h") {
        Some((front, hash)) if is_hash(hash) => front,
        _ => name,
    };
    name.to_owned()
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `name'2` is the function called from itself.
fn without_recursion(name: &str) -> &str {
    match name.rsplit_once('\'') {
        Some((front, level)) if !level.is_empty() && level.bytes().all(|b| b.is_ascii_digit()) => {
            front
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 7
cmd:  portcullis run
part: 2

desc: Trigger: gdb
positions: line
events: Ir
summary: 200

ob=(1) /target/release/portcullis
fl=(1) src/main.rs
fn=(1) serve::h0123456789abcdef
10 5
+2 10
fi=(2) src/inlined.rs
* 20
cob=(2) /lib/libc.so.6
cfi=(3) memcpy.S
cfn=(2) memcpy
calls=3 40
-1 60
fn=(3) pass.llvm.123
7 25
cfn=(3)
calls=1 1
8 900
fn=(4) pass.llvm.123'2
9 15

ob=(2)
fl=(3)
fn=(2)
40 60

ob=(3) ???
fl=(4) ???
fn=(5) 0x0000000012345678
0 40
fn=(6) 0x0000000087654321
0 20
ob=(4) /usr/sbin/nginx
fn=(7) 0x0000000000001234
0 5

totals: 200
";

    #[test]
    fn each_function_has_its_own_instructions_and_not_those_of_its_callees() {
        let profile = Profile::read(DUMP).expect("a dump");
        assert_eq!(profile.total, 200);
        let costliest = profile.costliest(9);
        let shares: Vec<_> = costliest
            .iter()
            .map(|f| (f.name.as_str(), f.share))
            .collect();
        let expected = [
            ("(compiled plugins)", 30.0),
            ("memcpy", 30.0),
            ("pass", 20.0),
            ("serve", 17.5),
            ("(nginx, without symbols)", 2.5),
        ];
        assert_eq!(shares, expected);
        assert_eq!(profile.costliest(1).len(), 1);
    }

    #[test]
    fn a_dump_with_addresses_is_read_too() {
        let dump = "positions: instr line\nevents: Ir\nfn=(1) f\n0x10 3 4\n+4 * 5\ntotals: 9\n";
        assert_eq!(
            Profile::read(dump).expect("a dump").costliest(1)[0].share,
            100.0
        );
    }

    #[test]
    fn a_dump_that_was_cut_off_or_does_not_sum_up_is_none() {
        let (cut, _) = DUMP.split_once("totals").expect("it has totals");
        assert!(Profile::read(cut).is_none());
        assert!(Profile::read(&DUMP.replace("40 60", "40 61")).is_none());
        assert!(Profile::read("").is_none());
    }

    #[test]
    fn names_keep_what_only_looks_like_a_hash() {
        assert_eq!(readable("map::hash", ""), "map::hash");
        assert_eq!(readable("<&'a T as U>::f", ""), "<&'a T as U>::f");
    }
}
