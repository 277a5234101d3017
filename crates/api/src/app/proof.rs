//! The proof that a request is a device's: DPoP (RFC 9449), ES256 only.
//!
//! The device's id stands in the place of the access token: it is no secret, the key proves. Beside the claims of the RFC there
//! are two of ours: `bh`, the body's hash, so that a proof is good for one body, and `ctr`, a write's number, which the issuer
//! lets only rise. A proof says with `iat` when it was made. Not here: whether the counter is new, and whose the device is.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ramz_domain::{DeviceId, Moment, limits};
use sha2::{Digest as _, Sha256};

use super::key::{DeviceKey, Jwk};
use crate::json::{Json, Member};
use crate::problem::Problem;

/// The header with the proof.
pub const PROOF: &str = "dpop";
/// The scheme of `Authorization`.
pub(super) const SCHEME: &str = "DPoP";
/// What a proof's header says that it is (RFC 9449, section 4.2).
pub(super) const TYP: &str = "dpop+jwt";
/// ECDSA on P-256 with SHA-256 (RFC 7518, section 3.4): the only one.
pub(super) const ALG: &str = "ES256";
/// Characters of a `jti`: 96 random bits in base64url, up to a hash in hexadecimal digits.
const JTI_CHARS: std::ops::RangeInclusive<usize> = 16..=64;
/// The largest counter: what every JSON reader keeps whole (RFC 8259, section 6).
pub(super) const COUNTER_MAX: u64 = (1 << 53) - 1;

/// What stands in a request's headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Presented<'a> {
    /// The device that the request says it is of.
    pub device: DeviceId,
    /// What shall prove it.
    pub proof: &'a str,
}

/// The request that a proof must be of.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// As in the request: `GET`.
    pub method: &'a str,
    /// The whole URL as the client has it: of the bank's public name, not of a proxy's inner one.
    pub url: &'a str,
    /// The device that `Authorization` names.
    pub device: DeviceId,
    /// Its key, from its row: the one in the proof is only compared with it.
    pub key: &'a DeviceKey,
    /// The body's bytes; empty for none.
    pub body: &'a [u8],
    /// The server's time.
    pub now: Moment,
}

/// A proof that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Its own name.
    pub jti: String,
    /// The write's number; `None` for a `GET`.
    pub counter: Option<u64>,
}

/// Why a request is not proved. Names what is wrong, and repeats no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofError {
    /// No `Authorization` of ours, or more than one.
    #[error("one header Authorization must say DPoP and the device's id")]
    Authorization,
    /// No header `DPoP`, or more than one.
    #[error("one header DPoP must have the proof")]
    Missing,
    /// More than [`limits::PROOF_BYTES_MAX`].
    #[error("a proof has at most {max} bytes", max = limits::PROOF_BYTES_MAX)]
    TooLong,
    /// No compact JWS of two JSON objects.
    #[error(
        "a proof is three parts in base64url, the first two of them JSON objects that name each member once"
    )]
    Form,
    /// A member of its header.
    #[error("the proof's header must be that of RFC 9449 with ES256, and its {0} is not")]
    Header(&'static str),
    /// The key in its header is another one.
    #[error("the proof's key is not the device's")]
    Key,
    /// The device's key did not sign it.
    #[error("the proof's signature is wrong")]
    Signature,
    /// A claim that is missing or not this request's.
    #[error("the proof's claim {0} is missing or not this request's")]
    Claim(&'static str),
    /// It was made too long ago, or is of the future.
    #[error("the proof's iat is not the server's time")]
    Clock,
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Problem {
        match error {
            ProofError::Clock => Problem::clock_is_off(),
            error => Problem::not_proved(error),
        }
    }
}

/// The device that an `Authorization` names, before its row is read.
pub fn named(authorization: &str) -> Option<DeviceId> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_matches(' ');
    let device = DeviceId::parse(token).filter(|_| scheme.eq_ignore_ascii_case(SCHEME))?;
    // One form only, for its hash is in the proof.
    (device.to_string() == token).then_some(device)
}

/// The device and the proof in a request's headers, each there once.
///
/// # Errors
/// [`ProofError::Authorization`] and [`ProofError::Missing`].
pub fn presented(headers: &HeaderMap) -> Result<Presented<'_>, ProofError> {
    let authorization = only(headers, header::AUTHORIZATION.as_str());
    let device = authorization.and_then(named).ok_or(ProofError::Authorization)?;
    Ok(Presented { device, proof: only(headers, PROOF).ok_or(ProofError::Missing)? })
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()
}

/// Whether a proof is of this request (RFC 9449, section 4.3).
///
/// # Errors
/// What is wrong with it, the signature before the claims.
pub fn verify(proof: &str, expected: &Expected<'_>) -> Result<Proof, ProofError> {
    if proof.len() > limits::PROOF_BYTES_MAX {
        return Err(ProofError::TooLong);
    }
    let mut parts = proof.split('.');
    let (Some(head), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(ProofError::Form);
    };
    let signed = &proof[..head.len() + 1 + claims.len()];
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| ProofError::Form)?;
    let (head, claims) = (decoded(head)?, decoded(claims)?);
    let (head, claims) = (json(&head)?, json(&claims)?);
    check_header(&Members::of(&head).ok_or(ProofError::Form)?, expected.key)?;
    let claims = Members::of(&claims).ok_or(ProofError::Form)?;
    if !expected.key.signed(signed.as_bytes(), &signature) {
        return Err(ProofError::Signature);
    }
    check_claims(&claims, expected)
}

fn check_header(header: &Members<'_>, key: &DeviceKey) -> Result<(), ProofError> {
    if header.text("typ") != Some(TYP) {
        return Err(ProofError::Header("typ"));
    }
    if header.text("alg") != Some(ALG) {
        return Err(ProofError::Header("alg"));
    }
    // There is no extension that we understand (RFC 7515, section 4.1.11).
    if header.get("crit").is_some() {
        return Err(ProofError::Header("crit"));
    }
    let told = header.get("jwk").and_then(told_key).ok_or(ProofError::Header("jwk"))?;
    if told == *key { Ok(()) } else { Err(ProofError::Key) }
}

/// The key in a proof's header. Members beside its own are nothing to us; a private key is not taken.
fn told_key(jwk: &Json) -> Option<DeviceKey> {
    let jwk = Members::of(jwk).filter(|jwk| jwk.get("d").is_none())?;
    let text = |name| jwk.text(name).map(str::to_owned);
    let jwk = Jwk { kty: text("kty")?, crv: text("crv")?, x: text("x")?, y: text("y")? };
    DeviceKey::from_jwk(&jwk).ok()
}

fn check_claims(claims: &Members<'_>, expected: &Expected<'_>) -> Result<Proof, ProofError> {
    let must_be = |name, is: bool| if is { Ok(()) } else { Err(ProofError::Claim(name)) };
    must_be("htm", claims.text("htm") == Some(expected.method))?;
    let url = claims.text("htu").and_then(bare);
    must_be("htu", url.is_some() && url == bare(expected.url))?;
    let iat_s = claims.whole("iat").ok_or(ProofError::Claim("iat"))?;
    if iat_s.abs_diff(expected.now.unix_ms() / 1000) > limits::PROOF_SKEW.as_secs() {
        return Err(ProofError::Clock);
    }
    let token = hash(expected.device.to_string().as_bytes());
    must_be("ath", claims.text("ath") == Some(token.as_str()))?;
    must_be("bh", claims.text("bh") == Some(hash(expected.body).as_str()))?;
    let fits = |jti: &&str| JTI_CHARS.contains(&jti.len()) && jti.bytes().all(|b| b.is_ascii_graphic());
    let jti = claims.text("jti").filter(fits).ok_or(ProofError::Claim("jti"))?.to_owned();
    let counter = claims.whole("ctr").filter(|counter| *counter <= COUNTER_MAX);
    // A read has none: it changes nothing, and two may be on their way at once.
    let fits = if expected.method == "GET" { claims.get("ctr").is_none() } else { counter.is_some() };
    must_be("ctr", fits)?;
    Ok(Proof { jti, counter })
}

/// SHA-256 in base64url.
pub(super) fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// A URL without query and fragment, in one form (RFC 9449, section 4.3, points to RFC 3986, sections 6.2.2 and 6.2.3).
pub(super) fn bare(url: &str) -> Option<String> {
    let url = url.find(['?', '#']).map_or(url, |end| &url[..end]);
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let standard = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = authority.strip_suffix(standard).unwrap_or(&authority);
    let path = if path.is_empty() { "/" } else { path };
    Some(format!("{scheme}://{authority}{path}"))
}

/// A JSON object that names each member once: of two, one reader takes the first and another the last.
struct Members<'a>(&'a [Member<'a>]);

impl<'a> Members<'a> {
    fn of(tree: &'a Json<'_>) -> Option<Members<'a>> {
        let Json::Object(members) = tree else { return None };
        let mut names: Vec<_> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1]).then_some(Members(members))
    }

    fn get(&self, name: &str) -> Option<&'a Json<'a>> {
        self.0.iter().find(|(n, _)| **n == *name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name) {
            Some(Json::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn whole(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Json::Whole(number)) => Some(*number),
            _ => None,
        }
    }
}

/// One part of a JWS.
fn decoded(part: &str) -> Result<Vec<u8>, ProofError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| ProofError::Form)
}

fn json(part: &[u8]) -> Result<Json<'_>, ProofError> {
    Json::parse(part).map_err(|_| ProofError::Form)
}

#[cfg(test)]
mod tests;
