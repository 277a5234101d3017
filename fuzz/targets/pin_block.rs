//! PIN blocks: any block decodes or is refused, always in the same words; a block that was made matches its PIN, in every
//! format and after a translation to every other; one that was damaged matches nothing or something, and never ends the program.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ramz_domain::{CardId, ChallengeId, Digest, Entropy, Pan, check_digit};
use ramz_keys::{
    KeyFault, KeyRing, Keys as _, Matches, PinBlock, PinBlockFormat, PinSource, SoftKeys, Sources,
    ZoneCipher, ZoneKey,
};

/// Always the same bytes: nothing here is secret, and a finding can be seen again.
struct Still;

impl Entropy for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().zip(1..).for_each(|(byte, n)| *byte = n);
    }
}

static KEYS: LazyLock<SoftKeys> = LazyLock::new(|| {
    let mut ring = KeyRing::generate(&Still);
    let key: Vec<u8> = (0..16).map(|n| n * 2 + 2).collect();
    for (zone, cipher) in [("tdea", ZoneCipher::Tdea), ("aes", ZoneCipher::Aes)] {
        ring.add_zone(zone, ZoneKey::new(cipher, &key).expect("a key")).expect("a name");
    }
    SoftKeys::new(ring, Arc::new(Still))
});

fn zone(format: PinBlockFormat) -> &'static str {
    if format.cipher() == ZoneCipher::Tdea { "tdea" } else { "aes" }
}

fn no_fault_of_ours<T>(result: Result<T, KeyFault>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(KeyFault::PinBlock(_)) => None,
        Err(fault) => panic!("{fault}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [format, digits, account @ ..] = bytes else { return };
    let Some((account, rest)) = account.split_at_checked(8) else { return };
    let format = PinBlockFormat::ALL[usize::from(*format) % PinBlockFormat::ALL.len()];
    let number = account.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let width = 15 + usize::from(digits >> 4) % 4;
    let body = format!("{:0>width$}", number % 10u64.pow(width as u32));
    let Ok(pan) = Pan::parse(&format!("{body}{}", check_digit(&body))) else { return };
    let source = PinSource {
        version: 1,
        digits: 5 + digits % 4,
        card: CardId([1; 16]),
        challenge: ChallengeId([2; 16]),
        payment: Digest::of(&[account]),
    };
    let sources = Sources { pins: &[source], codes: &[] };

    let any = PinBlock { format, bytes: rest.to_vec().into() };
    let matched = no_fault_of_ours(KEYS.pin_block_matches(&any, zone(format), &pan, &sources));
    for to in PinBlockFormat::ALL {
        let translated = no_fault_of_ours(KEYS.translate_pin_block(&any, zone(format), &pan, zone(to), to));
        assert_eq!(translated.is_some(), matched.is_some(), "decodes for one verb and not for the other");
        if let Some(translated) = translated {
            assert_eq!(KEYS.pin_block_matches(&translated, zone(to), &pan, &sources).ok(), matched);
        }
    }

    let pin = KEYS.pin(&source).expect("a key that is there");
    let mut made = KEYS.make_pin_block(&pin, &pan, zone(format), format).expect("a zone that is there");
    let its_own = Matches { pins: vec![0], codes: vec![] };
    assert_eq!(KEYS.pin_block_matches(&made, zone(format), &pan, &sources), Ok(its_own));
    made.bytes.iter_mut().zip(rest).for_each(|(byte, damage)| *byte ^= damage);
    let _ = no_fault_of_ours(KEYS.pin_block_matches(&made, zone(format), &pan, &sources));
});
