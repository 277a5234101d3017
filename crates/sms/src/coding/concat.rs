//! Concatenated short messages: the header of one part, and putting the parts together in whatever order they come.
//!
//! 3GPP TS 23.040, 9.2.3.24.1 (8-bit reference) and 9.2.3.24.8 (16-bit reference).

use ramz_domain::Moment;
use zeroize::Zeroizing;

/// Which part of which text this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The reference that the parts of one text share.
    pub reference: u16,
    /// How many parts there are, 1 or more.
    pub total: u8,
    /// Which one this is, 1 to `total`.
    pub index: u8,
}

/// The user data header does not fit its own lengths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the user data header's lengths do not fit")]
pub struct BadHeader;

impl Header {
    /// Takes the user data header off the octets of a short message. `None` if it does not concatenate, or names an
    /// impossible part: then the message stands by itself, as TS 23.040 asks.
    pub fn read(octets: &[u8]) -> Result<(Option<Header>, &[u8]), BadHeader> {
        let (&length, rest) = octets.split_first().ok_or(BadHeader)?;
        let (mut elements, body) = rest.split_at_checked(usize::from(length)).ok_or(BadHeader)?;
        let mut found = None;
        while let [id, length, rest @ ..] = elements {
            let (value, rest) = rest.split_at_checked(usize::from(*length)).ok_or(BadHeader)?;
            let header = match (id, value) {
                (0x00, &[reference, total, index]) => {
                    Some(Header { reference: reference.into(), total, index })
                }
                (0x08, &[high, low, total, index]) => {
                    Some(Header { reference: u16::from_be_bytes([high, low]), total, index })
                }
                _ => None,
            };
            found = header.filter(|header| (1..=header.total).contains(&header.index)).or(found);
            elements = rest;
        }
        if elements.is_empty() { Ok((found, body)) } else { Err(BadHeader) }
    }
}

/// Texts whose parts have not all come. Bounded; the oldest is given up for a new one.
pub struct Reassembly<Key> {
    texts: Vec<Waiting<Key>>,
    texts_max: usize,
}

struct Waiting<Key> {
    key: Key,
    reference: u16,
    parts: Vec<Option<Zeroizing<Vec<u8>>>>,
    since: Moment,
}

/// Parts of a text that nobody will wait for.
const PARTS_KEPT_MAX: u8 = 32;

impl<Key: PartialEq> Reassembly<Key> {
    /// Keeps at most `texts_max` unfinished texts, 1 or more.
    pub fn new(texts_max: usize) -> Reassembly<Key> {
        Reassembly { texts: Vec::new(), texts_max: texts_max.max(1) }
    }

    /// Takes a part in; gives all octets in order once the last one is there. `key` is everything but the reference that
    /// the parts of a text share (sender, receiver, coding). A repeated part changes nothing.
    pub fn take(&mut self, key: Key, header: Header, body: &[u8], now: Moment) -> Option<Zeroizing<Vec<u8>>> {
        if header.total > PARTS_KEPT_MAX || !(1..=header.total).contains(&header.index) {
            return None;
        }
        let same = |text: &Waiting<Key>| {
            text.key == key
                && text.reference == header.reference
                && text.parts.len() == usize::from(header.total)
        };
        let at = match self.texts.iter().position(same) {
            Some(at) => at,
            None => {
                if self.texts.len() == self.texts_max {
                    let oldest = self.texts.iter().enumerate().min_by_key(|(_, text)| text.since);
                    if let Some((oldest, _)) = oldest {
                        self.texts.swap_remove(oldest);
                    }
                }
                let parts = vec![None; usize::from(header.total)];
                self.texts.push(Waiting { key, reference: header.reference, parts, since: now });
                self.texts.len() - 1
            }
        };
        let text = &mut self.texts[at];
        text.parts[usize::from(header.index) - 1].get_or_insert_with(|| Zeroizing::new(body.to_vec()));
        if text.parts.iter().any(Option::is_none) {
            return None;
        }
        let text = self.texts.swap_remove(at);
        let length = text.parts.iter().flatten().map(|part| part.len()).sum();
        let mut octets = Zeroizing::new(Vec::with_capacity(length));
        for part in text.parts.iter().flatten() {
            octets.extend_from_slice(part);
        }
        Some(octets)
    }

    /// Gives up the texts that began before an instant.
    pub fn give_up_before(&mut self, instant: Moment) {
        self.texts.retain(|text| text.since >= instant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(reference: u16, total: u8, index: u8) -> Header {
        Header { reference, total, index }
    }

    #[test]
    fn headers_of_both_widths() {
        let body = &b"x"[..];
        assert_eq!(Header::read(&[5, 0, 3, 9, 2, 1, b'x']), Ok((Some(part(9, 2, 1)), body)));
        assert_eq!(Header::read(&[6, 8, 4, 1, 9, 2, 1, b'x']), Ok((Some(part(0x109, 2, 1)), body)));
        // Another element first; an unknown one alone; an impossible part.
        assert_eq!(Header::read(&[8, 0x24, 1, 0, 0, 3, 9, 2, 1, b'x']), Ok((Some(part(9, 2, 1)), body)));
        assert_eq!(Header::read(&[3, 0x24, 1, 0, b'x']), Ok((None, body)));
        assert_eq!(Header::read(&[5, 0, 3, 9, 2, 3, b'x']), Ok((None, body)));
        assert_eq!(Header::read(&[5, 0, 3, 9, 2, 0, b'x']), Ok((None, body)));
    }

    #[test]
    fn lengths_that_do_not_fit() {
        for octets in [&[][..], &[5, 0, 3], &[5, 0, 9, 1, 1, 1], &[1, 0], &[200, 0]] {
            assert_eq!(Header::read(octets), Err(BadHeader), "{octets:?}");
        }
    }

    #[test]
    fn parts_come_in_any_order_and_twice() {
        let mut texts = Reassembly::new(4);
        let now = Moment::from_unix_ms(0);
        assert_eq!(texts.take("a", part(1, 3, 3), b"c", now), None);
        assert_eq!(texts.take("a", part(1, 3, 1), b"a", now), None);
        assert_eq!(texts.take("a", part(1, 3, 1), b"?", now), None);
        assert_eq!(texts.take("b", part(1, 3, 2), b"?", now), None, "another phone's");
        assert_eq!(texts.take("a", part(2, 3, 2), b"?", now), None, "another text's");
        assert_eq!(texts.take("a", part(1, 3, 2), b"b", now).as_deref(), Some(&b"abc".to_vec()));
        assert_eq!(texts.take("a", part(1, 3, 2), b"b", now), None, "it is gone");
    }

    #[test]
    fn unfinished_texts_are_bounded() {
        let mut texts = Reassembly::new(2);
        for reference in 1..=3 {
            assert_eq!(
                texts.take("a", part(reference, 2, 1), b"a", Moment::from_unix_ms(reference.into())),
                None
            );
        }
        assert_eq!(
            texts.take("a", part(3, 2, 2), b"b", Moment::from_unix_ms(4)).as_deref(),
            Some(&b"ab".to_vec())
        );
        assert_eq!(
            texts.take("a", part(1, 2, 2), b"b", Moment::from_unix_ms(5)),
            None,
            "the oldest was given up"
        );
        texts.give_up_before(Moment::from_unix_ms(6));
        assert_eq!(texts.take("a", part(2, 2, 2), b"b", Moment::from_unix_ms(7)), None);
        assert_eq!(texts.take("a", part(1, 255, 1), b"b", Moment::from_unix_ms(7)), None);
    }
}
