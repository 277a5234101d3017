//! Format 0: PIN field ⊕ account number field, one TDEA encryption.
//!
//! The account number field is `0000` and the twelve rightmost digits of the PAN without its check digit. A wrong PAN
//! spoils digits and fill, and is found out unless what it spoils happens to be digits again.

use ramz_domain::{Pan, Pin};
use zeroize::Zeroizing;

use super::{NotAPinBlock, field};
use crate::soft::ZoneKey;

const BYTES: usize = 8;
const CONTROL: u8 = 0x0;
const FILL: u8 = 0xf;

pub(super) fn encode(zone: &ZoneKey, pin: &Pin, pan: &Pan) -> Option<Zeroizing<Vec<u8>>> {
    let mut block = Zeroizing::new([0; BYTES]);
    field::write_pin(&mut *block, CONTROL, &[FILL; field::FILL_NIBBLES], pin);
    field::xor_account_number(&mut *block, pan);
    zone.tdea_encrypt(&mut block)?;
    Some(Zeroizing::new(block.to_vec()))
}

pub(super) fn decode(zone: &ZoneKey, block: &[u8], pan: &Pan) -> Option<Result<Pin, NotAPinBlock>> {
    let Ok(block) = <[u8; BYTES]>::try_from(block) else { return Some(Err(NotAPinBlock)) };
    let mut block = Zeroizing::new(block);
    zone.tdea_decrypt(&mut block)?;
    field::xor_account_number(&mut *block, pan);
    Some(field::read_pin(&*block, CONTROL, FILL..=FILL).ok_or(NotAPinBlock))
}
