//! Lists of names that are asked for each field of each request: almost always the answer is no, and then it costs a
//! glance at one bit.

/// Names in order.
#[derive(Debug)]
pub(super) struct Names {
    names: &'static [&'static str],
    /// A bit for each name, by its length and its first and last byte.
    glance: [u64; WORDS],
}

/// Beginnings of names, in order, of which none begins with another.
#[derive(Debug)]
pub(super) struct Prefixes {
    prefixes: &'static [&'static str],
    /// A bit for each, by its first three bytes.
    glance: [u64; WORDS],
}

const WORDS: usize = 16;

impl Names {
    pub(super) const fn of(names: &'static [&'static str]) -> Names {
        let mut glance = [0; WORDS];
        let mut at = 0;
        while at < names.len() {
            let bit = place(names[at].as_bytes());
            glance[bit / 64] |= 1 << (bit % 64);
            at += 1;
        }
        Names { names, glance }
    }

    pub(super) fn hold(&self, name: &[u8]) -> bool {
        let search = || {
            self.names
                .binary_search_by(|known| known.as_bytes().cmp(name))
        };
        has(&self.glance, place(name)) && search().is_ok()
    }
}

impl Prefixes {
    /// Each has three bytes at least.
    pub(super) const fn of(prefixes: &'static [&'static str]) -> Prefixes {
        let mut glance = [0; WORDS];
        let mut at = 0;
        while at < prefixes.len() {
            let prefix = prefixes[at].as_bytes();
            assert!(prefix.len() >= 3, "a prefix is too short");
            let bit = beginning(prefix[0], prefix[1], prefix[2]);
            glance[bit / 64] |= 1 << (bit % 64);
            at += 1;
        }
        Prefixes { prefixes, glance }
    }

    /// Whether `name` begins with one of them.
    pub(super) fn begin(&self, name: &str) -> bool {
        let &[a, b, c, ..] = name.as_bytes() else {
            return false;
        };
        if !has(&self.glance, beginning(a, b, c)) {
            return false;
        }
        // Of all prefixes, the name can only begin with the last one that does not sort behind it.
        let next = self.prefixes.partition_point(|prefix| *prefix <= name);
        let before = next.checked_sub(1).and_then(|at| self.prefixes.get(at));
        before.is_some_and(|prefix| name.starts_with(prefix))
    }
}

const fn has(glance: &[u64; WORDS], bit: usize) -> bool {
    glance[bit / 64] >> (bit % 64) & 1 == 1
}

const fn place(name: &[u8]) -> usize {
    match name {
        [first, .., last] => {
            (name.len() * 37 + *first as usize * 11 + *last as usize * 101) % (WORDS * 64)
        }
        _ => 0,
    }
}

const fn beginning(a: u8, b: u8, c: u8) -> usize {
    (a as usize * 7 + b as usize * 61 + c as usize * 193) % (WORDS * 64)
}
