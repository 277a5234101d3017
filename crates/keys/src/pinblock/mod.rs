//! PIN blocks of ISO 9564-1: format 0 under TDEA, format 4 under AES.
//!
//! Decoding is strict: a block of another key, PAN or format nearly never passes. What it decodes to never leaves this
//! crate; [`crate::Keys`] only compares and translates.

mod field;
mod iso0;
mod iso4;

use ramz_domain::{Entropy, Pan, Pin};
use zeroize::Zeroizing;

use crate::PinBlockFormat;
use crate::soft::ZoneKey;

/// The block is not one of this format, zone key and PAN. Tells nothing of what it held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a PIN block of this format under this key and PAN")]
pub struct NotAPinBlock;

/// Encrypts a PIN. `None` if the zone's cipher is not the format's.
pub fn encode(
    format: PinBlockFormat,
    zone: &ZoneKey,
    pin: &Pin,
    pan: &Pan,
    entropy: &dyn Entropy,
) -> Option<Zeroizing<Vec<u8>>> {
    match format {
        PinBlockFormat::Iso0 => iso0::encode(zone, pin, pan),
        PinBlockFormat::Iso4 => iso4::encode(zone, pin, pan, entropy),
    }
}

/// Decrypts a block. `None` if the zone's cipher is not the format's.
pub(crate) fn decode(
    format: PinBlockFormat,
    zone: &ZoneKey,
    block: &[u8],
    pan: &Pan,
) -> Option<Result<Pin, NotAPinBlock>> {
    match format {
        PinBlockFormat::Iso0 => iso0::decode(zone, block, pan),
        PinBlockFormat::Iso4 => iso4::decode(zone, block, pan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soft::ZoneCipher;
    use crate::soft::tests::Counting;
    use proptest::prelude::*;

    fn zone(format: PinBlockFormat, key: &[u8]) -> ZoneKey {
        let cipher = if format == PinBlockFormat::Iso0 { ZoneCipher::Tdea } else { ZoneCipher::Aes };
        ZoneKey::new(cipher, key).unwrap()
    }

    fn pan(body: &str) -> Pan {
        Pan::parse(&format!("{body}{}", ramz_domain::check_digit(body))).unwrap()
    }

    proptest! {
        #[test]
        fn a_block_gives_its_pin_back_and_random_bytes_none(
            digits in "[0-9]{4,12}", body in "[1-9][0-9]{14,17}", key in any::<[u8; 24]>(), noise in any::<[u8; 16]>(),
        ) {
            let (pin, pan) = (Pin::parse(&digits).unwrap(), pan(&body));
            for (format, length) in [(PinBlockFormat::Iso0, 8), (PinBlockFormat::Iso4, 16)] {
                let zone = zone(format, &key);
                let block = encode(format, &zone, &pin, &pan, &Counting::default()).unwrap();
                prop_assert_eq!(block.len(), length);
                let back = decode(format, &zone, &block, &pan).unwrap().unwrap();
                prop_assert_eq!(back.expose(), pin.expose());
                let _ = decode(format, &zone, &noise[..length], &pan).unwrap();
                prop_assert!(decode(format, &zone, &noise[..length - 1], &pan).unwrap().is_err());
            }
        }
    }

    #[test]
    fn debug_of_a_block_shows_its_format_only() {
        let block = crate::PinBlock { format: PinBlockFormat::Iso0, bytes: vec![0xab; 8].into() };
        assert_eq!(format!("{block:?}"), "PinBlock(Iso0, …)");
    }

    #[test]
    fn a_block_of_format_4_binds_the_pan() {
        let zone = zone(PinBlockFormat::Iso4, &[7; 16]);
        let pin = Pin::parse("0472013").unwrap();
        let block =
            encode(PinBlockFormat::Iso4, &zone, &pin, &pan("610433700000001"), &Counting::default()).unwrap();
        assert!(decode(PinBlockFormat::Iso4, &zone, &block, &pan("610433700000002")).unwrap().is_err());
    }
}
