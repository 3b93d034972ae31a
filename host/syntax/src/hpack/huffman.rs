//! The Huffman code (RFC 7541 section 5.2 and appendix B).

use std::sync::LazyLock;

use super::Malformed;

/// What four bits do, by where those before them left off.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    next: u8,
    /// The symbol that they complete; no code is short enough for two.
    symbol: Option<u8>,
    /// They complete the end-of-string symbol, which is an error.
    ends: bool,
}

#[derive(Debug)]
struct Machine {
    /// By inner node of the code's tree. Node 0 is the root.
    steps: Vec<[Step; 16]>,
    /// Whether a text may end at a node: the bits since the last symbol are at most seven, all of them ones.
    ends: Vec<bool>,
}

/// One more than the symbols are bytes.
const END: usize = 256;

static MACHINE: LazyLock<Machine> = LazyLock::new(Machine::new);

/// Puts the text behind what is in `out`.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let machine = &*MACHINE;
    let mut node = 0;
    out.reserve(coded.len() * 8 / 5);
    for byte in coded {
        for bits in [byte >> 4, byte & 0xf] {
            let step = machine.steps[usize::from(node)][usize::from(bits)];
            if step.ends {
                return Err(Malformed);
            }
            out.extend(step.symbol);
            node = step.next;
        }
    }
    if machine.ends[usize::from(node)] {
        Ok(())
    } else {
        Err(Malformed)
    }
}

/// The code of each symbol and its length in bits. It is canonical: codes of one length ascend with their symbols, and
/// shorter ones come first.
pub(super) fn codes() -> [(u32, u8); 257] {
    let mut codes = [(0, 0); 257];
    let (mut code, mut last) = (0, 0);
    for length in 1..=30 {
        for (symbol, _) in LENGTHS.iter().enumerate().filter(|(_, l)| **l == length) {
            code <<= length - last;
            last = length;
            codes[symbol] = (code, length);
            code += 1;
        }
    }
    codes
}

// === impl Machine ===

/// A node of the tree while it is made.
#[derive(Debug, Clone, Copy)]
enum Branch {
    None,
    Node(u8),
    Leaf(usize),
}

impl Machine {
    fn new() -> Machine {
        let tree = tree();
        let steps = (0..tree.len()).map(|from| {
            let mut steps = [Step::default(); 16];
            for (bits, step) in steps.iter_mut().enumerate() {
                *step = walk(&tree, from, bits);
            }
            steps
        });
        let mut ends = vec![false; tree.len()];
        let mut node = 0;
        for _ in 0..8 {
            ends[node] = true;
            if let Branch::Node(next) = tree[node][1] {
                node = next.into();
            }
        }
        Machine {
            steps: steps.collect(),
            ends,
        }
    }
}

/// 257 leaves make 256 inner nodes.
fn tree() -> Vec<[Branch; 2]> {
    let mut tree = vec![[Branch::None; 2]];
    for (symbol, (code, length)) in codes().into_iter().enumerate() {
        let mut node = 0;
        for bit in (0..length).rev() {
            let side = (code >> bit & 1) as usize;
            node = match tree[node][side] {
                Branch::Node(next) => next.into(),
                _ if bit == 0 => {
                    tree[node][side] = Branch::Leaf(symbol);
                    break;
                }
                _ => {
                    let next = tree.len();
                    tree[node][side] = Branch::Node(u8::try_from(next).expect("256 inner nodes"));
                    tree.push([Branch::None; 2]);
                    next
                }
            };
        }
    }
    tree
}

fn walk(tree: &[[Branch; 2]], from: usize, bits: usize) -> Step {
    let mut step = Step::default();
    let mut node = from;
    for bit in (0..4).rev() {
        node = match tree[node][bits >> bit & 1] {
            Branch::Node(next) => next.into(),
            Branch::Leaf(END) | Branch::None => {
                step.ends = true;
                return step;
            }
            Branch::Leaf(symbol) => {
                step.symbol = u8::try_from(symbol).ok();
                0
            }
        };
    }
    step.next = u8::try_from(node).expect("256 inner nodes");
    step
}

/// Appendix B: how long each symbol's code is.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
