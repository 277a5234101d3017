//! A message: its type and its fields, over the bytes that it was decoded from.
//!
//! One buffer holds those bytes and, behind them, whatever had to be unpacked; fields are ranges of it. All of it is
//! overwritten on drop. Not here: any meaning of a field, and framing.

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
    /// The bytes that were decoded, then the contents that were packed in them.
    buffer: Zeroizing<Vec<u8>>,
    /// How many of them were decoded.
    raw: usize,
    /// Contents that were set. One that is taken out leaves an empty place.
    own: Vec<Zeroizing<Vec<u8>>>,
    layout: u64,
    /// Whether type and fields are still those that were decoded.
    as_read: bool,
    /// The first field number set that no message can hold; encoding reports it.
    misplaced: Option<u8>,
}

#[derive(Clone, Copy)]
struct Slot {
    /// On the wire; empty at 0 if it was set since.
    span: (u16, u16),
    content: Content,
    text: bool,
}

#[derive(Clone, Copy)]
enum Content {
    Buffer(u16, u16),
    Own(u16),
}

/// Field, content and, if it may be copied, its range of the raw bytes.
pub(crate) type Part<'a> = (u8, &'a [u8], Option<Range<usize>>);

/// Room for as many fields as most messages are made from …
const FIELDS_MADE: usize = 16;
/// … and as are set in one that was read.
const FIELDS_CHANGED: usize = 4;

/// Fields that hold bytes, in every layout that follows the standard.
const BINARY: [u8; 6] = [52, 55, 64, 65, 96, 128];

fn bit(field: u8) -> Option<u128> {
    (2..=128).contains(&field).then(|| 1 << (128 - u32::from(field)))
}

/// The fields of bitmaps, in order.
pub(crate) fn fields_of(present: u128) -> impl Iterator<Item = u8> {
    // A half at a time: the processor counts zeros of 64 bits at once.
    [(present >> 64) as u64, present as u64].into_iter().zip([1, 65]).flat_map(|(mut rest, first)| {
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let at = rest.leading_zeros();
            rest &= !(1 << (63 - at));
            Some(at as u8 + first)
        })
    })
}

impl Message {
    /// A message without fields.
    pub fn new(mti: Mti) -> Self {
        Self {
            mti,
            present: 0,
            slots: Vec::new(),
            buffer: Zeroizing::default(),
            raw: 0,
            own: Vec::new(),
            layout: 0,
            as_read: false,
            misplaced: None,
        }
    }

    /// A message to be filled, which has `present` fields (its bitmaps without bit 1).
    pub(crate) fn decoding(mti: Mti, present: u128, layout: u64) -> Self {
        let slots = Vec::with_capacity(present.count_ones() as usize);
        Self { slots, present, layout, as_read: true, ..Self::new(mti) }
    }

    /// Adds what was decoded of the next present field: where it lies on the wire, and where its content in the buffer. Ranges
    /// are within three times `MAX_MESSAGE_BYTES`.
    pub(crate) fn push(&mut self, span: Range<usize>, content: Range<usize>, text: bool) {
        let span = (span.start as u16, span.end as u16);
        let content = Content::Buffer(content.start as u16, content.end as u16);
        self.slots.push(Slot { span, content, text });
    }

    /// Ends the decoding: the buffer, of which so many bytes are the message.
    pub(crate) fn decoded(&mut self, buffer: Zeroizing<Vec<u8>>, raw: usize) {
        self.buffer = buffer;
        self.raw = raw;
    }

    /// The message type.
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// Makes it a message of another type, with the same fields.
    pub fn set_mti(&mut self, mti: Mti) {
        self.as_read &= self.mti == mti;
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
        let value = Zeroizing::new(value.into());
        let Some(bit) = bit(field) else {
            self.misplaced = self.misplaced.or(Some(field));
            return;
        };
        self.as_read = false;
        let at = self.index(bit);
        let there = self.present & bit != 0;
        if self.own.is_empty() {
            // Whoever sets one field sets a few, or makes a message.
            let most = if self.slots.is_empty() { FIELDS_MADE } else { FIELDS_CHANGED };
            self.slots.reserve(most);
            self.own.reserve(most);
        }
        if there && let Content::Own(place) = self.slots[at].content {
            self.own[usize::from(place)] = value;
            return;
        }
        let content = Content::Own(self.keep(value));
        let slot = Slot { span: (0, 0), content, text: !BINARY.contains(&field) };
        if there {
            self.slots[at] = slot;
        } else {
            self.slots.insert(at, slot);
            self.present |= bit;
        }
    }

    /// A place for content that was set: a new one, or one that was left. So there are never more than fields.
    fn keep(&mut self, value: Zeroizing<Vec<u8>>) -> u16 {
        let used = |place: usize| {
            self.slots.iter().any(|slot| matches!(slot.content, Content::Own(of) if usize::from(of) == place))
        };
        let left =
            if self.own.len() > self.slots.len() { (0..self.own.len()).find(|at| !used(*at)) } else { None };
        let place = left.unwrap_or(self.own.len());
        match self.own.get_mut(place) {
            Some(empty) => *empty = value,
            None => self.own.push(value),
        }
        place as u16
    }

    /// Takes a field out; whether it was there.
    pub fn remove(&mut self, field: u8) -> bool {
        match bit(field) {
            Some(bit) if self.present & bit != 0 => {
                let slot = self.slots.remove(self.index(bit));
                if let Content::Own(place) = slot.content {
                    self.own[usize::from(place)] = Zeroizing::default();
                }
                self.present &= !bit;
                self.as_read = false;
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
        fields_of(self.present)
    }

    /// Where a decoded field lies in [`raw`](Self::raw), its length digits included. A MAC covers everything before
    /// `span(64).start` or `span(128).start`. `None` if absent or set since.
    pub fn span(&self, field: u8) -> Option<Range<usize>> {
        self.slot(field)?.span()
    }

    /// The bytes that were decoded, as they were, whatever was set or removed since; empty for a message
    /// that was not decoded. What is not ours is passed on as these.
    pub fn raw(&self) -> &[u8] {
        &self.buffer[..self.raw]
    }

    /// Whether [`encode`](crate::encode) under this layout writes exactly [`raw`](Self::raw): the message was decoded under it,
    /// and neither its type nor a field was changed since. Only then is a MAC that it carries still one over its bytes.
    pub fn is_as_read(&self, layout: &crate::Layout) -> bool {
        self.as_read && self.layout == layout.id()
    }

    /// Whether fields that were not set since may be copied.
    pub(crate) fn was_read_by(&self, layout: &crate::Layout) -> bool {
        self.layout == layout.id()
    }

    pub(crate) fn present(&self) -> u128 {
        self.present
    }

    pub(crate) fn misplaced(&self) -> Option<u8> {
        self.misplaced
    }

    /// How many bytes were set since the message was read, or in all if it was not.
    pub(crate) fn own_bytes(&self) -> usize {
        self.own.iter().map(|content| content.len()).sum()
    }

    /// The fields in order; the range is there for those that were decoded under this layout and not set since.
    pub(crate) fn parts(&self, layout: u64) -> impl Iterator<Item = Part<'_>> {
        let same = layout == self.layout;
        self.fields().zip(&self.slots).map(move |(field, slot)| {
            let wire = if same { slot.span() } else { None };
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

    fn content(&self, slot: &Slot) -> &[u8] {
        match slot.content {
            Content::Buffer(from, to) => &self.buffer[usize::from(from)..usize::from(to)],
            Content::Own(place) => &self.own[usize::from(place)],
        }
    }
}

impl Slot {
    fn span(&self) -> Option<Range<usize>> {
        let (from, to) = self.span;
        // No field begins before the message type has ended.
        (from != 0).then(|| usize::from(from)..usize::from(to))
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
            "Message(0200, 2: 610433****0016, 3: 000000, 14: ****, 35: ****, 48: ****, 52: ****, 103: 502229****0014)"
        );
    }
}
