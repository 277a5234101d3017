//! What can still be had of a message that does not decode: enough to answer it with 30.
//!
//! Fields are read one by one, each as a message of its own, so that the codec stays the only one who knows a layout. A
//! field with wrong content is stepped over if the standard gives it a fixed size; behind a broken length nothing
//! can be found. Not here: what is wrong, which the codec's error says.

use ramz_iso8583::{Layout, Message, Mti, Place, decode, encode};
use zeroize::Zeroizing;

/// The last field that an answer repeats.
const LAST: u8 = 42;

/// Digits of the numeric fields that are fixed in the standard (ISO 8583:1987, 4.3) and stand before [`LAST`].
const FIXED: [(u8, usize); 24] = [
    (3, 6),
    (4, 12),
    (5, 12),
    (6, 12),
    (7, 10),
    (8, 8),
    (9, 8),
    (10, 8),
    (11, 6),
    (12, 6),
    (13, 4),
    (14, 4),
    (15, 4),
    (16, 4),
    (17, 4),
    (18, 4),
    (19, 3),
    (20, 3),
    (21, 3),
    (22, 3),
    (23, 3),
    (24, 3),
    (25, 2),
    (26, 2),
];

/// The type and the readable fields up to 42 of a garbled request; `None` if its type or field 11 cannot be had, or if it
/// is no request.
pub(crate) fn salvage(layout: &Layout, bytes: &[u8]) -> Option<Message> {
    let head = Head::of(layout)?;
    let mti = bytes.get(..head.mti)?;
    let mti_read = head.read(layout, mti, None, &[]).ok()?.mti();
    if !mti_read.is_request() {
        return None;
    }
    let primary = head.bitmap(bytes.get(head.mti..head.len())?)?;
    let has = |field: u8| primary & 1 << (64 - u32::from(field)) != 0;
    let bitmaps = if has(1) { 2 } else { 1 };

    let mut salvaged = Message::new(mti_read);
    let mut at = head.mti + bitmaps * (head.len() - head.mti);
    for field in (2..=LAST).filter(|&field| has(field)) {
        let Some(rest) = bytes.get(at..) else { break };
        let width = match head.read(layout, mti, Some(field), rest) {
            Ok(_) => rest.len(),
            Err(Some(width)) => width,
            Err(None) => match fixed_width(layout, &head, field) {
                Some(width) => {
                    at += width;
                    continue;
                }
                None => break,
            },
        };
        let alone = head.read(layout, mti, Some(field), &rest[..width]).ok();
        if let Some(content) = alone.as_ref().and_then(|alone| alone.bytes(field)) {
            salvaged.set(field, content);
        }
        at += width;
    }
    salvaged.has(11).then_some(salvaged)
}

/// How type and bitmap look in a layout.
struct Head {
    mti: usize,
    hex: bool,
}

impl Head {
    /// Learned from a message without fields: its type has 4 or 2 bytes, its bitmap 16 or 8.
    fn of(layout: &Layout) -> Option<Head> {
        match encode(layout, &Message::new(Mti::NETWORK)).ok()?.len() {
            20 => Some(Head { mti: 4, hex: true }),
            18 => Some(Head { mti: 2, hex: true }),
            12 => Some(Head { mti: 4, hex: false }),
            10 => Some(Head { mti: 2, hex: false }),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        self.mti + if self.hex { 16 } else { 8 }
    }

    fn bitmap(&self, bytes: &[u8]) -> Option<u64> {
        if self.hex {
            let digit = |n: u64, b: &u8| Some(n << 4 | u64::from(char::from(*b).to_digit(16)?));
            bytes.iter().try_fold(0, digit)
        } else {
            bytes.try_into().ok().map(u64::from_be_bytes)
        }
    }

    /// Reads a message that has that field only. `Err(Some(width))`: the field is good, and bytes follow it.
    fn read(
        &self,
        layout: &Layout,
        mti: &[u8],
        field: Option<u8>,
        rest: &[u8],
    ) -> Result<Message, Option<usize>> {
        let bitmap = field.map_or(0, |field| 1_u64 << (64 - u32::from(field)));
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.len() + rest.len()));
        bytes.extend_from_slice(mti);
        if self.hex {
            bytes.extend_from_slice(format!("{bitmap:016X}").as_bytes());
        } else {
            bytes.extend_from_slice(&bitmap.to_be_bytes());
        }
        bytes.extend_from_slice(rest);
        decode(layout, &bytes).map_err(|error| match error.place {
            Place::Message => error.offset.checked_sub(self.len()).filter(|width| *width < rest.len()),
            _ => None,
        })
    }
}

/// The bytes of a field that the layout, too, has as fixed digits.
fn fixed_width(layout: &Layout, head: &Head, field: u8) -> Option<usize> {
    let digits = FIXED.iter().find(|(fixed, _)| *fixed == field)?.1;
    let width = |digits: usize| {
        let mut probe = Message::new(Mti::NETWORK);
        probe.set(field, vec![b'0'; digits]);
        encode(layout, &probe).ok().map(|bytes| bytes.len() - head.len())
    };
    if width(digits - 1).is_some() {
        return None;
    }
    width(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAN: &str = "6104337000000016";

    fn check(wire: &str, expect: Option<&[(u8, &str)]>) {
        let layout = Layout::named("ascii").unwrap();
        assert!(decode(&layout, wire.as_bytes()).is_err(), "garbled");
        let salvaged = salvage(&layout, wire.as_bytes());
        let fields: Option<Vec<_>> = salvaged
            .as_ref()
            .map(|message| message.fields().map(|field| (field, message.get(field).unwrap())).collect());
        assert_eq!(fields.as_deref(), expect, "{wire}");
    }

    #[test]
    fn a_field_of_wrong_content_is_stepped_over() {
        // Fields 2, 3, 4, 11, 41.
        let head = "02007020000000800000";
        let rest = "000123TERMINAL";
        check(
            &format!("{head}16{PAN}00000000012x000000{rest}"),
            Some(&[(2, PAN), (3, "000000"), (11, "000123"), (41, "TERMINAL")]),
        );
        check(
            &format!("{head}16{PAN}000000000125000000{rest}more"),
            Some(&[(2, PAN), (3, "000000"), (4, "000125000000"), (11, "000123"), (41, "TERMINAL")]),
        );
        check(
            &format!("{head}16{PAN}000000000125000000000123TERM"),
            Some(&[(2, PAN), (3, "000000"), (4, "000125000000"), (11, "000123")]),
        );
    }

    #[test]
    fn without_type_or_field_11_there_is_nothing_to_answer() {
        let rest = "000000000125000000000123TERMINAL";
        check(&format!("0200702000000080000099{PAN}{rest}"), None);
        check(&format!("02x0702000000080000016{PAN}{rest}"), None);
        check(&format!("0200X02000000080000016{PAN}{rest}"), None);
        check(&format!("0210702000000080000016{PAN}{rest}more"), None);
        check(&format!("0200702000000080000016{PAN}0000000001250000000001x3TERMINAL"), None);
        check("0200", None);
        check("", None);
    }

    #[test]
    fn both_shipped_layouts_and_a_secondary_bitmap_are_understood() {
        for name in ["ascii", "bcd"] {
            let layout = Layout::named(name).unwrap();
            let mut echo = Message::new(Mti::NETWORK);
            echo.set(7, "1124015509");
            echo.set(11, "000007");
            echo.set(32, "581672061");
            echo.set(70, "301");
            let mut wire = encode(&layout, &echo).unwrap();
            wire.push(0);
            let salvaged = salvage(&layout, &wire).unwrap();
            assert_eq!(
                [7, 11, 32].map(|field| salvaged.get(field).unwrap()),
                ["1124015509", "000007", "581672061"]
            );
            assert_eq!(salvaged.mti(), Mti::NETWORK);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, head in "0[0-9]{3}[0-9A-F]{16}") {
            for name in ["ascii", "bcd"] {
                let layout = Layout::named(name).unwrap();
                salvage(&layout, &bytes);
                salvage(&layout, &[head.as_bytes(), &bytes].concat());
            }
        }
    }
}
