//! Format 0: `0 L P…P F…F` ⊕ `0000` and the twelve digits left of the PAN's check digit, under TDEA.

use ramz_domain::{Pan, Pin};
use zeroize::Zeroizing;

use super::{NotAPinBlock, digit, nibbles, pack, pin_of};
use crate::soft::ZoneKey;

const BYTES: usize = 8;

pub(super) fn encode(zone: &ZoneKey, pin: &Pin, pan: &Pan) -> Option<Zeroizing<Vec<u8>>> {
    let digits = pin.expose().as_bytes();
    let mut field = Zeroizing::new([0x0f; 16]);
    field[0] = 0;
    field[1] = u8::try_from(digits.len()).ok()?;
    for (nibble, character) in field[2..].iter_mut().zip(digits) {
        *nibble = digit(*character);
    }
    let mut block = Zeroizing::new([0; BYTES]);
    pack(field.as_slice(), block.as_mut_slice());
    combine(&mut block, pan);
    zone.tdea_encrypt(&mut block)?;
    Some(Zeroizing::new(block.to_vec()))
}

pub(super) fn decode(zone: &ZoneKey, block: &[u8], pan: &Pan) -> Option<Result<Pin, NotAPinBlock>> {
    let Ok(block) = <[u8; BYTES]>::try_from(block) else { return Some(Err(NotAPinBlock)) };
    let mut block = Zeroizing::new(block);
    zone.tdea_decrypt(&mut block)?;
    combine(&mut block, pan);
    Some(read(&block))
}

fn read(block: &[u8; BYTES]) -> Result<Pin, NotAPinBlock> {
    let field = nibbles::<16>(block);
    let length = usize::from(field[1]);
    if field[0] != 0 || !(4..=12).contains(&length) {
        return Err(NotAPinBlock);
    }
    let (pin, fill) = field[2..].split_at(length);
    if fill.iter().any(|nibble| *nibble != 0x0f) {
        return Err(NotAPinBlock);
    }
    pin_of(pin)
}

fn combine(block: &mut [u8; BYTES], pan: &Pan) {
    let digits = pan.expose().as_bytes();
    let twelve = &digits[digits.len() - 13..digits.len() - 1];
    for (byte, pair) in block[2..].iter_mut().zip(twelve.chunks_exact(2)) {
        *byte ^= digit(pair[0]) << 4 | digit(pair[1]);
    }
}
