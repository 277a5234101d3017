//! Q: the question as the 128 bytes that are hashed (RFC 6287, 5.1 and 6.3, and the programs in its appendices A and B).

use super::InputError;

/// Filled with zeros on the right.
const BYTES: usize = 128;

/// The most hexadecimal digits that 64 decimal ones make: 64 · log 10 / log 16 = 53.2.
const NUMBER_NIBBLES: usize = 54;

/// What questions are made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Format {
    /// `A`: ASCII letters and digits, a byte each.
    Alphanumeric,
    /// `N`: a decimal number, written as a hexadecimal one.
    Numeric,
    /// `H`: hexadecimal digits, half a byte each.
    Hexadecimal,
}

/// What a suite says of its questions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Question {
    pub(super) format: Format,
    /// In characters, 4 to 64.
    pub(super) longest: usize,
}

impl Question {
    /// The block of one question, or of two, one behind the other.
    pub(super) fn block(self, questions: &[&str]) -> Result<[u8; BYTES], InputError> {
        for question in questions {
            self.check(question)?;
        }
        let characters = questions.iter().flat_map(|question| question.bytes());
        let mut block = [0; BYTES];
        match self.format {
            // Two of 64 characters are 128 bytes: they fit.
            Format::Alphanumeric => block.iter_mut().zip(characters).for_each(|(byte, c)| *byte = c),
            Format::Hexadecimal => put_nibbles(&mut block, characters.map(value_of)),
            Format::Numeric => match questions {
                [question] => put_number(&mut block, question),
                _ => return Err(InputError::NumericQuestions),
            },
        }
        Ok(block)
    }

    fn check(self, question: &str) -> Result<(), InputError> {
        if question.is_empty() {
            return Err(InputError::QuestionEmpty);
        }
        let belongs = |c: char| match self.format {
            Format::Alphanumeric => c.is_ascii_alphanumeric(),
            Format::Numeric => c.is_ascii_digit(),
            Format::Hexadecimal => c.is_ascii_hexdigit(),
        };
        if let Some(at) = question.chars().position(|c| !belongs(c)) {
            return Err(InputError::QuestionCharacter(at));
        }
        // Now all are ASCII: bytes are characters.
        if question.len() > self.longest {
            return Err(InputError::QuestionLength { longest: self.longest, found: question.len() });
        }
        Ok(())
    }
}

/// The value of a hexadecimal digit that was checked.
fn value_of(c: u8) -> u8 {
    match c {
        b'0'..=b'9' => c - b'0',
        _ => (c | 0x20) - b'a' + 10,
    }
}

/// From the left, the high half of a byte first. An odd number of them leaves half a byte of zero behind, as in
/// the RFC's program, which fills a text of digits with `0` on the right.
fn put_nibbles(block: &mut [u8; BYTES], nibbles: impl Iterator<Item = u8>) {
    for (at, nibble) in nibbles.enumerate().take(2 * BYTES) {
        block[at / 2] |= if at % 2 == 0 { nibble << 4 } else { nibble };
    }
}

/// A decimal number in hexadecimal digits, without leading zeros. Zero is one digit, 0.
fn put_number(block: &mut [u8; BYTES], decimal: &str) {
    let (mut nibbles, mut used) = ([0u8; NUMBER_NIBBLES], 0);
    for digit in decimal.bytes() {
        // nibbles = nibbles · 10 + digit, lowest first.
        let mut carry = digit - b'0';
        for nibble in &mut nibbles[..used] {
            let sum = *nibble * 10 + carry;
            (*nibble, carry) = (sum & 0x0F, sum >> 4);
        }
        if carry > 0 {
            nibbles[used] = carry;
            used += 1;
        }
    }
    put_nibbles(block, nibbles[..used].iter().rev().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(format: Format, questions: &[&str]) -> Vec<u8> {
        let mut block = Question { format, longest: 64 }.block(questions).unwrap().to_vec();
        block.truncate(block.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        block
    }

    #[test]
    fn a_number_is_hexadecimal_digits_from_the_left() {
        let check = |decimal: &str, expect: &[u8]| assert_eq!(block(Format::Numeric, &[decimal]), expect);
        check("00000000", &[]);
        check("1", &[0x10]);
        check("16", &[0x10]);
        check("255", &[0xFF]);
        check("11111111", &[0xA9, 0x8A, 0xC7]);
        check("22222222", &[0x15, 0x31, 0x58, 0xE0]);
        check("0011111111", &[0xA9, 0x8A, 0xC7]);
        check("18446744073709551616", &[0x10]);
        // 10^64 - 1, by Python: f"{10**64 - 1:x}".
        let all = "184f03e93ff9f4daa797ed6e38ed64bf6a1f00ffffffffffffffff";
        assert_eq!(all.len(), NUMBER_NIBBLES);
        let all = all.as_bytes().chunks(2).map(|pair| value_of(pair[0]) << 4 | value_of(pair[1]));
        check(&"9".repeat(64), &all.collect::<Vec<u8>>());
    }

    #[test]
    fn hexadecimal_digits_are_halves_of_bytes() {
        assert_eq!(block(Format::Hexadecimal, &["aBc"]), [0xAB, 0xC0]);
        assert_eq!(block(Format::Hexadecimal, &["aBc", "def"]), [0xAB, 0xCD, 0xEF]);
        assert_eq!(block(Format::Hexadecimal, &["00F"]), [0x00, 0xF0]);
        assert_eq!(block(Format::Hexadecimal, &[&"f".repeat(64), &"1".repeat(64)])[31..33], [0xFF, 0x11]);
    }

    #[test]
    fn letters_are_their_bytes_and_two_questions_fill_the_block() {
        assert_eq!(block(Format::Alphanumeric, &["SIG1", "x"]), b"SIG1x");
        assert_eq!(block(Format::Alphanumeric, &[&"a".repeat(64), &"b".repeat(64)]).len(), BYTES);
    }

    /// `x` and `16 x` are one question to OCRA. Why the product's are safe from it.
    #[test]
    fn numbers_of_eight_digits_that_begin_above_zero_are_told_apart() {
        // Blocks are equal only if one number is the other shifted by whole hexadecimal digits.
        let (smallest, largest) = (10_000_000u64, 99_999_999u64);
        assert!(smallest * 16 > largest);
        assert_eq!(block(Format::Numeric, &["01000000"]), block(Format::Numeric, &["16000000"]));
    }
}
