//! What a phone seals to the bank: HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; every
//! step of it is one that a browser's WebCrypto can do. Both sides stand here, so that they cannot drift apart: a
//! phone's (the command line and the simulators are phones too) and, for this crate only, the bank's.

use std::convert::Infallible;

use hpke::aead::{AeadTag, AesGcm256};
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng, utils};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use ramz_domain::Entropy;
use zeroize::Zeroizing;

use crate::port::{KeyFault, KeyVersion, ReceiveKey, Received};

/// What HPKE's `info` says: a seed, and no other thing that may come to be sealed to the same key.
const INFO: &[u8] = b"ramz-seed-1";
const SEED: usize = 32;
const TAG: usize = 16;

type Kem = DhP256HkdfSha256;
type PrivateKey = <Kem as hpke::Kem>::PrivateKey;

/// A seed as a phone sends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedSeed {
    /// The receive key's version.
    pub version: KeyVersion,
    /// The phone's one-time public key, SEC1 uncompressed: 65 bytes.
    pub enc: Vec<u8>,
    /// The encrypted seed and its tag: 48 bytes.
    pub ciphertext: Vec<u8>,
}

impl SealedSeed {
    /// As the bank takes it, with the associated data that it was sealed with.
    pub fn received<'a>(&'a self, associated: &'a [u8]) -> Received<'a> {
        Received { version: self.version, enc: &self.enc, ciphertext: &self.ciphertext, associated }
    }
}

/// What should be the bank's public key is no point of the curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the bank's receive key is not a public key of P-256: fetch it again, with the list of cards")]
pub struct NotAReceiveKey;

/// The phone's side: seals a seed to the bank. The associated data is not sent; the bank must know it too.
///
/// # Errors
/// [`NotAReceiveKey`].
pub fn seal_seed(
    to: &ReceiveKey,
    seed: &[u8; SEED],
    associated: &[u8],
    entropy: &dyn Entropy,
) -> Result<SealedSeed, NotAReceiveKey> {
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(&to.public).map_err(|_| NotAReceiveKey)?;
    // Encrypted where it is sent from: no copy of the clear seed is left.
    let mut ciphertext = Vec::with_capacity(SEED + TAG);
    ciphertext.extend_from_slice(seed);
    let (enc, tag) = hpke::single_shot_seal_inout_detached_with_rng::<AesGcm256, HkdfSha256, Kem>(
        &OpModeS::Base,
        &public,
        INFO,
        ciphertext.as_mut_slice().into(),
        associated,
        &mut Drawn(entropy),
    )
    .map_err(|_| NotAReceiveKey)?;
    ciphertext.extend_from_slice(&tag.to_bytes());
    Ok(SealedSeed { version: to.version, enc: enc.to_bytes().to_vec(), ciphertext })
}

/// The bank's side. `Err` says what is wrong with what came, and nothing of what is in it.
pub(crate) fn open_seed(secret: &[u8], received: &Received<'_>) -> Result<Zeroizing<[u8; SEED]>, KeyFault> {
    let refused = |why: String| KeyFault::NotReceived(why);
    let Received { enc, ciphertext, associated, .. } = received;
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc)
        .map_err(|_| refused("its one-time public key is not an uncompressed point of P-256".into()))?;
    // The length is looked at first: what does not hold a seed is not opened.
    let whole = <&[u8; SEED + TAG]>::try_from(*ciphertext).map_err(|_| {
        refused(format!("it has {} bytes; a sealed seed has {}", ciphertext.len(), SEED + TAG))
    })?;
    let (clear, tag) = whole.split_at(SEED);
    let mut seed = Zeroizing::new([0; SEED]);
    seed.copy_from_slice(clear);
    let tag = AeadTag::from_bytes(tag).map_err(|error| KeyFault::Store(error.to_string()))?;
    hpke::single_shot_open_inout_detached::<AesGcm256, HkdfSha256, Kem>(
        &OpModeR::Base,
        &private(secret)?,
        &enc,
        INFO,
        seed.as_mut_slice().into(),
        associated,
        &tag,
    )
    .map_err(|_| refused("it was altered, or sealed to another key or with other associated data".into()))?;
    Ok(seed)
}

/// The public part of a private scalar.
pub(crate) fn public_part(secret: &[u8]) -> Result<[u8; 65], KeyFault> {
    Ok(Kem::sk_to_pk(&private(secret)?).to_bytes().into())
}

/// Whether bytes are a private scalar: neither zero nor past the group's order. One in 2^32 draws is not.
pub(crate) fn is_scalar(secret: &[u8]) -> bool {
    PrivateKey::from_bytes(secret).is_ok()
}

fn private(secret: &[u8]) -> Result<PrivateKey, KeyFault> {
    PrivateKey::from_bytes(secret).map_err(|_| KeyFault::Store("a receive key is no scalar of P-256".into()))
}

/// The entropy that is handed in, as `hpke` wants it.
struct Drawn<'a>(&'a dyn Entropy);

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}
