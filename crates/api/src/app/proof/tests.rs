//! A proof holds for its request, and for nothing else.

use axum::http::HeaderValue;
use proptest::prelude::*;
use ramz_domain::Entropy;
use serde_json::{Value, json};

use super::*;
use crate::app::signer::{Signer, ToSign, authorization};
use crate::problem::Kind;

const URL: &str = "https://app.bank.example/app/cards";
const BODY: &[u8] = br#"{"name":"x"}"#;
const DEVICE: DeviceId = DeviceId([0xd5; 16]);
const NOW: Moment = Moment::from_unix_ms(1_795_485_164_999);

struct Same(u8);

impl Entropy for Same {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn signer() -> Signer {
    Signer::generate(&Same(7))
}

fn to_sign() -> ToSign<'static> {
    ToSign { method: "POST", url: URL, device: DEVICE, body: BODY, counter: Some(9), now: NOW }
}

fn expected(key: &DeviceKey) -> Expected<'_> {
    Expected { method: "POST", url: URL, device: DEVICE, key, body: BODY, now: NOW }
}

/// What is said of the usual proof with its header and claims changed, signed by the device.
fn changed(change: impl FnOnce(&mut Value, &mut Value)) -> Result<Proof, ProofError> {
    let proof = signer().sign(&to_sign(), &Same(3));
    let mut parts = proof.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    });
    let (mut header, mut claims) = (parts.next().unwrap(), parts.next().unwrap());
    change(&mut header, &mut claims);
    verify(&signer().jws(&header, &claims), &expected(&signer().public()))
}

fn with_claim(name: &str, value: impl Into<Value>) -> Result<Proof, ProofError> {
    changed(|_, claims| claims[name] = value.into())
}

fn with_header(name: &str, value: impl Into<Value>) -> Result<Proof, ProofError> {
    changed(|header, _| header[name] = value.into())
}

/// What is said of these parts, written by hand and signed by the device.
fn written(header: &str, claims: &str) -> Result<Proof, ProofError> {
    use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let signature: Signature = key.sign(signed.as_bytes());
    let proof = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    verify(&proof, &expected(&signer().public()))
}

#[test]
fn a_proof_is_good_for_its_request_and_for_no_other() {
    let (key, other) = (signer().public(), Signer::generate(&Same(8)).public());
    let proof = signer().sign(&to_sign(), &Same(3));
    let usual = expected(&key);
    let held = Proof { jti: "AwMDAwMDAwMDAwMDAwMDAw".into(), counter: Some(9) };
    assert_eq!(verify(&proof, &usual), Ok(held));
    for (expected, error) in [
        (Expected { method: "PUT", ..usual }, ProofError::Claim("htm")),
        (Expected { url: "https://app.bank.example/app/devices", ..usual }, ProofError::Claim("htu")),
        (Expected { url: "https://app.other.example/app/cards", ..usual }, ProofError::Claim("htu")),
        (Expected { url: "http://app.bank.example/app/cards", ..usual }, ProofError::Claim("htu")),
        (Expected { url: "nothing", ..usual }, ProofError::Claim("htu")),
        (Expected { device: DeviceId([1; 16]), ..usual }, ProofError::Claim("ath")),
        (Expected { body: br#"{"name":"y"}"#, ..usual }, ProofError::Claim("bh")),
        (Expected { body: b"", ..usual }, ProofError::Claim("bh")),
        (Expected { key: &other, ..usual }, ProofError::Key),
    ] {
        assert_eq!(verify(&proof, &expected), Err(error), "{expected:?}");
    }
}

#[test]
fn a_proof_with_another_key_in_its_header_is_refused() {
    let stranger = Signer::generate(&Same(8));
    let proof = stranger.sign(&to_sign(), &Same(3));
    assert_eq!(verify(&proof, &expected(&signer().public())), Err(ProofError::Key));
    // The device's key in the header, and the stranger's signature.
    let claims = URL_SAFE_NO_PAD.decode(proof.split('.').nth(1).unwrap()).unwrap();
    let header = json!({ "typ": TYP, "alg": ALG, "jwk": signer().public().jwk() });
    let proof = stranger.jws(&header, &serde_json::from_slice::<Value>(&claims).unwrap());
    assert_eq!(verify(&proof, &expected(&signer().public())), Err(ProofError::Signature));
}

#[test]
fn a_proof_is_of_now() {
    let key = signer().public();
    let proof = signer().sign(&to_sign(), &Same(3));
    let now_s = NOW.unix_ms() / 1000;
    for (at_s, good) in [(-121, false), (-120, true), (0, true), (120, true), (121, false)] {
        let now = Moment::from_unix_ms(now_s.saturating_add_signed(at_s) * 1000 + 500);
        let said = verify(&proof, &Expected { now, ..expected(&key) });
        assert_eq!(said.is_ok(), good, "{at_s}");
        assert!(good || said == Err(ProofError::Clock));
    }
    for iat in [json!(null), json!("1795485164"), json!(1_795_485_164.5), json!(-1)] {
        assert_eq!(with_claim("iat", iat), Err(ProofError::Claim("iat")));
    }
    assert_eq!(with_claim("iat", u64::MAX), Err(ProofError::Clock));
    let problem = Problem::from(ProofError::Clock);
    assert!(problem.kind == Kind::NotProved && problem.detail.contains("/app/time"));
}

#[test]
fn a_write_has_a_counter_and_a_read_has_none() {
    let key = signer().public();
    for method in ["POST", "PUT", "DELETE"] {
        let proof = signer().sign(&ToSign { method, counter: None, ..to_sign() }, &Same(3));
        let said = verify(&proof, &Expected { method, ..expected(&key) });
        assert_eq!(said, Err(ProofError::Claim("ctr")), "{method}");
    }
    let read = Expected { method: "GET", ..expected(&key) };
    for (counter, good) in [(None, true), (Some(9), false)] {
        let proof = signer().sign(&ToSign { method: "GET", counter, ..to_sign() }, &Same(3));
        let said = verify(&proof, &read);
        assert_eq!(said.map(|proof| proof.counter).ok(), good.then_some(None));
    }
    for counter in [json!(0), json!(COUNTER_MAX)] {
        assert!(with_claim("ctr", counter).is_ok());
    }
    for counter in [json!(COUNTER_MAX + 1), json!("9"), json!(-9), json!(9.5), json!(null), json!([9])] {
        assert_eq!(with_claim("ctr", counter), Err(ProofError::Claim("ctr")));
    }
}

#[test]
fn a_header_that_is_not_the_rfcs_is_refused() {
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!(null)),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("es256")),
        ("alg", json!("ES384")),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("jwk", json!("key")),
        ("jwk", json!({ "kty": "EC" })),
    ] {
        let member = name;
        assert_eq!(with_header(member, value), Err(ProofError::Header(member)), "{name}");
    }
    let private = changed(|header, _| header["jwk"]["d"] = json!("AA"));
    assert_eq!(private, Err(ProofError::Header("jwk")));
    // What says nothing to us is no fault.
    assert!(changed(|header, _| header["jwk"]["use"] = json!("sig")).is_ok());
    assert!(with_header("kid", "a").is_ok());
    assert!(with_claim("nonce", "a").is_ok());
}

#[test]
fn every_claim_must_be_there() {
    for name in ["jti", "htm", "htu", "iat", "ath", "bh", "ctr"] {
        let said = changed(|_, claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(said, Err(ProofError::Claim(name)));
    }
    for jti in ["", "a b c d e f g h i", "short-by-one-15", &"x".repeat(65), "سیزده نویسه و بیشتر"]
    {
        assert_eq!(with_claim("jti", jti), Err(ProofError::Claim("jti")), "{jti}");
    }
    assert!(with_claim("jti", "e1j3V_bKic8-LAEB").is_ok());
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let jwk = serde_json::to_string(&signer().public().jwk()).unwrap();
    let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{jwk}}}"#);
    let (ath, bh) = (hash(DEVICE.to_string().as_bytes()), hash(BODY));
    let claims = format!(
        r#"{{"jti":"0123456789abcdef","htm":"POST","htu":"{URL}","iat":1795485164,"ath":"{ath}","bh":"{bh}","ctr":1}}"#
    );
    assert!(written(&header, &claims).is_ok());
    let twice = claims.replace(r#""ctr":1"#, r#""ctr":1,"ctr":2"#);
    assert_eq!(written(&header, &twice), Err(ProofError::Form));
    let twice = header.replace(r#""alg""#, r#""alg":"none","alg""#);
    assert_eq!(written(&twice, &claims), Err(ProofError::Form));
    let twice = header.replace(r#""kty""#, r#""kty":"EC","kty""#);
    assert_eq!(written(&twice, &claims), Err(ProofError::Header("jwk")));
    for broken in ["", "[]", "null", "\"x\"", "{}x", "{\"a\":\"\u{0}\"}"] {
        assert_eq!(written(broken, &claims), Err(ProofError::Form), "{broken}");
        assert_eq!(written(&header, broken), Err(ProofError::Form), "{broken}");
    }
}

#[test]
fn a_signature_is_sixty_four_bytes_and_every_bit_counts() {
    let key = signer().public();
    let proof = signer().sign(&to_sign(), &Same(3));
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let said = |bytes: &[u8]| {
        let proof = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
        verify(&proof, &expected(&key))
    };
    assert!(raw.len() == 64 && said(&raw).is_ok());
    let longer = [raw.as_slice(), &[0]].concat();
    for bytes in [&raw[..63], &longer, &[], &[0; 64], &[0xff; 64]] {
        assert_eq!(said(bytes), Err(ProofError::Signature));
    }
    for bit in 0..512 {
        let mut bytes = raw.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(said(&bytes), Err(ProofError::Signature), "{bit}");
    }
    for proof in [format!("{proof}="), format!("{proof}."), format!(" {proof}"), signed.to_owned()] {
        assert_eq!(verify(&proof, &expected(&key)), Err(ProofError::Form));
    }
}

#[test]
fn a_proof_that_is_too_long_is_not_read() {
    assert!(with_claim("x", "y".repeat(2000)).is_ok());
    assert_eq!(with_claim("x", "y".repeat(4000)), Err(ProofError::TooLong));
}

#[test]
fn case_default_port_and_query_make_no_other_url() {
    for url in [
        "HTTPS://App.Bank.Example/app/cards",
        "https://app.bank.example:443/app/cards",
        "https://app.bank.example/app/cards?a=b",
        "https://app.bank.example/app/cards#a/b",
    ] {
        assert!(with_claim("htu", url).is_ok(), "{url}");
    }
    for url in [
        "",
        "/app/cards",
        "https://app.bank.example/app/Cards",
        "https://app.bank.example/app/cards/",
        "https://app.bank.example:8443/app/cards",
        "https://app.bank.example:80/app/cards",
        "https://app.bank.example.evil.example/app/cards",
        "ftp://app.bank.example/app/cards",
    ] {
        assert_eq!(with_claim("htu", url), Err(ProofError::Claim("htu")), "{url}");
    }
    assert_eq!(bare("http://localhost:8723"), Some("http://localhost:8723/".into()));
    assert_eq!(bare("http://[::1]:80/a"), Some("http://[::1]/a".into()));
}

#[test]
fn a_device_is_named_in_one_form() {
    let named_so = authorization(DEVICE);
    assert_eq!(named(&named_so), Some(DEVICE));
    assert_eq!(named(&named_so.replace("DPoP", "dpop")), Some(DEVICE));
    let id = DEVICE.to_string();
    let bad =
        [format!("Bearer {id}"), format!("DPoP {}", id.to_uppercase()), format!("DPoP {id}0"), id.clone()];
    for text in bad.iter().map(String::as_str).chain(["", "DPoP", "DPoP ", "DPoP x"]) {
        assert_eq!(named(text), None, "{text}");
    }
}

#[test]
fn both_headers_stand_once() {
    let mut headers = HeaderMap::new();
    assert_eq!(presented(&headers), Err(ProofError::Authorization));
    headers.insert(header::AUTHORIZATION, authorization(DEVICE).parse().unwrap());
    assert_eq!(presented(&headers), Err(ProofError::Missing));
    headers.insert(PROOF, HeaderValue::from_static("a.b.c"));
    assert_eq!(presented(&headers), Ok(Presented { device: DEVICE, proof: "a.b.c" }));
    headers.append(PROOF, HeaderValue::from_static("a.b.c"));
    assert_eq!(presented(&headers), Err(ProofError::Missing));
    headers.append(header::AUTHORIZATION, authorization(DEVICE).parse().unwrap());
    assert_eq!(presented(&headers), Err(ProofError::Authorization));
}

#[test]
fn no_error_repeats_what_was_sent() {
    let marked = "unmistakable-0123456789";
    for name in ["jti", "htm", "htu", "iat", "ath", "bh", "ctr"] {
        let said = with_claim(name, format!("{marked} {marked}"));
        let problem = Problem::from(said.unwrap_err());
        assert!(problem.kind == Kind::NotProved && problem.detail.contains(name), "{problem}");
        assert!(!format!("{problem:?}").contains("unmistakable"));
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in ".{0,300}") {
        prop_assert!(verify(&text, &expected(&signer().public())).is_err());
        named(&text);
        bare(&text);
    }

    #[test]
    fn any_parts_are_refused_without_a_panic(
        header in prop::collection::vec(any::<u8>(), 0..200),
        claims in prop::collection::vec(any::<u8>(), 0..200),
        signature in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let proof = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        prop_assert!(verify(&proof, &expected(&signer().public())).is_err());
    }

    /// One changed byte anywhere.
    #[test]
    fn a_proof_with_a_changed_byte_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let proof = signer().sign(&to_sign(), &Same(3));
        let mut bytes = proof.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(other) = String::from_utf8(bytes) {
            prop_assert_eq!(verify(&other, &expected(&signer().public())).is_ok(), other == proof);
        }
    }
}
