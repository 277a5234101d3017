//! The GSM 03.38 default alphabet and its extension table (3GPP TS 23.038, 6.2.1), one septet in an octet.

use zeroize::Zeroizing;

use super::Atom;

/// The default alphabet by septet. 0x1B is the escape to the extension table and stands for no character.
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', 'Δ', '_', 'Φ', 'Γ',
    'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1B}', 'Æ', 'æ', 'ß', 'É', ' ', '!', '"', '#', '¤', '%', '&', '\'',
    '(', ')', '*', '+', ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<',
    '=', '>', '?', '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q',
    'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', '¿', 'a', 'b', 'c', 'd', 'e', 'f',
    'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä',
    'ö', 'ñ', 'ü', 'à',
];

const ESCAPE: u8 = 0x1B;

/// The extension table: the septet after the escape.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The septets of each character, or `None` if one is not in the alphabet.
pub(super) fn atoms(text: &str) -> Option<Zeroizing<Vec<Atom>>> {
    let mut atoms = Zeroizing::new(Vec::with_capacity(text.len()));
    for c in text.chars() {
        atoms.push(atom(c)?);
    }
    Some(atoms)
}

/// The septet of each ASCII character that is in the default alphabet: nearly all of a text, found without a search.
const ASCII: [Option<u8>; 128] = {
    let mut table = [None; 128];
    let mut septet = 0;
    while septet < 128_u8 {
        let c = DEFAULT[septet as usize];
        if c.is_ascii() && septet != ESCAPE {
            table[c as usize] = Some(septet);
        }
        septet += 1;
    }
    table
};

fn atom(c: char) -> Option<Atom> {
    if let Some(Some(septet)) = usize::try_from(u32::from(c)).ok().and_then(|at| ASCII.get(at)) {
        return Some(Atom::new([*septet]));
    }
    if let Some((septet, _)) = EXTENSION.iter().find(|(_, character)| *character == c) {
        return Some(Atom::new([ESCAPE, *septet]));
    }
    let at = DEFAULT.iter().position(|character| *character == c && c != char::from(ESCAPE))?;
    u8::try_from(at).ok().map(|septet| Atom::new([septet]))
}

/// The text of septets. An escape without a known follower reads as a space, as TS 23.038 asks; an octet above 127 is
/// `None`.
pub fn read(septets: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(septets.len() * 2);
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        if septet == ESCAPE {
            let after = rest.next();
            let known = EXTENSION.iter().find(|(septet, _)| Some(*septet) == after);
            text.push(known.map_or(' ', |(_, character)| *character));
        } else {
            text.push(*DEFAULT.get(usize::from(septet))?);
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_alphabet_comes_back() {
        let default: String = DEFAULT.iter().filter(|c| **c != '\u{1B}').collect();
        let extension: String = EXTENSION.iter().map(|(_, c)| c).collect();
        for c in (default + &extension).chars() {
            let atom = atom(c).unwrap();
            assert_eq!(read(atom.as_slice()), Some(c.to_string()));
        }
    }

    #[test]
    fn places_that_an_error_in_the_table_would_move() {
        for (c, septets) in [
            ('@', &[0x00][..]),
            ('_', &[0x11]),
            ('#', &[0x23]),
            ('A', &[0x41]),
            ('a', &[0x61]),
            ('à', &[0x7F]),
        ] {
            assert_eq!(atom(c).unwrap().as_slice(), septets, "{c}");
        }
        assert_eq!(atom('€').unwrap().as_slice(), [0x1B, 0x65]);
        assert!(atom('ر').is_none() && atom('\u{1B}').is_none() && atom('`').is_none());
    }

    #[test]
    fn what_no_table_has() {
        assert_eq!(read(&[0x41, 0x1B]).as_deref(), Some("A "));
        assert_eq!(read(&[0x1B, 0x41]).as_deref(), Some(" "));
        assert_eq!(read(&[0x80]), None);
    }
}
