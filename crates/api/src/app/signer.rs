//! The other end of a proof: what a device has that is no browser. For the lab, for tests, and for whoever writes an app.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use ramz_domain::{DeviceId, Entropy, Moment, ambient};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::key::{DeviceKey, Jwk};
use super::proof::{ALG, SCHEME, TYP, bare, hash};

/// A device's secret key. Wiped when dropped.
#[derive(Clone)]
pub struct Signer(SigningKey);

/// A request that is to be proved.
#[derive(Clone, Copy, Debug)]
pub struct ToSign<'a> {
    /// As it is sent: `GET`.
    pub method: &'a str,
    /// Where to, the whole URL.
    pub url: &'a str,
    /// Which device sends it.
    pub device: DeviceId,
    /// The body's bytes; empty for none.
    pub body: &'a [u8],
    /// The write's number, above that of the last; `None` for a `GET`.
    pub counter: Option<u64>,
    /// The server's time, as far as it is known.
    pub now: Moment,
}

/// The header `Authorization` of a device's requests.
pub fn authorization(device: DeviceId) -> String {
    format!("{SCHEME} {device}")
}

impl Signer {
    /// Of a secret: a number from 1 to below the curve's order, big-endian. `None` for any other (of random ones, one in four
    /// billion).
    pub fn from_secret(secret: &Zeroizing<[u8; 32]>) -> Option<Signer> {
        SigningKey::from_slice(secret.as_slice()).ok().map(Signer)
    }

    /// A fresh one.
    pub fn generate(entropy: &dyn Entropy) -> Signer {
        let mut secret = Zeroizing::new(ambient::random_bytes(entropy));
        loop {
            if let Some(signer) = Signer::from_secret(&secret) {
                return signer;
            }
            // Ends also where the randomness is a test's and always the same.
            secret = Zeroizing::new(Sha256::digest(secret.as_slice()).into());
        }
    }

    /// Its public key.
    pub fn public(&self) -> DeviceKey {
        DeviceKey::of(self.0.verifying_key())
    }

    /// The header `DPoP` of a request. The signature is deterministic (RFC 6979); the proof's own name is random.
    pub fn sign(&self, request: &ToSign<'_>, entropy: &dyn Entropy) -> String {
        let claims = Claims {
            jti: URL_SAFE_NO_PAD.encode(ambient::random_bytes::<16>(entropy)),
            htm: request.method,
            htu: bare(request.url).unwrap_or_default(),
            iat: request.now.unix_ms() / 1000,
            ath: hash(request.device.to_string().as_bytes()),
            bh: hash(request.body),
            ctr: request.counter,
        };
        self.jws(&Header { typ: TYP, alg: ALG, jwk: self.public().jwk() }, &claims)
    }

    /// A compact JWS (RFC 7515, section 7.1).
    pub(super) fn jws(&self, header: &impl Serialize, claims: &impl Serialize) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

#[derive(Serialize)]
struct Header {
    typ: &'static str,
    alg: &'static str,
    jwk: Jwk,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: String,
    iat: u64,
    ath: String,
    bh: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctr: Option<u64>,
}

/// One part of a JWS. Texts and numbers by fixed names can always be written.
fn part(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    /// The key, its public point and the signature of "sample" with SHA-256: RFC 6979, appendix A.2.5.
    #[test]
    fn signatures_are_those_of_rfc_6979() {
        let hex = |text: &str| -> Vec<u8> {
            let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            (0..text.len()).step_by(2).map(byte).collect()
        };
        let secret = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let signer = Signer::from_secret(&Zeroizing::new(secret.try_into().unwrap())).unwrap();
        let point = signer.public().to_sec1();
        assert_eq!(point[1..33], hex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"));
        assert_eq!(point[33..], hex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"));
        let r = hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716");
        let s = hex("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
        let signature: Signature = signer.0.sign(b"sample");
        assert_eq!(signature.to_bytes().as_slice(), [r, s].concat());
        assert!(signer.public().signed(b"sample", &signature.to_bytes()));
    }

    #[test]
    fn what_is_no_secret_key_is_refused_and_a_fresh_one_never_fails() {
        for byte in [0, 0xff] {
            assert!(Signer::from_secret(&Zeroizing::new([byte; 32])).is_none());
            Signer::generate(&Same(byte));
        }
        assert_eq!(format!("{:?}", Signer::generate(&Same(7))), "Signer(…)");
    }
}
