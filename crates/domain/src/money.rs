//! Amounts of money. One currency: the Iranian rial (ISO 4217 numeric 364), which has no minor unit in use.

use minicbor::{Decode, Encode};

/// The currency of DE49.
pub const RIAL_NUMERIC_CODE: &str = "364";

/// An amount in rial. DE4 has twelve digits, so it is below 10^12.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Rial(#[n(0)] u64);

/// The amount does not fit twelve digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an amount is a whole number of rial from 0 to 999999999999")]
pub struct AmountError;

impl Rial {
    /// Nothing.
    pub const ZERO: Rial = Rial(0);

    /// That many rial, if they fit twelve digits.
    pub fn new(rial: u64) -> Result<Rial, AmountError> {
        if rial < 1_000_000_000_000 { Ok(Rial(rial)) } else { Err(AmountError) }
    }

    /// Whole rial.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Twelve digits with leading zeros, as in DE4.
    pub fn de4(self) -> String {
        format!("{:012}", self.0)
    }

    /// Thousands separated by commas: `1,250,000`.
    pub fn with_commas(self) -> String {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (rial, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_250_000, "1,250,000")] {
            assert_eq!(Rial::new(rial).unwrap().with_commas(), text);
        }
    }

    #[test]
    fn an_amount_fits_de4() {
        assert_eq!(Rial::new(1_250_000).unwrap().de4(), "000001250000");
        assert_eq!(Rial::new(1_000_000_000_000), Err(AmountError));
    }
}
