//! What no plugin should do, for those of the tests that do it.

use std::hint::black_box;

/// Does a misdeed that every kind of plugin can do; false when it knows none of this name.
pub fn does(wish: &str) -> bool {
    match wish {
        "loop" => spin(),
        "trap" => panic!("as asked, with a secret: {SECRET}"),
        "recurse" => recurse(1),
        "hoard" => hoard(),
        "exit" => std::process::exit(1),
        "print" => print(),
        "print much" => (0..100).for_each(|_| print()),
        "print without end" => loop {
            print();
        },
        _ => return false,
    }
    true
}

/// What a client must never see.
pub const SECRET: &str = "swordfish";

/// What there is of the environment: nothing, with a gateway that keeps its own to itself.
pub fn environment() -> String {
    let variables: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
    let arguments: Vec<_> = std::env::args().collect();
    format!("{variables:?} {arguments:?}")
}

/// Text that is none.
pub fn no_text() -> String {
    #[expect(unsafe_code, reason = "the lie that is told to the host")]
    unsafe {
        String::from_utf8_unchecked(vec![0xff, 0xfe, 0xfd])
    }
}

/// Bytes at the end of what a 32-bit pointer can say, far outside of the memory.
pub fn nowhere() -> &'static [u8] {
    #[expect(unsafe_code, reason = "the lie that is told to the host")]
    unsafe {
        std::slice::from_raw_parts(black_box(0xffff_0000_usize) as *const u8, 0xffff)
    }
}

/// The same as a value to hand over.
pub fn nowhere_owned() -> Vec<u8> {
    #[expect(unsafe_code, reason = "the lie that is told to the host")]
    unsafe {
        Vec::from_raw_parts(black_box(0xffff_0000_usize) as *mut u8, 0xffff, 0xffff)
    }
}

fn spin() {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn recurse(n: u64) {
    if black_box(n) > 0 {
        recurse(n + 1);
        black_box(n);
    }
}

fn print() {
    eprintln!("{}", "A".repeat(1 << 10));
}

fn hoard() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}
