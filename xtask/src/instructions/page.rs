//! What is printed, and docs/instructions.md.

use std::fmt::Write as _;
use std::process::Command;

use crate::cargo::says;

use super::committed::Committed;
use super::counters::Counters;
use super::profile::Function;
use super::rows::ROWS;
use super::{Cost, Costs};

const ABOUT: &str = "\
# Instructions per request

How many instructions a request costs, counted by callgrind. A count does not depend on what else the machine does, so
it shows a change of a few per cent where [performance.md](performance.md), which measures time, would need a quiet hour.
`cargo xtask instructions --write` writes this page and `xtask/instructions.json`.

";

const HOW: &str = "
An *instruction* is one of user mode, in any thread of the process. Work of the kernel is not included: it shows in the
page faults and system calls, which come from a run without valgrind. The sleep of the thread that advances the epoch
every 2 ms is not among them.

## How it is measured

- The release build runs under `valgrind --tool=callgrind` with one worker and 8 sandboxes, because valgrind has no
  room for the address space of the default thousand. nginx and haproxy proxy to the same upstream, in one thread each.
- One client with one keep-alive connection sends a request, reads the response of 1 KiB, and sends the next one. After
  300 requests the counters are zeroed (`callgrind_control -z`); after 2,000 more they are written
  (`callgrind_control -d`). In the row `websocket` a request is a binary message of 1 KiB and its echo.
- In the rows of HTTP/2, h2load asks for 300 and then for 2,300 responses on a new connection each, one at a time. The
  difference is what 2,000 requests cost without the handshake. Valgrind hides AVX-512 from the programs, so that their
  cryptography takes more instructions than on a CPU that has it.
- `plain-10000-routes` asks a second gateway, whose configuration has 10,000 routes, 1,000 upstreams and 1,000 uses of
  plugins besides the ones that the other rows have.
- No instance has to be configured while it is counted: the client waits until the snapshot of each plugin is compiled.
- All programs run with `GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824`.
  callgrind counts `rep movsb` once per byte, although it is one instruction that copies all of them.
- Page faults are those of `/proc/PID/stat`, system calls those of `strace -f`, each over another 2,000 requests.
- Functions are as the compiler left them: what is inlined counts for its caller.

Two runs differ by 1 % at most, on a busy machine too. What differs most is the random number that the request ids of a
process begin with: if it has leading zeros, a request takes up to 300 instructions more. The thread that advances the
epoch adds a few, the more the longer a run takes.

## Commands

Besides the release build, all rows take two to three minutes and a check one to two on two cores.

```sh
cargo xtask instructions                       # measures all rows; prints them with the 20 costliest functions of each
cargo xtask instructions --only plain          # one row; may be repeated
cargo xtask instructions --write               # also writes this page and xtask/instructions.json
cargo xtask instructions --check               # fails if plain, plain-10000-routes, headers-kept, headers-fresh, cached,
                                               # websocket or h2-tls takes more than 3 % more than committed
callgrind_annotate target/instructions/plain.callgrind          # the whole profile of a row
```

You need valgrind, h2load (nghttp2-client) and openssl; for the other columns and rows strace, nginx and haproxy. Where
one of the first three is missing, `--check` says so and passes. `PORTCULLIS_GUESTS=DIRECTORY` takes plugins that are
built already.

`cargo xtask test --full` runs `--check`. Plain `cargo xtask test`, which CI runs, does not: it needs a release build,
which takes 15 to 25 minutes on two cores, longer than the tests. A commit that changes a number on
purpose contains the new ones, and its body says why. Numbers depend a little on the compiler and the C library, so a
new toolchain needs a commit of its own.
";

/// The page.
pub(super) fn text(committed: &Committed) -> String {
    let mut out = String::from(ABOUT);
    out.push_str(&table(&committed.rows));
    out.push_str(HOW);
    if let Some(plain) = committed.rows.get("plain") {
        out.push_str("\n## The costliest functions of a plain request\n\n");
        out.push_str(&functions(&plain.costliest));
    }
    let _ = writeln!(out, "\nMeasured {}", committed.measured);
    out
}

/// What the command prints: all that was measured.
pub(super) fn printed(costs: &Costs) -> String {
    let mut out = table(costs);
    let mut counters = costs.values().filter_map(|cost| cost.counters.as_ref());
    if counters.any(|counters| counters.calls.is_none()) {
        out.push_str(
            "\nSystem calls were not counted: strace is not installed or may not attach.\n",
        );
    }
    for row in ROWS.iter().filter(|row| row.program.is_gateway()) {
        if let Some(cost) = costs.get(row.name) {
            let _ = writeln!(
                out,
                "\nThe costliest functions: {}, {}\n",
                row.name, row.about
            );
            out.push_str(&functions(&cost.costliest));
        }
    }
    out
}

fn table(costs: &Costs) -> String {
    let mut out = String::from(
        "| | | instructions | × plain nginx | page faults | system calls | of them PAGEMAP_SCAN | which |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let nginx = costs.get("nginx");
    for row in &ROWS {
        let Some(cost) = costs.get(row.name) else {
            continue;
        };
        let counters = cost.counters.as_ref();
        let number =
            |number: Option<f64>| number.map_or("–".into(), |number| format!("{number:.2}"));
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.about,
            grouped(cost.instructions),
            number(nginx.map(|nginx| ratio(cost, nginx))),
            number(counters.map(|counters| counters.faults)),
            number(counters.and_then(Counters::system_calls)),
            number(counters.and_then(Counters::scans)),
            counters.map_or(String::new(), Counters::names),
        );
    }
    out
}

fn functions(functions: &[Function]) -> String {
    let mut out = String::from("| share | function |\n|---|---|\n");
    for Function { name, share } in functions {
        let _ = writeln!(out, "| {share:.1} % | `{}` |", shortened(name));
    }
    out
}

fn ratio(cost: &Cost, beside: &Cost) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let ratio = cost.instructions as f64 / beside.instructions as f64;
    ratio
}

/// Type parameters of futures and closures go on for lines.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 150;
    // A bar would end the cell.
    let name = name.replace('|', "¦");
    match name.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name,
    }
}

/// `61800` as `61,800`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// When, where and with what it was measured.
pub(super) fn machine() -> String {
    let shell = |line: &str| {
        let said = says(Command::new("sh").args(["-c", line]));
        said.filter(|said| !said.is_empty())
            .unwrap_or_else(|| "?".into())
    };
    format!(
        "on {}: {}, kernel {}; {}; {}; {}; {}; {}.",
        shell("date -u +%Y-%m-%d"),
        shell("sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1"),
        shell("uname -r"),
        shell("getconf GNU_LIBC_VERSION"),
        shell("valgrind --version"),
        shell("nginx -v 2>&1"),
        shell("haproxy -v | head -n 1 | cut -d' ' -f1-3"),
        shell("rustc --version"),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::counters::SCAN;
    use super::*;

    fn cost(instructions: u64, counters: Option<Counters>) -> Cost {
        Cost {
            instructions,
            counters,
            costliest: vec![Function {
                name: "a::b::{closure#0}|c".into(),
                share: 12.34,
            }],
        }
    }

    #[test]
    fn a_row_has_its_ratio_and_a_dash_where_nothing_was_counted() {
        let calls: BTreeMap<_, _> = [("recvfrom".to_owned(), 2.0), (SCAN.to_owned(), 1.0)].into();
        let counters = Counters {
            faults: 0.01,
            calls: Some(calls),
        };
        let costs: Costs = [
            ("plain".to_owned(), cost(61_800, Some(counters))),
            ("nginx".to_owned(), cost(20_600, None)),
        ]
        .into();
        let table = table(&costs);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `plain` | no plugin | 61,800 | 3.00 | 0.01 | 3.00 | 1.00 | 2 recvfrom, 1 PAGEMAP_SCAN |",
                "| `nginx` | plain proxying | 20,600 | 1.00 | – | – | – |  |",
            ]
        );
        let printed = printed(&costs);
        assert!(
            printed.contains("| 12.3 % | `a::b::{closure#0}¦c` |"),
            "{printed}"
        );
    }

    #[test]
    fn thousands_are_grouped() {
        let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn long_names_end_with_an_ellipsis() {
        assert_eq!(shortened(&"é".repeat(200)).chars().count(), 151);
        assert_eq!(shortened("short"), "short");
    }
}
