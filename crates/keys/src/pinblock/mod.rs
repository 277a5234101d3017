//! PIN blocks of ISO 9564-1: formats 0 and 3 under TDEA, format 4 under AES.
//!
//! Decoding is strict: a block of another key, PAN or format nearly never passes. What it decodes to never leaves this
//! crate; [`crate::Keys`] only compares and translates.

mod field;
mod iso0;
mod iso3;
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
        PinBlockFormat::Iso3 => iso3::encode(zone, pin, pan, entropy),
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
        PinBlockFormat::Iso3 => iso3::decode(zone, block, pan),
        PinBlockFormat::Iso4 => iso4::decode(zone, block, pan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soft::tests::Counting;
    use proptest::prelude::*;

    fn zone(format: PinBlockFormat, key: &[u8]) -> ZoneKey {
        ZoneKey::new(format.cipher(), key).unwrap()
    }

    const KEY: [u8; 16] = [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32];

    fn pan(body: &str) -> Pan {
        Pan::parse(&format!("{body}{}", ramz_domain::check_digit(body))).unwrap()
    }

    proptest! {
        #[test]
        fn a_block_gives_its_pin_back_and_random_bytes_none(
            digits in "[0-9]{4,12}", body in "[1-9][0-9]{14,17}", key in any::<[u8; 24]>(), noise in any::<[u8; 16]>(),
        ) {
            let (pin, pan) = (Pin::parse(&digits).unwrap(), pan(&body));
            for format in PinBlockFormat::ALL {
                let length = format.bytes();
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

    /// A format's blocks are refused under every other format, and always with the same words.
    #[test]
    fn a_block_is_of_one_format_only() {
        let (pin, pan) = (Pin::parse("0472013").unwrap(), pan("610433700000001"));
        for made in PinBlockFormat::ALL {
            let block = encode(made, &zone(made, &KEY), &pin, &pan, &Counting::default()).unwrap();
            for read in PinBlockFormat::ALL {
                let found = decode(read, &zone(read, &KEY), &block, &pan).unwrap();
                match found {
                    Ok(back) => {
                        assert!(made == read && back.expose() == pin.expose(), "{made:?} as {read:?}")
                    }
                    Err(refused) => assert!(made != read && refused == NotAPinBlock, "{made:?} as {read:?}"),
                }
            }
        }
    }

    #[test]
    fn the_fill_of_format_3_is_drawn_for_each_block() {
        let (zone, entropy) = (zone(PinBlockFormat::Iso3, &KEY), Counting::default());
        let (pin, pan) = (Pin::parse("1234").unwrap(), pan("610433700000001"));
        let make = || encode(PinBlockFormat::Iso3, &zone, &pin, &pan, &entropy).unwrap();
        let blocks: std::collections::BTreeSet<Vec<u8>> = (0..32).map(|_| make().to_vec()).collect();
        assert_eq!(blocks.len(), 32);
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
