//! Proofs by another library (`vectors/make.py`) are taken or refused here; ours are those that the other library takes.

#![expect(clippy::unwrap_used, reason = "a vector that cannot be read fails its test")]

use ramz_api::app::{DeviceKey, Expected, Signer, ToSign, verify};
use ramz_domain::{DeviceId, Entropy, Moment};
use serde_json::Value;
use zeroize::Zeroizing;

struct Same(u8);

impl Entropy for Same {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/proofs.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[test]
fn a_proof_of_another_library_is_taken_or_refused_as_it_says() {
    let vectors = vectors();
    let key = DeviceKey::from_jwk(&serde_json::from_value(vectors["key"].clone()).unwrap()).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 15 && text(&vectors, "source").contains("joserfc"));
    for case in cases {
        let expected = Expected {
            method: text(case, "method"),
            url: text(&vectors, "url"),
            device: DeviceId::parse(text(&vectors, "device")).unwrap(),
            key: &key,
            body: text(case, "body").as_bytes(),
            now: Moment::from_unix_ms(vectors["now_s"].as_u64().unwrap() * 1000),
        };
        let said = match verify(text(case, "proof"), &expected) {
            Ok(proof) => proof.counter.map_or("ok".to_owned(), |counter| format!("ok {counter}")),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(said, text(case, "expect"), "{}", text(case, "name"));
    }
}

#[test]
fn a_proof_of_ours_is_one_that_another_library_takes() {
    let vectors = vectors();
    let signer = Signer::from_secret(&Zeroizing::new([7; 32])).unwrap();
    let ours = vectors["ours"].as_array().unwrap();
    assert_eq!(ours.len(), 2);
    let sign = |case: &Value| {
        let request = ToSign {
            method: text(case, "method"),
            url: text(&vectors, "url"),
            device: DeviceId::parse(text(&vectors, "device")).unwrap(),
            body: text(case, "body").as_bytes(),
            counter: case["counter"].as_u64(),
            now: Moment::from_unix_ms(vectors["now_s"].as_u64().unwrap() * 1000),
        };
        signer.sign(&request, &Same(3))
    };
    let (signed, kept): (Vec<_>, Vec<_>) = ours.iter().map(|case| (sign(case), text(case, "proof"))).unzip();
    assert_eq!(signed, kept);
}
