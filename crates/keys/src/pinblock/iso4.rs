//! Format 4: encrypt the PIN field, mix in the PAN field, encrypt again; AES, sixteen bytes.
//!
//! The PIN field ends in eight random bytes, so the same PIN never gives the same block twice. A wrong key or PAN yields
//! noise, which passes for some PIN about once in 10^7.

use ramz_domain::{Entropy, Pan, Pin};
use zeroize::Zeroizing;

use super::{NotAPinBlock, field};
use crate::soft::ZoneKey;

const BYTES: usize = 16;
const CONTROL: u8 = 0x4;
const FILL: u8 = 0xa;

pub(super) fn encode(
    zone: &ZoneKey,
    pin: &Pin,
    pan: &Pan,
    entropy: &dyn Entropy,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut block = Zeroizing::new([0; BYTES]);
    field::write_pin(&mut block[..8], CONTROL, &[FILL; field::FILL_NIBBLES], pin);
    entropy.fill(&mut block[8..]);
    zone.aes_encrypt(&mut block)?;
    combine(&mut block, pan);
    zone.aes_encrypt(&mut block)?;
    Some(Zeroizing::new(block.to_vec()))
}

pub(super) fn decode(zone: &ZoneKey, block: &[u8], pan: &Pan) -> Option<Result<Pin, NotAPinBlock>> {
    let Ok(block) = <[u8; BYTES]>::try_from(block) else { return Some(Err(NotAPinBlock)) };
    let mut block = Zeroizing::new(block);
    zone.aes_decrypt(&mut block)?;
    combine(&mut block, pan);
    zone.aes_decrypt(&mut block)?;
    Some(field::read_pin(&block[..8], CONTROL, FILL..=FILL).ok_or(NotAPinBlock))
}

/// Mixes in the PAN field: how many digits above twelve, the digits, zeros.
fn combine(block: &mut [u8; BYTES], pan: &Pan) {
    let digits = pan.expose();
    block[0] ^= u8::try_from(digits.len() - 12).expect("a PAN has 16 to 19 digits") << 4;
    field::xor_digits(block, 1, digits);
}
