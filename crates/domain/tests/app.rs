//! What the app's modules are held to: codes and masks, computed here with other code than the app's, in files that both read
//! (`vectors/app`). A file that differs is rewritten, and the test fails once, so that the change is seen and committed.
//!
//! The app itself is `web/app/js/crypto`; `tests/web` and `tests/browser` compare it with these files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use ramz_domain::card::Purpose;
use ramz_domain::limits;
use ramz_domain::oath::{Inputs, Suite, shown};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

const RANDOM: u64 = 1000;
/// As `vectors.rs` has them: RFC 4226 D, RFC 6238 B, RFC 6287 C.
const PUBLISHED: usize = 10 + 18 + 70;
/// What the app stretches its PIN by.
const ITERATIONS: u32 = 600_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// 32 bytes that look random, always the same.
fn drawn(what: &str, n: u64) -> [u8; 32] {
    Sha256::new().chain_update(what).chain_update(n.to_be_bytes()).finalize().into()
}

fn whole(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Fails once if the file is not what it should be.
#[track_caller]
fn kept(name: &str, fresh: &str) {
    let path = folder().join("app").join(name);
    if fs::read_to_string(&path).unwrap_or_default() != fresh {
        fs::write(&path, fresh).unwrap();
        panic!(
            "vectors/app/{name} was not what the code says; it has been rewritten: read the change and commit it"
        );
    }
}

/// The code of a card: seed, digits, what for, step of the ceiling, minute.
fn code(seed: &[u8], digits: u8, purpose: Purpose, ceiling: u8, minute: u64) -> String {
    let suite = Suite::parse(&format!("OCRA-1:HOTP-SHA256-{digits}:QN08-T1M")).unwrap();
    let question = format!("{}{ceiling:03}0000", purpose.digit());
    let asked = suite.keyed(seed).asked(&Inputs { question: &question, ..Inputs::default() }).unwrap();
    shown(asked.at(minute), digits).to_string()
}

fn random_codes() -> String {
    let purposes =
        [(Purpose::FirstPin, "first"), (Purpose::SecondPin, "second"), (Purpose::Control, "control")];
    let mut lines = Vec::new();
    for n in 0..RANDOM {
        let (seed, how) = (drawn("seed", n), drawn("how", n));
        let (purpose, word) = purposes[usize::from(how[0]) % purposes.len()];
        // A control code has no ceiling.
        let ceiling = if purpose == Purpose::Control { 0 } else { how[1] % (limits::CEILING_STEPS_MAX + 1) };
        let digits = 7 + how[2] % 2;
        // The first minute, the last that a script's numbers have whole, and any of the next eight thousand years.
        let minute = match n {
            0 => 0,
            1 => (1 << 53) - 1,
            _ => whole(&how[3..7]),
        };
        let code = code(&seed, digits, purpose, ceiling, minute);
        lines.push(format!(r#"    ["{}", {digits}, "{word}", {ceiling}, {minute}, "{code}"]"#, hex(&seed)));
    }
    lines.join(",\n")
}

/// The codes that the RFCs publish, from their files: each case with what its file says for all.
fn published() -> String {
    let mut paths: Vec<_> =
        fs::read_dir(folder().join("oath")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let mut head: Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        if head.remove("expect") != Some(Value::String("codes".into())) {
            continue;
        }
        let Some(Value::Array(cases)) = head.remove("case") else { panic!("{path:?} has no cases") };
        for case in cases {
            let mut whole = head.clone();
            whole.extend(case.as_table().unwrap().clone());
            let member = |(name, value): (&String, &Value)| match value {
                Value::Integer(number) => format!(r#""{name}": {number}"#),
                other => format!(r#""{name}": "{}""#, other.as_str().unwrap().replace('"', "\\\"")),
            };
            lines.push(format!("    {{{}}}", whole.iter().map(member).collect::<Vec<_>>().join(", ")));
        }
    }
    assert_eq!(lines.len(), PUBLISHED, "the RFCs' appendices have so many");
    lines.join(",\n")
}

#[test]
fn the_codes_that_the_app_is_held_to_are_ours() {
    let fresh = format!(
        "{{\n  \"source\": \"crates/domain/tests/app.rs writes this\",\n  \"columns\": \
         [\"seed\", \"digits\", \"purpose\", \"ceiling\", \"minute\", \"code\"],\n  \"random\": [\n{}\n  ],\n  \
         \"published\": [\n{}\n  ]\n}}\n",
        random_codes(),
        published()
    );
    kept("codes.json", &fresh);
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// PBKDF2 (RFC 8018, 5.2) of one block, which is as long as SHA-256.
fn stretched(pin: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let keyed = Hmac::<Sha256>::new_from_slice(pin.as_bytes()).unwrap();
    let mut last = mac(pin.as_bytes(), &[salt, &1u32.to_be_bytes()]);
    let mut all = last;
    for _ in 1..iterations {
        last = keyed.clone().chain_update(last).finalize().into_bytes().into();
        all.iter_mut().zip(last).for_each(|(byte, next)| *byte ^= next);
    }
    all
}

fn xor(one: [u8; 32], other: [u8; 32]) -> [u8; 32] {
    std::array::from_fn(|at| one[at] ^ other[at])
}

#[test]
fn the_masks_that_the_app_is_held_to_are_these() {
    let mut lines = Vec::new();
    for (n, pin) in [(0, "271828"), (1, "000000000000")] {
        let (secret, seed) = (drawn("secret", n), drawn("seed", n));
        let (salt, reference) = (&drawn("salt", n)[..16], &drawn("reference", n)[..16]);
        let stretched = stretched(pin, salt, ITERATIONS);
        let masked = xor(seed, mac(&secret, &[b"mask", reference, &stretched]));
        let picture = mac(&stretched, &[b"picture"])[0];
        let [secret, salt, stretched] = [secret.as_slice(), salt, stretched.as_slice()].map(hex);
        let [reference, seed, masked] = [reference, seed.as_slice(), masked.as_slice()].map(hex);
        let (shape, colour) = (picture & 15, picture >> 4 & 7);
        lines.push(format!(
            r#"    {{"secret": "{secret}", "pin": "{pin}", "salt": "{salt}", "stretched": "{stretched}", "reference": "{reference}", "seed": "{seed}", "masked": "{masked}", "shape": {shape}, "colour": {colour}}}"#
        ));
    }
    let lines = lines.join(",\n");
    kept(
        "masks.json",
        &format!(
            "{{\n  \"source\": \"crates/domain/tests/app.rs writes this\",\n  \"cases\": [\n{lines}\n  ]\n}}\n"
        ),
    );
}

/// RFC 7914, section 11: PBKDF2-HMAC-SHA-256, of which the first 32 of 64 bytes are one block.
#[test]
fn the_stretching_here_is_that_of_the_rfc() {
    let check = |pin, salt: &[u8], iterations, expect: &str| {
        assert_eq!(hex(&stretched(pin, salt, iterations)), expect)
    };
    check("passwd", b"salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    check("Password", b"NaCl", 80_000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}
