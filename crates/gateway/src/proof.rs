//! The bot check before the PIN button: a little work for the browser, none for the payer, no third party.
//!
//! The page finds a number so that SHA-256(challenge ‖ ":" ‖ number) begins with [`BITS`] zero bits: about 33,000 hashes, a
//! fraction of a second on a cheap phone. It does not stop a determined attacker, whom the limits of router and bank
//! stop; it makes pressing the button of many payments cost something. A challenge is bound to the payment and to how
//! many presses it has taken, so it is good once, on any node, and nothing is stored for it.

use ramz_domain::{Digest, PaymentId};
use sha2::{Digest as _, Sha256};

use crate::payment::Payment;

/// Zero bits that are wanted.
pub(crate) const BITS: u32 = 15;
/// The number's digits: far more than are ever needed.
const NUMBER_CHARS_MAX: usize = 12;

/// What the next press must solve.
pub(crate) fn challenge(id: PaymentId, payment: &Payment) -> String {
    hex::encode(
        &Digest::of(&[b"ramz-proof-1", &payment.secret, &id.0, &payment.presses.to_be_bytes()]).0[..16],
    )
}

/// Whether `number` solves it.
pub(crate) fn solves(challenge: &str, number: &str) -> bool {
    if number.is_empty() || number.len() > NUMBER_CHARS_MAX || !number.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let hash: [u8; 32] = Sha256::digest(format!("{challenge}:{number}").as_bytes()).into();
    let [a, b, c, d, ..] = hash;
    u32::from_be_bytes([a, b, c, d]).leading_zeros() >= BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_checked() {
        let number = (0u32..).map(|n| n.to_string()).find(|n| solves("c0ffee", n)).unwrap();
        assert!(!solves("c0ffef", &number));
        for bad in ["", "x", "-1", "0000000000000"] {
            assert!(!solves("c0ffee", bad));
        }
    }
}
