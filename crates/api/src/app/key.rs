//! Public keys on the curve P-256 (SEC 2, secp256r1): as a JWK (RFC 7517; RFC 7518, section 6.2), as SEC 1 bytes, and by their
//! thumbprint (RFC 7638).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes of an uncompressed point (SEC 1, section 2.3.3): 4, then both coordinates.
const POINT_BYTES: usize = 65;

/// A public key as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Jwk {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// 32 bytes, base64url without padding.
    pub x: String,
    /// The same.
    pub y: String,
}

/// No public key on P-256.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a public key on the curve P-256")]
pub struct KeyError;

/// The key that a device signs its requests with.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKey(VerifyingKey);

impl Jwk {
    /// Of an uncompressed point.
    ///
    /// # Errors
    /// If the bytes are no point of the curve.
    pub fn from_sec1(bytes: &[u8]) -> Result<Jwk, KeyError> {
        DeviceKey::from_sec1(bytes).map(|key| key.jwk())
    }

    /// The uncompressed point.
    ///
    /// # Errors
    /// If it is none of the curve.
    pub fn to_sec1(&self) -> Result<[u8; POINT_BYTES], KeyError> {
        DeviceKey::from_jwk(self).map(|key| key.to_sec1())
    }
}

impl DeviceKey {
    /// Of a JWK.
    ///
    /// # Errors
    /// If it is no public key on P-256.
    pub fn from_jwk(jwk: &Jwk) -> Result<DeviceKey, KeyError> {
        if jwk.kty != "EC" || jwk.crv != "P-256" {
            return Err(KeyError);
        }
        let mut point = [4; POINT_BYTES];
        point[1..33].copy_from_slice(&coordinate(&jwk.x).ok_or(KeyError)?);
        point[33..].copy_from_slice(&coordinate(&jwk.y).ok_or(KeyError)?);
        DeviceKey::from_sec1(&point)
    }

    /// Of an uncompressed point: 65 bytes, the first of them 4.
    ///
    /// # Errors
    /// If the bytes are no point of the curve.
    pub fn from_sec1(bytes: &[u8]) -> Result<DeviceKey, KeyError> {
        // A compressed point would be read as well, and one key would have two forms.
        if bytes.len() != POINT_BYTES {
            return Err(KeyError);
        }
        VerifyingKey::from_sec1_bytes(bytes).map(DeviceKey).map_err(|_| KeyError)
    }

    /// The uncompressed point.
    pub fn to_sec1(&self) -> [u8; POINT_BYTES] {
        let mut bytes = [0; POINT_BYTES];
        bytes.copy_from_slice(self.0.to_sec1_point(false).as_bytes());
        bytes
    }

    /// As JSON.
    pub fn jwk(&self) -> Jwk {
        let point = self.to_sec1();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        Jwk { kty: "EC".to_owned(), crv: "P-256".to_owned(), x, y }
    }

    /// SHA-256 of the JWK in its one form (RFC 7638): what the key is found by.
    pub fn thumbprint(&self) -> [u8; 32] {
        let Jwk { kty, crv, x, y } = self.jwk();
        Sha256::digest(format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#)).into()
    }

    /// Whether 64 bytes (R, then S; RFC 7518, section 3.4) are this key's signature of a message.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }

    pub(super) fn of(key: &VerifyingKey) -> DeviceKey {
        DeviceKey(*key)
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", URL_SAFE_NO_PAD.encode(self.thumbprint()))
    }
}

fn coordinate(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 7517, appendix A.1, and of its examples in section 3.
    fn example() -> Jwk {
        Jwk {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".into(),
            y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into(),
        }
    }

    #[test]
    fn a_key_reads_back() {
        let key = DeviceKey::from_jwk(&example()).unwrap();
        assert_eq!(key.jwk(), example());
        assert_eq!(DeviceKey::from_sec1(&key.to_sec1()), Ok(key.clone()));
        assert_eq!(Jwk::from_sec1(&example().to_sec1().unwrap()), Ok(example()));
        assert!(format!("{key:?}").len() < 60);
    }

    /// RFC 9449 gives the thumbprint of the key of its examples (sections 4.1 and 6.1).
    #[test]
    fn the_thumbprint_is_that_of_rfc_9449() {
        let jwk = Jwk {
            x: "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs".into(),
            y: "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA".into(),
            ..example()
        };
        let thumbprint = DeviceKey::from_jwk(&jwk).unwrap().thumbprint();
        assert_eq!(URL_SAFE_NO_PAD.encode(thumbprint), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn what_is_no_key_on_the_curve_is_refused() {
        let swapped = Jwk { x: example().y, y: example().x, ..example() };
        let other = |change: fn(&mut Jwk)| {
            let mut jwk = example();
            change(&mut jwk);
            jwk
        };
        for jwk in [
            swapped,
            other(|jwk| jwk.kty = "OKP".into()),
            other(|jwk| jwk.crv = "P-384".into()),
            other(|jwk| jwk.x.push('=')),
            other(|jwk| jwk.x = "AA".into()),
            other(|jwk| jwk.y = jwk.y.replace("Etl6", "+/l6")),
        ] {
            assert_eq!(DeviceKey::from_jwk(&jwk), Err(KeyError), "{jwk:?}");
        }
        let point = example().to_sec1().unwrap();
        let mut compressed = point[..33].to_vec();
        compressed[0] = 2 + point[64] % 2;
        let mut hybrid = point;
        hybrid[0] = 6;
        for bytes in [&[][..], &[0], &[0; 65], &[4; 65], &point[..64], &compressed, &hybrid] {
            assert_eq!(DeviceKey::from_sec1(bytes), Err(KeyError));
        }
    }
}
