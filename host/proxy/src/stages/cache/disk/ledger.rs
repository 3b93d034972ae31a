//! The marks of invalidations as a file of fixed size, written in place as they change.
//!
//! ```text
//! magic 8 · era 8 · secret 16 · SHA-256 of these 32 · then for each slot: mark 8, its complement 8
//! ```
//!
//! Each start begins an era of the clock, so that whatever was stored before is older than what is marked from now on,
//! also where the last marks of a crash are missing. A slot that is damaged counts as marked now.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::folder::ours;
use crate::ground::secret;
use crate::stages::cache::marks::{Known, SLOTS};

#[derive(Debug)]
pub(super) struct Ledger(File);

const MAGIC: [u8; 8] = *b"pclledg1";
const HEAD: usize = 64;
const SLOT: usize = 16;
/// Ticks in an era: 16 million starts, and in each a million invalidations per second for twelve days.
const ERA_BITS: u32 = 40;

struct Head {
    era: u64,
    secret: (u64, u64),
}

impl Ledger {
    /// With what it knows; None where it is new or damaged, and no file of before may be trusted.
    pub(super) fn open(folder: &Path) -> io::Result<(Ledger, Known, bool)> {
        let file = ours().open(folder.join("ledger"))?;
        let (mut head, slots) = match read(&file)? {
            Some((head, slots)) => (head, Some(slots)),
            None => (Head::new(), None),
        };
        head.era += 1;
        let clock = head.era << ERA_BITS;
        let trusted = slots.is_some();
        let slots = slots.unwrap_or_else(|| vec![0; SLOTS]);
        let slots: Vec<u64> = slots.into_iter().map(|mark| mark.min(clock)).collect();
        let ledger = Ledger(file);
        if !trusted {
            ledger.write_all(&slots)?;
        }
        ledger.0.write_all_at(&head.bytes(), 0)?;
        // Once per start: no later era may be the same as this one.
        ledger.0.sync_all()?;
        let secret = head.secret;
        Ok((
            ledger,
            Known {
                clock,
                slots,
                secret,
            },
            trusted,
        ))
    }

    pub(super) fn write(&self, slot: usize, mark: u64) -> io::Result<()> {
        let at = HEAD + slot * SLOT;
        self.0.write_all_at(&pair(mark), at as u64)
    }

    /// The next start trusts nothing.
    pub(super) fn void(&self) {
        // Where this fails too, nothing else can be done about it.
        let _ = self.0.set_len(0);
    }

    fn write_all(&self, slots: &[u64]) -> io::Result<()> {
        self.0.set_len(0)?;
        let bytes: Vec<u8> = slots.iter().flat_map(|mark| pair(*mark)).collect();
        self.0.write_all_at(&bytes, HEAD as u64)
    }
}

fn pair(mark: u64) -> [u8; SLOT] {
    let mut pair = [0; SLOT];
    pair[..8].copy_from_slice(&mark.to_le_bytes());
    pair[8..].copy_from_slice(&(!mark).to_le_bytes());
    pair
}

fn read(file: &File) -> io::Result<Option<(Head, Vec<u64>)>> {
    let length = HEAD + SLOTS * SLOT;
    if file.metadata()?.len() != length as u64 {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    let (head, slots) = bytes.split_at(HEAD);
    // Damaged: as if it were marked now, whatever now is.
    let mark = |pair: &[u8]| match (number(&pair[..8]), number(&pair[8..])) {
        (mark, complement) if mark == !complement => mark,
        _ => u64::MAX,
    };
    Ok(Head::parse(head).map(|head| (head, slots.chunks_exact(SLOT).map(mark).collect())))
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Head {
    fn new() -> Head {
        Head {
            era: 0,
            secret: secret::hash_key(),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Head> {
        let (said, sum) = bytes.split_at(32);
        let good = said[..8] == MAGIC && Sha256::digest(said)[..] == *sum;
        good.then(|| Head {
            era: number(&said[8..16]),
            secret: (number(&said[16..24]), number(&said[24..])),
        })
    }

    fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.era.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.secret.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.secret.1.to_le_bytes());
        let sum = Sha256::digest(&bytes[..32]);
        bytes[32..].copy_from_slice(&sum);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT_7: u64 = (HEAD + 7 * SLOT) as u64;

    #[test]
    fn marks_are_known_again_and_each_start_is_later() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (ledger, first, trusted) = Ledger::open(folder.path()).expect("it is writable");
        assert!(!trusted, "there was none");
        ledger.write(7, first.clock + 3).expect("it is writable");
        drop(ledger);
        let (_, second, trusted) = Ledger::open(folder.path()).expect("it is writable");
        assert!(trusted);
        assert_eq!((second.secret, second.slots[8]), (first.secret, 0));
        assert_eq!(second.slots[7], first.clock + 3);
        assert!(second.clock > second.slots[7]);
    }

    #[test]
    fn damage_makes_things_older_never_newer() {
        let cases: [(u64, bool); 4] = [
            (SLOT_7 + 1, true),
            (SLOT_7 + 9, true),
            (3, false),
            (20, false),
        ];
        for (at, trusts) in cases {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (ledger, first, _) = Ledger::open(folder.path()).expect("it is writable");
            ledger.write(7, first.clock + 3).expect("it is writable");
            let mut byte = [0];
            let file = &ledger.0;
            file.read_exact_at(&mut byte, at).expect("it is there");
            file.write_all_at(&[byte[0] ^ 4], at)
                .expect("it is writable");
            drop(ledger);
            let (_, second, trusted) = Ledger::open(folder.path()).expect("it is writable");
            assert_eq!(trusted, trusts, "byte {at}");
            if trusts {
                assert_eq!(second.slots[7], second.clock, "all of before is outdated");
            }
        }
    }

    #[test]
    fn a_void_ledger_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for _ in 0..2 {
            let (ledger, _, trusted) = Ledger::open(folder.path()).expect("it is writable");
            assert!(!trusted);
            ledger.void();
        }
    }
}
