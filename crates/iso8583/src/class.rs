//! Which bytes a field may hold: the content classes of ISO 8583:1987, 4.2, and two of our own for text that
//! the standard leaves to the parties.
//!
//! Not here: how the bytes look on the wire (`bcd`, `decode`, `encode`), nor what they mean.

/// What a field's content is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `n`: digits.
    Digits,
    /// `a`: letters and the blank that pads them.
    Letters,
    /// `an`: letters, digits, and the blank that pads them.
    LettersDigits,
    /// `ans`: any printable ASCII.
    Printable,
    /// `x+n`: C (credit) or D (debit), then digits.
    SignedDigits,
    /// `z`: track data, 0x30 to 0x3F, and the letter D that some networks write for the separator `=`.
    Track,
    /// `utf8`: text in UTF-8, of any alphabet; lengths count bytes. Ours.
    Utf8,
    /// `any`: whatever the parties agreed on. Ours, for the fields the standard reserves to them.
    Any,
    /// `b`: bytes.
    Bytes,
}

const DIGIT: u8 = 1;
const LETTER: u8 = 2;
const BLANK: u8 = 4;
const OTHER_PRINTABLE: u8 = 8;
const TRACK: u8 = 16;

/// For every byte, the sets that it belongs to.
static SETS: [u8; 256] = {
    let mut sets = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        sets[byte] = match b {
            b'0'..=b'9' => DIGIT | TRACK,
            b':'..=b'?' => OTHER_PRINTABLE | TRACK,
            b'D' => LETTER | TRACK,
            b'A'..=b'Z' | b'a'..=b'z' => LETTER,
            b' ' => BLANK,
            0x21..=0x7E => OTHER_PRINTABLE,
            _ => 0,
        };
        byte += 1;
    }
    sets
};

impl Class {
    /// The class of a notation as the standard writes it.
    pub(crate) fn named(notation: &str) -> Option<Self> {
        Some(match notation {
            "n" => Self::Digits,
            "a" => Self::Letters,
            "an" => Self::LettersDigits,
            "ans" => Self::Printable,
            "x+n" => Self::SignedDigits,
            "z" => Self::Track,
            "utf8" => Self::Utf8,
            "any" => Self::Any,
            "b" => Self::Bytes,
            _ => return None,
        })
    }

    /// What is expected, in words.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Letters => "letters",
            Self::LettersDigits => "letters and digits",
            Self::Printable => "printable ASCII",
            Self::SignedDigits => "C or D, then digits",
            Self::Track => "track data (0-9 : ; < = > ?)",
            Self::Utf8 => "UTF-8 text",
            Self::Any | Self::Bytes => "bytes",
        }
    }

    /// Checks content, decoded. `Err` is the position of the first byte that does not belong; it equals
    /// the length if the content stops too early (UTF-8 cut in a character, `x+n` without its sign).
    pub(crate) fn check(self, content: &[u8]) -> Result<(), usize> {
        let sets = match self {
            Self::Digits => DIGIT,
            Self::Letters => LETTER | BLANK,
            Self::LettersDigits => LETTER | DIGIT | BLANK,
            Self::Printable => LETTER | DIGIT | BLANK | OTHER_PRINTABLE,
            Self::Track => TRACK,
            Self::SignedDigits => {
                return match content {
                    [b'C' | b'D', digits @ ..] => within(DIGIT, digits).map_err(|at| at + 1),
                    _ => Err(0),
                };
            }
            Self::Utf8 => {
                return match std::str::from_utf8(content) {
                    Ok(_) => Ok(()),
                    Err(wrong) if wrong.error_len().is_none() => Err(content.len()),
                    Err(wrong) => Err(wrong.valid_up_to()),
                };
            }
            Self::Any | Self::Bytes => return Ok(()),
        };
        within(sets, content)
    }
}

fn within(sets: u8, content: &[u8]) -> Result<(), usize> {
    if content.iter().all(|&byte| SETS[usize::from(byte)] & sets != 0) {
        return Ok(());
    }
    Err(content.iter().position(|&byte| SETS[usize::from(byte)] & sets == 0).unwrap_or(content.len()))
}

/// What kind of byte was found, in words that do not give it away.
pub(crate) fn kind(byte: Option<&u8>) -> &'static str {
    match byte {
        None => "the end of the field",
        Some(b'0'..=b'9') => "a digit",
        Some(b'A'..=b'Z' | b'a'..=b'z') => "a letter",
        Some(b' ') => "a blank",
        Some(0x21..=0x7E) => "a punctuation mark",
        Some(0x80..=0xFF) => "a byte above 0x7F",
        Some(_) => "a control byte",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(notation: &str, content: &[u8], expect: Result<(), usize>) {
        assert_eq!(Class::named(notation).unwrap().check(content), expect, "{notation} of {content:?}");
    }

    #[test]
    fn classes_accept_what_the_standard_says() {
        check("n", b"0123456789", Ok(()));
        check("n", b"", Ok(()));
        check("a", b"Az ", Ok(()));
        check("an", b"A1 ", Ok(()));
        check("ans", b" ~!9z", Ok(()));
        check("x+n", b"D00000100", Ok(()));
        check("z", b"6104337000000016=99121010000", Ok(()));
        check("z", b"6104337000000016D9912", Ok(()));
        check("utf8", "رمز\n".as_bytes(), Ok(()));
        check("any", &[0, 0xFF], Ok(()));
        check("b", &[0, 0xFF], Ok(()));
    }

    #[test]
    fn classes_name_the_first_byte_that_does_not_belong() {
        check("n", b"12a4", Err(2));
        check("n", b"12 4", Err(2));
        check("n", "۱".as_bytes(), Err(0));
        check("a", b"A1", Err(1));
        check("an", b"A-", Err(1));
        check("ans", b"A\n", Err(1));
        check("ans", &[b'A', 0x7F], Err(1));
        check("ans", "A۱".as_bytes(), Err(1));
        check("x+n", b"+0001", Err(0));
        check("x+n", b"", Err(0));
        check("x+n", b"C0D", Err(2));
        check("z", b"12E", Err(2));
        check("utf8", &[b'A', 0xFF, b'B'], Err(1));
        check("utf8", &[b'A', 0xD8], Err(2));
    }
}
