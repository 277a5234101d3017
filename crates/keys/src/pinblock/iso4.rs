//! Format 4: `4 L P…P A…A` and eight random bytes, encrypted; ⊕ the PAN field, encrypted again. Under AES.

use ramz_domain::{Entropy, Pan, Pin};
use zeroize::Zeroizing;

use super::{NotAPinBlock, digit, nibbles, pack, pin_of};
use crate::soft::ZoneKey;

const BYTES: usize = 16;

pub(super) fn encode(
    zone: &ZoneKey,
    pin: &Pin,
    pan: &Pan,
    entropy: &dyn Entropy,
) -> Option<Zeroizing<Vec<u8>>> {
    let digits = pin.expose().as_bytes();
    let mut field = Zeroizing::new([0x0a; 16]);
    field[0] = 4;
    field[1] = u8::try_from(digits.len()).ok()?;
    for (nibble, character) in field[2..].iter_mut().zip(digits) {
        *nibble = digit(*character);
    }
    let mut block = Zeroizing::new([0; BYTES]);
    pack(field.as_slice(), &mut block[..8]);
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
    Some(read(&block))
}

fn read(block: &[u8; BYTES]) -> Result<Pin, NotAPinBlock> {
    let field = nibbles::<16>(&block[..8]);
    let length = usize::from(field[1]);
    if field[0] != 4 || !(4..=12).contains(&length) {
        return Err(NotAPinBlock);
    }
    let (pin, fill) = field[2..].split_at(length);
    if fill.iter().any(|nibble| *nibble != 0x0a) {
        return Err(NotAPinBlock);
    }
    pin_of(pin)
}

/// The PAN field: how many digits above twelve, the digits, zeros.
fn combine(block: &mut [u8; BYTES], pan: &Pan) {
    let digits = pan.expose().as_bytes();
    let mut field = Zeroizing::new([0u8; 32]);
    field[0] = u8::try_from(digits.len().saturating_sub(12)).unwrap_or(0);
    for (nibble, character) in field[1..].iter_mut().zip(digits) {
        *nibble = digit(*character);
    }
    let mut pan_field = Zeroizing::new([0; BYTES]);
    pack(field.as_slice(), pan_field.as_mut_slice());
    for (byte, pan) in block.iter_mut().zip(pan_field.iter()) {
        *byte ^= pan;
    }
}
