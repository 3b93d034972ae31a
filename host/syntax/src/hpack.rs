//! HPACK (RFC 7541): the fields of a header block, as they stood on the wire.
//!
//! The h2 crate reads each block for itself, into a request from which some of what a gateway must refuse has gone.
//! This reader is the second one, so it is made to cost little: an indexed field is handed on where it lies, a text is
//! decoded four bits at a time, and memory is taken only for what the client puts into its table.

mod huffman;
mod integer;
mod table;

use table::{Entry, Table};

/// Reads the header blocks of one connection, in their order.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// Texts of the field at hand, where they are Huffman-coded.
    text: Vec<u8>,
}

/// A block that is not valid HPACK. The table is not to be trusted after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header block is not valid HPACK")]
pub struct Malformed;

/// Where a text is.
#[derive(Debug, Clone, Copy)]
enum Text<'a> {
    Raw(&'a [u8]),
    /// The next so many bytes of `Decoder::text`.
    Decoded(usize),
}

/// What we never announce otherwise (RFC 9113 section 6.5.2).
const TABLE_SIZE: usize = 4096;
/// A longer buffer for texts is not kept.
const KEPT: usize = 1024;

// === impl Decoder ===

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder {
            table: Table::new(TABLE_SIZE),
            text: Vec::new(),
        }
    }
}

impl Decoder {
    /// Hands over each field of a block: its name and its value.
    pub fn decode(
        &mut self,
        mut block: &[u8],
        mut field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Malformed> {
        let mut begun = false;
        while let Some(&first) = block.first() {
            // RFC 7541 section 6: the kinds of a field, by its first bits.
            match first {
                0x80.. => {
                    let index = integer::read(&mut block, 7)?;
                    let (name, value) = self.table.get(index)?;
                    field(name, value);
                }
                0x40..0x80 => self.literal(&mut block, 6, true, &mut field)?,
                0x20..0x40 => {
                    let size = integer::read(&mut block, 5)?;
                    // Section 4.2: only before the first field, and never more than was announced.
                    if begun || size > TABLE_SIZE {
                        return Err(Malformed);
                    }
                    self.table.resize(size);
                    continue;
                }
                0x00..0x20 => self.literal(&mut block, 4, false, &mut field)?,
            }
            begun = true;
        }
        if self.text.capacity() > KEPT {
            self.text = Vec::new();
        }
        Ok(())
    }

    /// Section 6.2: a value, and a name that is new or has an index.
    fn literal(
        &mut self,
        block: &mut &[u8],
        prefix: u8,
        indexed: bool,
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Malformed> {
        self.text.clear();
        let index = integer::read(block, prefix)?;
        let own = if index == 0 {
            Some(self.text(block)?)
        } else {
            None
        };
        let value = self.text(block)?;
        let (name, rest) = match own {
            None => (self.table.get(index)?.0, self.text.as_slice()),
            Some(Text::Raw(name)) => (name, self.text.as_slice()),
            Some(Text::Decoded(length)) => self.text.split_at(length),
        };
        let value = match value {
            Text::Raw(value) => value,
            Text::Decoded(_) => rest,
        };
        field(name, value);
        if indexed {
            // Made before it is put in, which may push out the entry that the name is from.
            let entry = Entry::new(name, value);
            self.table.insert(entry);
        }
        Ok(())
    }

    /// Section 5.2.
    fn text<'a>(&mut self, block: &mut &'a [u8]) -> Result<Text<'a>, Malformed> {
        let coded = block.first().is_some_and(|first| first & 0x80 != 0);
        let length = integer::read(block, 7)?;
        let (text, rest) = block.split_at_checked(length).ok_or(Malformed)?;
        *block = rest;
        if !coded {
            return Ok(Text::Raw(text));
        }
        let before = self.text.len();
        huffman::decode(text, &mut self.text)?;
        Ok(Text::Decoded(self.text.len() - before))
    }
}

#[cfg(test)]
mod tests;
