//! TOTP and HOTP against another implementation, the crate totp-rs, in a thousand random cases.

use proptest::prelude::*;
use ramz_domain::oath::{Hash, Totp, hotp, shown};
use totp_rs::{Algorithm, Builder};

const HASHES: [(Hash, Algorithm); 3] =
    [(Hash::Sha1, Algorithm::SHA1), (Hash::Sha256, Algorithm::SHA256), (Hash::Sha512, Algorithm::SHA512)];

/// At least a thousand, also where the environment says less.
fn thousand() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.max(1000), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(thousand())]

    #[test]
    fn totp_rs_makes_the_same_codes(
        (hash, algorithm) in proptest::sample::select(&HASHES[..]),
        digits in 6u8..=8,
        // As far as beyond a block of SHA-512: longer keys are hashed first.
        key in proptest::collection::vec(any::<u8>(), 16..150),
        step_s in 1u64..=3600,
        unix_s in prop_oneof![0u64..10_000, 1_500_000_000u64..5_000_000_000, any::<u64>()],
    ) {
        let theirs = Builder::new()
            .with_algorithm(algorithm)
            .with_digits(digits)
            .with_secret(key.as_slice())
            .with_step_duration(step_s)
            .build()
            .expect("within the RFC");
        let theirs = theirs.generate(unix_s).to_string();
        let ours = Totp { hash, digits, step_s, t0_s: 0 };
        prop_assert_eq!(&*shown(ours.at(&key, unix_s).expect("a code"), digits), &theirs);
        if hash == Hash::Sha1 {
            let code = hotp(&key, ours.step(unix_s), digits).expect("a code");
            prop_assert_eq!(&*shown(code, digits), &theirs);
        }
    }
}
