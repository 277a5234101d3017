//! Format 3: format 0 with a fill of random letters, so that a PIN of few digits does not give the same block each time. TDEA.
//!
//! The fill says nothing: reading it back, any of A to F will do, and so a block of another PAN passes a little more often
//! than in format 0. An AES zone key has no 8-byte blocks: under AES there is format 4 only.

use ramz_domain::{Entropy, Pan, Pin};
use zeroize::Zeroizing;

use super::{NotAPinBlock, field};
use crate::soft::ZoneKey;

const BYTES: usize = 8;
const CONTROL: u8 = 0x3;
const FILL_FIRST: u8 = 0xa;
const FILL_LAST: u8 = 0xf;

pub(super) fn encode(
    zone: &ZoneKey,
    pin: &Pin,
    pan: &Pan,
    entropy: &dyn Entropy,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut block = Zeroizing::new([0; BYTES]);
    field::write_pin(&mut *block, CONTROL, &fill(entropy), pin);
    field::xor_account_number(&mut *block, pan);
    zone.tdea_encrypt(&mut block)?;
    Some(Zeroizing::new(block.to_vec()))
}

pub(super) fn decode(zone: &ZoneKey, block: &[u8], pan: &Pan) -> Option<Result<Pin, NotAPinBlock>> {
    let Ok(block) = <[u8; BYTES]>::try_from(block) else { return Some(Err(NotAPinBlock)) };
    let mut block = Zeroizing::new(block);
    zone.tdea_decrypt(&mut block)?;
    field::xor_account_number(&mut *block, pan);
    Some(field::read_pin(&*block, CONTROL, FILL_FIRST..=FILL_LAST).ok_or(NotAPinBlock))
}

/// Letters A to F: the digits of a random 64-bit number in base 6, lowest first. Ten of them favour none by more than one part
/// in 10^11.
fn fill(entropy: &dyn Entropy) -> [u8; field::FILL_NIBBLES] {
    const LETTERS: u64 = (FILL_LAST - FILL_FIRST + 1) as u64;
    let mut random = Zeroizing::new([0; 8]);
    entropy.fill(&mut *random);
    let mut rest = u64::from_be_bytes(*random);
    std::array::from_fn(|_| {
        let letter = FILL_FIRST + (rest % LETTERS) as u8;
        rest /= LETTERS;
        letter
    })
}
