//! A message: its type and its fields, over the bytes that it was decoded from.
//!
//! Contents of plain fields are ranges of those bytes; only what was packed is unpacked, into one buffer. All
//! of it is overwritten on drop. Not here: any meaning of a field, and framing.

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::mti::Mti;
use crate::trace;

/// A message type and fields 2 to 128. Equal if type and contents are, however they were written on the wire.
///
/// `Debug` masks: what it prints may be logged.
#[derive(Clone)]
pub struct Message {
    mti: Mti,
    /// One bit a field, field 1 the highest: as in the bitmaps.
    present: u128,
    /// One slot a field that is present, in order.
    slots: Vec<Slot>,
    raw: Zeroizing<Vec<u8>>,
    unpacked: Zeroizing<Vec<u8>>,
    layout: u64,
    /// The first field number set that no message can hold; encoding reports it.
    misplaced: Option<u8>,
}

#[derive(Clone)]
struct Slot {
    span: Option<(u16, u16)>,
    content: Content,
    text: bool,
}

#[derive(Clone)]
enum Content {
    Raw(u16, u16),
    Unpacked(u16, u16),
    Own(Zeroizing<Vec<u8>>),
}

/// Where a decoded field's content lies.
pub(crate) enum Found {
    /// In the raw bytes, as it is.
    Raw(Range<usize>),
    /// In the buffer of unpacked contents.
    Unpacked(Range<usize>),
}

/// Fields that hold bytes, in every layout that follows the standard.
const BINARY: [u8; 6] = [52, 55, 64, 65, 96, 128];

fn bit(field: u8) -> Option<u128> {
    (2..=128).contains(&field).then(|| 1 << (128 - u32::from(field)))
}

impl Message {
    /// A message without fields.
    pub fn new(mti: Mti) -> Self {
        Self {
            mti,
            present: 0,
            slots: Vec::new(),
            raw: Zeroizing::default(),
            unpacked: Zeroizing::default(),
            layout: 0,
            misplaced: None,
        }
    }

    /// A message to be filled from `raw`, which has `present` fields (its bitmaps without bit 1).
    pub(crate) fn decoding(mti: Mti, raw: Zeroizing<Vec<u8>>, present: u128, layout: u64) -> Self {
        let slots = Vec::with_capacity(present.count_ones() as usize);
        Self { slots, raw, present, layout, ..Self::new(mti) }
    }

    /// Adds what was decoded of the next present field. Ranges are within `MAX_MESSAGE_BYTES`, or twice that.
    pub(crate) fn push(&mut self, span: Range<usize>, found: Found, text: bool) {
        let short = |range: Range<usize>| (range.start as u16, range.end as u16);
        let content = match found {
            Found::Raw(range) => {
                let (from, to) = short(range);
                Content::Raw(from, to)
            }
            Found::Unpacked(range) => {
                let (from, to) = short(range);
                Content::Unpacked(from, to)
            }
        };
        self.slots.push(Slot { span: Some(short(span)), content, text });
    }

    pub(crate) fn unpacked(&mut self, unpacked: Zeroizing<Vec<u8>>) {
        self.unpacked = unpacked;
    }

    /// The message type.
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// Makes it a message of another type, with the same fields.
    pub fn set_mti(&mut self, mti: Mti) {
        self.mti = mti;
    }

    /// A field's text. `None` if it is absent, holds bytes (52, 55, 64, 65, 96, 128, or what its layout calls
    /// `b`), or is not UTF-8.
    pub fn get(&self, field: u8) -> Option<&str> {
        let slot = self.slot(field)?;
        if !slot.text {
            return None;
        }
        std::str::from_utf8(self.content(slot)).ok()
    }

    /// A field's content, text or not.
    pub fn bytes(&self, field: u8) -> Option<&[u8]> {
        self.slot(field).map(|slot| self.content(slot))
    }

    /// Sets a field to text or bytes, exactly as long as the layout wants it: nothing is padded. Whether it
    /// fits, and whether there is such a field (2 to 128), is checked by [`encode`](crate::encode).
    pub fn set(&mut self, field: u8, value: impl Into<Vec<u8>>) {
        let content = Content::Own(Zeroizing::new(value.into()));
        let Some(bit) = bit(field) else {
            self.misplaced = self.misplaced.or(Some(field));
            return;
        };
        let slot = Slot { span: None, content, text: !BINARY.contains(&field) };
        let at = self.index(bit);
        if self.present & bit == 0 {
            self.slots.insert(at, slot);
            self.present |= bit;
        } else {
            self.slots[at] = slot;
        }
    }

    /// Takes a field out; whether it was there.
    pub fn remove(&mut self, field: u8) -> bool {
        match bit(field) {
            Some(bit) if self.present & bit != 0 => {
                self.slots.remove(self.index(bit));
                self.present &= !bit;
                true
            }
            _ => false,
        }
    }

    /// Whether a field is present.
    pub fn has(&self, field: u8) -> bool {
        bit(field).is_some_and(|bit| self.present & bit != 0)
    }

    /// The fields that are present, in order.
    pub fn fields(&self) -> impl Iterator<Item = u8> + use<> {
        let mut rest = self.present;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let at = rest.leading_zeros();
            rest &= !(1 << (127 - at));
            Some(at as u8 + 1)
        })
    }

    /// Where a decoded field lies in [`raw`](Self::raw), its length digits included. A MAC covers everything before
    /// `span(64).start` or `span(128).start`. `None` if absent or set since.
    pub fn span(&self, field: u8) -> Option<Range<usize>> {
        self.slot(field)?.span.map(|(from, to)| usize::from(from)..usize::from(to))
    }

    /// The bytes that were decoded, as they were, whatever was set or removed since; empty for a message
    /// that was not decoded. What is not ours is passed on as these.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(crate) fn present(&self) -> u128 {
        self.present
    }

    pub(crate) fn misplaced(&self) -> Option<u8> {
        self.misplaced
    }

    /// Field, content and, if it was decoded under this layout and not set since, its bytes on the wire.
    pub(crate) fn parts(&self, layout: u64) -> impl Iterator<Item = (u8, &[u8], Option<&[u8]>)> {
        self.fields().zip(&self.slots).map(move |(field, slot)| {
            let span = slot.span.filter(|_| layout == self.layout);
            let wire = span.map(|(from, to)| &self.raw[usize::from(from)..usize::from(to)]);
            (field, self.content(slot), wire)
        })
    }

    fn slot(&self, field: u8) -> Option<&Slot> {
        let bit = bit(field)?;
        if self.present & bit == 0 {
            return None;
        }
        self.slots.get(self.index(bit))
    }

    /// Where a field's slot is or belongs: after those of all lower fields, whose bits are the higher ones.
    fn index(&self, bit: u128) -> usize {
        (self.present & !(bit | (bit - 1))).count_ones() as usize
    }

    fn content<'a>(&'a self, slot: &'a Slot) -> &'a [u8] {
        match &slot.content {
            Content::Raw(from, to) => &self.raw[usize::from(*from)..usize::from(*to)],
            Content::Unpacked(from, to) => &self.unpacked[usize::from(*from)..usize::from(*to)],
            Content::Own(bytes) => bytes,
        }
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.mti == other.mti
            && self.present == other.present
            && self.slots.iter().zip(&other.slots).all(|(a, b)| self.content(a) == other.content(b))
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({}", self.mti)?;
        for field in self.fields() {
            write!(f, ", {field}: {}", trace::masked_field(self, field))?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_replaced_and_removed_in_order() {
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(128, [1; 8]);
        message.set(2, "6104337000000016");
        message.set(64, vec![2; 8]);
        message.set(11, "000001");
        message.set(11, "000002");
        assert_eq!(message.fields().collect::<Vec<_>>(), [2, 11, 64, 128]);
        assert_eq!(message.get(11), Some("000002"));
        assert_eq!(message.get(64), None);
        assert_eq!(message.bytes(64), Some(&[2; 8][..]));
        assert!(message.remove(11) && !message.remove(11) && !message.has(11));
        assert_eq!(message.bytes(128), Some(&[1; 8][..]));
        assert_eq!(message.get(2), Some("6104337000000016"));
    }

    #[test]
    fn a_field_that_cannot_be_is_kept_out_and_remembered() {
        let mut message = Message::new(Mti::FINANCIAL);
        for field in [0, 1, 129, 255] {
            message.set(field, "x");
            assert!(!message.has(field) && message.get(field).is_none() && !message.remove(field));
            assert!(message.span(field).is_none());
        }
        assert_eq!(message.misplaced(), Some(0));
        assert_eq!(message.fields().count(), 0);
    }

    #[test]
    fn debug_does_not_give_secrets_away() {
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(2, "6104337000000016");
        message.set(3, "000000");
        message.set(14, "9912");
        message.set(35, "6104337000000016=9912");
        message.set(48, "01003777");
        message.set(52, *b"\xDE\xAD\xBE\xEF\xDE\xAD\xBE\xEF");
        message.set(103, "5022291000000014");
        assert_eq!(
            format!("{message:?}"),
            "Message(0200, 2: 610433****0016, 3: 000000, 14: ****, 35: ****, 48: ****, 52: ****, 103: ****)"
        );
    }
}
