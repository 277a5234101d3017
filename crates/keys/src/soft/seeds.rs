//! Seeds of tokens: taken in from a phone and sealed to their column, together with whose they are.

use zeroize::Zeroizing;

use super::ring::{KeyRing, Purpose};
use super::verbs::SoftKeys;
use crate::port::{CodeSource, IndexPurpose, KeyFault, Keys as _, Place, ReceiveKey, Received, TakenSeed};
use crate::receive;

/// The owner's id, then the seed.
const OWNED: usize = OWNER + 32;
const OWNER: usize = 16;

/// A column's clear bytes. Wiped on drop.
pub(super) struct Owned(Zeroizing<Vec<u8>>);

impl Owned {
    pub(super) fn seed(&self) -> &[u8] {
        &self.0[OWNER..]
    }
}

/// `None` if the ring is of before the receive key.
pub(super) fn newest_receive_key(ring: &KeyRing) -> Option<ReceiveKey> {
    let (version, secret) = ring.newest(Purpose::Receive).ok()?;
    Some(ReceiveKey { version, public: receive::public_part(secret).ok()? })
}

impl SoftKeys {
    pub(super) fn take_seed_in(
        &self,
        received: &Received<'_>,
        place: Place<'_>,
        owner: &[u8; 16],
    ) -> Result<TakenSeed, KeyFault> {
        let newest = self.receive_key()?.version;
        // The version is the sender's word: one that is not there is no fault of the key file.
        let secret = self.ring.at(Purpose::Receive, received.version).map_err(|_| {
            KeyFault::NotReceived(format!(
                "it is sealed to version {} of the receive key, which is not here; the newest is {newest}",
                received.version
            ))
        })?;
        let seed = receive::open_seed(secret, received)?;
        let tag = self.index(IndexPurpose::Seed, &[owner, seed.as_slice()])?;
        let mut mark = [0; 16];
        mark.copy_from_slice(&tag.bytes[..16]);
        let mut owned = Zeroizing::new([0; OWNED]);
        owned[..OWNER].copy_from_slice(owner);
        owned[OWNER..].copy_from_slice(seed.as_slice());
        Ok(TakenSeed { sealed: self.seal(place, owned.as_slice())?, mark })
    }

    /// The seed of a column, if it is the owner's: one that was swapped for another token's is a fault.
    pub(super) fn open_seed(&self, source: &CodeSource<'_>) -> Result<Owned, KeyFault> {
        let owned = self.open(source.place, source.sealed)?;
        if owned.len() == OWNED && owned.starts_with(&source.owner) {
            Ok(Owned(owned))
        } else {
            Err(KeyFault::DoesNotOpen(source.place.column.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ramz_domain::Entropy;

    use super::*;
    use crate::soft::tests::Counting;
    use crate::{NotAReceiveKey, SealedSeed, seal_seed};

    const PLACE: Place<'static> = Place { row: &[4; 16], column: "token.seed" };
    const TOKEN: [u8; 16] = [7; 16];
    const SEED: [u8; 32] = [0x5e; 32];
    const ASSOCIATED: &[u8] = b"card reference";

    fn keys() -> SoftKeys {
        let entropy = Counting::default();
        SoftKeys::new(KeyRing::generate(&entropy), Arc::new(entropy))
    }

    fn sealed(keys: &SoftKeys) -> SealedSeed {
        seal_seed(&keys.receive_key().unwrap(), &SEED, ASSOCIATED, &Counting::default()).unwrap()
    }

    fn refused(keys: &SoftKeys, received: &Received<'_>) -> String {
        match keys.take_seed(received, PLACE, &TOKEN) {
            Err(KeyFault::NotReceived(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_seed_that_a_phone_sealed_stands_in_its_column_behind_its_owner() {
        let keys = keys();
        let taken = keys.take_seed(&sealed(&keys).received(ASSOCIATED), PLACE, &TOKEN).unwrap();
        let owned = keys.open(PLACE, &taken.sealed).unwrap();
        assert_eq!(owned.as_slice(), [&TOKEN[..], &SEED].concat());
    }

    #[test]
    fn a_mark_knows_the_same_seed_of_the_same_owner_again() {
        let keys = keys();
        let mark = |seed: [u8; 32], owner: [u8; 16], place| {
            let to = keys.receive_key().unwrap();
            let sealed = seal_seed(&to, &seed, ASSOCIATED, keys.entropy.as_ref()).unwrap();
            keys.take_seed(&sealed.received(ASSOCIATED), place, &owner).unwrap().mark
        };
        let first = mark(SEED, TOKEN, PLACE);
        assert_eq!(mark(SEED, TOKEN, Place { row: &[5; 16], ..PLACE }), first);
        assert_ne!(mark([0x5f; 32], TOKEN, PLACE), first);
        assert_ne!(mark(SEED, [8; 16], PLACE), first);
    }

    #[test]
    fn a_seed_with_other_associated_data_is_not_received() {
        let keys = keys();
        let sealed = sealed(&keys);
        for other in [&b""[..], b"card referencf", b"card reference "] {
            assert!(refused(&keys, &sealed.received(other)).starts_with("it was altered"));
        }
    }

    #[test]
    fn every_bit_that_a_phone_sends_counts() {
        let keys = keys();
        let sealed = sealed(&keys);
        for at in 0..sealed.enc.len() {
            let mut altered = sealed.clone();
            altered.enc[at] ^= 1;
            refused(&keys, &altered.received(ASSOCIATED));
        }
        for at in 0..sealed.ciphertext.len() {
            let mut altered = sealed.clone();
            altered.ciphertext[at] ^= 0x80;
            refused(&keys, &altered.received(ASSOCIATED));
        }
    }

    #[test]
    fn what_is_too_short_or_too_long_is_the_senders_fault() {
        let keys = keys();
        let sealed = sealed(&keys);
        let (enc, ciphertext) = (sealed.enc.as_slice(), sealed.ciphertext.as_slice());
        let longer = [ciphertext, &[0]].concat();
        let base = sealed.received(ASSOCIATED);
        for ciphertext in [&[][..], &ciphertext[..16], &ciphertext[..47], &longer] {
            assert!(refused(&keys, &Received { ciphertext, ..base }).contains("a sealed seed has 48"));
        }
        // Compressed, infinity, nothing.
        let compressed = [&[2 + enc[64] % 2], &enc[1..33]].concat();
        for enc in [&compressed[..], &[0], &[], &[0; 65], &[enc, &[0]].concat()] {
            assert!(refused(&keys, &Received { enc, ..base }).contains("point of P-256"));
        }
    }

    #[test]
    fn a_phone_may_seal_to_an_older_key_as_long_as_it_is_in_the_file() {
        let keys = keys();
        let old = sealed(&keys);
        let mut ring = keys.ring;
        assert_eq!(ring.rotate(Purpose::Receive, &Counting::default()), 2);
        let keys = SoftKeys::new(ring, keys.entropy);
        let new = sealed(&keys);
        assert_eq!((old.version, new.version), (1, 2));
        for sealed in [&old, &new] {
            keys.take_seed(&sealed.received(ASSOCIATED), PLACE, &TOKEN).unwrap();
        }
        // Each under its own key only.
        refused(&keys, &Received { version: 2, ..old.received(ASSOCIATED) });
        let why = refused(&keys, &Received { version: 3, ..old.received(ASSOCIATED) });
        assert!(why.contains("version 3") && why.contains("the newest is 2"), "{why}");
    }

    #[test]
    fn a_seed_is_not_sealed_to_what_is_no_key() {
        let sealed = |public| seal_seed(&ReceiveKey { version: 1, public }, &SEED, b"", &Counting::default());
        assert_eq!(sealed([0; 65]), Err(NotAReceiveKey));
        assert_eq!(sealed([4; 65]), Err(NotAReceiveKey));
    }

    /// Zero, then a number past the group's order, then ones.
    #[derive(Default)]
    struct Unlucky(AtomicUsize);

    impl Entropy for Unlucky {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill([0, 0xff, 1][self.0.fetch_add(1, Ordering::Relaxed)]);
        }
    }

    #[test]
    fn a_receive_key_is_drawn_until_it_is_a_scalar() {
        let mut ring = keys().ring;
        let unlucky = Unlucky::default();
        ring.rotate(Purpose::Receive, &unlucky);
        assert_eq!(unlucky.0.into_inner(), 3);
        let keys = SoftKeys::new(ring, Arc::new(Counting::default()));
        let sealed = sealed(&keys);
        keys.take_seed(&sealed.received(ASSOCIATED), PLACE, &TOKEN).unwrap();
    }

    #[test]
    fn no_two_seals_are_alike() {
        let keys = keys();
        let to = keys.receive_key().unwrap();
        let seal = || seal_seed(&to, &SEED, ASSOCIATED, keys.entropy.as_ref()).unwrap();
        let (one, two) = (seal(), seal());
        assert_ne!(one.enc, two.enc);
        assert_ne!(one.ciphertext, two.ciphertext);
        assert_eq!(one.ciphertext.len(), one.ciphertext.capacity(), "the vector grew and left a seed behind");
    }
}
