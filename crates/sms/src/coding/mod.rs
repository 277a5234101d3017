//! Texts as short messages and back: the alphabets of 3GPP TS 23.038 and the concatenation of TS 23.040 (9.2.3.24.1).
//!
//! GSM 03.38 if every character is in its default alphabet, else UCS-2 (as UTF-16, as phones read it). Over SMPP septets
//! travel unpacked, one in an octet. Deliberately not here: packed septets, national language tables, `message_payload`.

pub mod concat;
pub mod gsm7;

use zeroize::Zeroizing;

/// GSM 03.38 septets of a message of its own, and of a part.
const GSM7_WHOLE: usize = 160;
const GSM7_PART: usize = 153;
/// UTF-16 units of a message of its own, and of a part.
const UCS2_WHOLE: usize = 70;
const UCS2_PART: usize = 67;

/// Short messages that one text may become. The longest PIN text (names of 30 characters, an origin of 253) needs
/// seven; more than this is not an SMS.
pub const PARTS_MAX: usize = 10;

/// How the characters are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alphabet {
    /// The GSM 03.38 default alphabet with its extension table.
    Gsm7,
    /// UCS-2, that is UTF-16BE.
    Ucs2,
}

impl Alphabet {
    /// The name in a trace.
    pub const fn name(self) -> &'static str {
        match self {
            Alphabet::Gsm7 => "GSM-7",
            Alphabet::Ucs2 => "UCS-2",
        }
    }

    /// SMPP's `data_coding`.
    pub const fn data_coding(self) -> u8 {
        match self {
            Alphabet::Gsm7 => 0x00,
            Alphabet::Ucs2 => 0x08,
        }
    }
}

/// One short message of a text.
pub struct Part {
    /// The octets of `short_message`: a user data header if there is more than one part, then the characters.
    pub octets: Zeroizing<Vec<u8>>,
    /// Its place, from 1.
    pub index: u8,
    /// The characters (Unicode scalar values) it carries: what may be told about it.
    pub characters: usize,
}

/// A text, cut.
pub struct Cut {
    /// The alphabet of every part.
    pub alphabet: Alphabet,
    /// The parts in order; more than one means that each starts with a user data header.
    pub parts: Vec<Part>,
}

/// The text needs more parts than [`PARTS_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a text of {0} short messages is too long; at most {PARTS_MAX} are sent")]
pub struct TooLong(pub usize);

/// Cuts a text into short messages. `reference` tells the parts of one text from those of another to the same phone.
/// Neither a surrogate pair nor a GSM escape sequence is ever torn.
pub fn cut(text: &str, reference: u8) -> Result<Cut, TooLong> {
    let (alphabet, atoms) = match gsm7::atoms(text) {
        Some(atoms) => (Alphabet::Gsm7, atoms),
        None => (Alphabet::Ucs2, utf16_atoms(text)),
    };
    let (whole, part) = match alphabet {
        Alphabet::Gsm7 => (GSM7_WHOLE, GSM7_PART),
        Alphabet::Ucs2 => (2 * UCS2_WHOLE, 2 * UCS2_PART),
    };
    let octets: usize = atoms.iter().map(|atom| atom.as_slice().len()).sum();
    if octets <= whole {
        return Ok(Cut { alphabet, parts: vec![Part::new(&[], &atoms, 1)] });
    }
    let runs = runs(&atoms, part);
    let (Ok(total), true) = (u8::try_from(runs.len()), runs.len() <= PARTS_MAX) else {
        return Err(TooLong(runs.len()));
    };
    let parts = (1..=total).zip(runs).map(|(index, run)| {
        // UDHL, IEI "concatenated, 8-bit reference", IEDL, and its value.
        let header = [0x05, 0x00, 0x03, reference, total, index];
        Part::new(&header, run, index)
    });
    Ok(Cut { alphabet, parts: parts.collect() })
}

/// The text of a short message's characters. `None` if the coding is one that no phone text uses, or does not fit.
///
/// `data_coding` as in SMPP: 00 GSM 03.38, 01 IA5, 03 Latin-1, 08 UCS-2.
pub fn read(data_coding: u8, octets: &[u8]) -> Option<String> {
    match data_coding {
        0x00 => gsm7::read(octets),
        0x01 => octets.is_ascii().then(|| octets.iter().map(|octet| char::from(*octet)).collect()),
        0x03 => Some(octets.iter().map(|octet| char::from(*octet)).collect()),
        0x08 if octets.len().is_multiple_of(2) => {
            let units: Zeroizing<Vec<u16>> = Zeroizing::new(
                octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect(),
            );
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

/// What is never torn: the octets of one character.
#[derive(Clone, Copy, Default)]
pub(crate) struct Atom {
    octets: [u8; 4],
    length: u8,
}

impl Atom {
    pub(crate) fn new<const N: usize>(octets: [u8; N]) -> Atom {
        let mut atom = Atom { octets: [0; 4], length: 0 };
        for octet in octets {
            atom.octets[usize::from(atom.length)] = octet;
            atom.length += 1;
        }
        atom
    }

    fn as_slice(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
}

impl zeroize::DefaultIsZeroes for Atom {}

impl Part {
    fn new(header: &[u8], atoms: &[Atom], index: u8) -> Part {
        let length = header.len() + atoms.iter().map(|atom| atom.as_slice().len()).sum::<usize>();
        let mut octets = Zeroizing::new(Vec::with_capacity(length));
        octets.extend_from_slice(header);
        for atom in atoms {
            octets.extend_from_slice(atom.as_slice());
        }
        Part { octets, index, characters: atoms.len() }
    }
}

fn utf16_atoms(text: &str) -> Zeroizing<Vec<Atom>> {
    let mut atoms = Zeroizing::new(Vec::with_capacity(text.len()));
    for c in text.chars() {
        let mut units = [0; 2];
        atoms.push(match c.encode_utf16(&mut units) {
            [unit] => Atom::new(unit.to_be_bytes()),
            units => {
                let ([a, b], [c, d]) = (units[0].to_be_bytes(), units[1].to_be_bytes());
                Atom::new([a, b, c, d])
            }
        });
    }
    atoms
}

/// Cuts the atoms into the longest runs of at most `room` octets.
fn runs(atoms: &[Atom], room: usize) -> Vec<&[Atom]> {
    let mut runs = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, atom) in atoms.iter().enumerate() {
        let length = atom.as_slice().len();
        if used + length > room {
            runs.push(&atoms[start..at]);
            (start, used) = (at, 0);
        }
        used += length;
    }
    runs.push(&atoms[start..]);
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{concat::Header, *};

    /// Octets of the user data header that concatenates: UDHL, IEI 00, IEDL, reference, parts, part.
    const UDH_OCTETS: usize = 6;

    fn lengths(text: &str) -> (Alphabet, Vec<usize>) {
        let cut = cut(text, 7).unwrap();
        (cut.alphabet, cut.parts.iter().map(|part| part.octets.len()).collect())
    }

    #[test]
    fn bounds_of_whole_messages_and_parts() {
        assert_eq!(lengths(""), (Alphabet::Gsm7, vec![0]));
        assert_eq!(lengths(&"a".repeat(160)), (Alphabet::Gsm7, vec![160]));
        assert_eq!(lengths(&"a".repeat(161)), (Alphabet::Gsm7, vec![159, 14]));
        assert_eq!(lengths(&"a".repeat(306)), (Alphabet::Gsm7, vec![159, 159]));
        assert_eq!(lengths(&"ر".repeat(70)), (Alphabet::Ucs2, vec![140]));
        assert_eq!(lengths(&"ر".repeat(71)), (Alphabet::Ucs2, vec![140, 14]));
        assert_eq!(lengths(&"ر".repeat(134)), (Alphabet::Ucs2, vec![140, 140]));
        assert_eq!(cut(&"ر".repeat(671), 7).err(), Some(TooLong(11)));
        assert_eq!(cut(&"a".repeat(1530), 7).map(|cut| cut.parts.len()).ok(), Some(PARTS_MAX));
    }

    #[test]
    fn a_header_names_reference_total_and_place() {
        let cut = cut(&"ر".repeat(100), 0xAB).unwrap();
        assert_eq!(cut.parts[0].octets[..UDH_OCTETS], [5, 0, 3, 0xAB, 2, 1]);
        assert_eq!(cut.parts[1].octets[..UDH_OCTETS], [5, 0, 3, 0xAB, 2, 2]);
        assert_eq!(cut.parts.iter().map(|part| part.characters).collect::<Vec<_>>(), [67, 33]);
    }

    #[test]
    fn pairs_and_escapes_are_not_torn() {
        // 66 letters and a pair: the pair goes to the second part as a whole.
        let emoji = format!("{}😀{}", "ر".repeat(66), "ر".repeat(10));
        assert_eq!(lengths(&emoji).1, [6 + 132, 6 + 24]);
        // 152 letters and an escaped euro sign.
        let euro = format!("{}€{}", "a".repeat(152), "a".repeat(10));
        assert_eq!(lengths(&euro).1, [6 + 152, 6 + 12]);
    }

    #[test]
    fn codings_that_phones_use() {
        assert_eq!(read(0x00, &[0x00, 0x1B, 0x65]).as_deref(), Some("@€"));
        assert_eq!(read(0x01, b"@abc").as_deref(), Some("@abc"));
        assert_eq!(read(0x01, &[0x80]), None);
        assert_eq!(read(0x03, &[0xE9]).as_deref(), Some("é"));
        assert_eq!(read(0x08, &[0x06, 0x31]).as_deref(), Some("ر"));
        assert_eq!(read(0x08, &[0x06]), None);
        assert_eq!(read(0x08, &[0xD8, 0x00]), None, "half a pair");
        assert_eq!(read(0x04, b"x"), None);
    }

    proptest! {
        #[test]
        fn any_text_within_the_bound_comes_back(
            text in prop_oneof![
                "[ -Z_a-z^{}\\[\\]~|€@£\n]{0,760}",
                "[ -~آ-ی۰-۹\u{200C}😀😁€\n]{0,330}",
                any::<String>(),
            ],
            reference: u8,
        ) {
            let cut = cut(&text, reference).unwrap();
            let room = match cut.alphabet { Alphabet::Gsm7 => 160, Alphabet::Ucs2 => 140 };
            let mut joined = Vec::new();
            for (part, index) in cut.parts.iter().zip(1..) {
                prop_assert!(part.octets.len() <= room);
                let body = if cut.parts.len() == 1 {
                    &part.octets[..]
                } else {
                    let (header, body) = Header::read(&part.octets).unwrap();
                    let total = u8::try_from(cut.parts.len()).unwrap();
                    prop_assert_eq!(header, Some(Header { reference: reference.into(), total, index }));
                    body
                };
                prop_assert!(read(cut.alphabet.data_coding(), body).is_some(), "a part reads by itself");
                joined.extend_from_slice(body);
            }
            prop_assert_eq!(read(cut.alphabet.data_coding(), &joined), Some(text));
        }

        #[test]
        fn reading_never_panics(coding: u8, octets: Vec<u8>) {
            let _ = read(coding, &octets);
            let _ = Header::read(&octets);
        }
    }
}
