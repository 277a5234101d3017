//! The vectors beside it: made by `vectors/make.py` with other libraries, read through this crate's public API only.
//!
//! One test a file, of the same name. That a PIN block is *read* right is seen in what it is translated to.

#![expect(clippy::unwrap_used, reason = "a vector that cannot be read fails its test")]

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ramz_domain::{CardId, ChallengeId, Digest, Entropy, Pan, Pin};
use ramz_keys::{
    ChainLink, IndexPurpose, KeyFault, KeyRing, Keys, PinBlock, PinBlockFormat, PinSource, Place, Purpose,
    Received, SoftKeys, Sources, ZoneCipher, ZoneKey,
};
use toml::{Table, Value};

/// Hands out the bytes it was given, and panics when there are no more.
#[derive(Default)]
struct Script(Mutex<VecDeque<u8>>);

impl Script {
    fn of(bytes: impl IntoIterator<Item = u8>) -> Script {
        Script(Mutex::new(bytes.into_iter().collect()))
    }

    fn then(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend(bytes);
    }
}

impl Entropy for Script {
    fn fill(&self, bytes: &mut [u8]) {
        let mut left = self.0.lock().unwrap();
        bytes
            .iter_mut()
            .for_each(|byte| *byte = left.pop_front().expect("no more random bytes were foreseen"));
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

struct Vectors {
    head: Table,
    cases: Vec<Table>,
}

impl Vectors {
    fn read(name: &str, expect: &str) -> Vectors {
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
        let mut head: Table = text.parse().unwrap();
        let Some(Value::Array(cases)) = head.remove("case") else { panic!("{name} has no cases") };
        assert_eq!(text_of(&head, "expect"), expect);
        assert!(!text_of(&head, "source").is_empty());
        Vectors { head, cases: cases.into_iter().map(|case| case.try_into().unwrap()).collect() }
    }

    fn ring(&self, entropy: &Script) -> KeyRing {
        for key in self.head["ring"].as_array().unwrap() {
            entropy.then(&hex::decode(key.as_str().unwrap()).unwrap());
        }
        KeyRing::generate(entropy)
    }

    /// Keys of the file's ring.
    fn keys(&self) -> (SoftKeys, Arc<Script>) {
        let entropy = Arc::new(Script::default());
        let ring = self.ring(&entropy);
        (SoftKeys::new(ring, Arc::clone(&entropy) as Arc<dyn Entropy>), entropy)
    }

    /// Keys with zone `from` of the file's format and zone `to` of format 0.
    fn zones(&self) -> (SoftKeys, Arc<Script>, PinBlockFormat) {
        let number = self.head["format"].as_integer().unwrap().try_into().unwrap();
        let format = PinBlockFormat::numbered(number).unwrap();
        let cipher = format.cipher();
        let mut ring = KeyRing::generate(&Script::of([0x55; 160]));
        ring.add_zone("from", ZoneKey::new(cipher, &bytes_of(&self.head, "key")).unwrap()).unwrap();
        ring.add_zone("to", ZoneKey::new(ZoneCipher::Tdea, &bytes_of(&self.head, "to_key")).unwrap())
            .unwrap();
        let entropy = Arc::new(Script::default());
        (SoftKeys::new(ring, Arc::clone(&entropy) as Arc<dyn Entropy>), entropy, format)
    }
}

fn text_of<'a>(table: &'a Table, field: &str) -> &'a str {
    table[field].as_str().unwrap()
}

fn bytes_of(table: &Table, field: &str) -> Vec<u8> {
    hex::decode(text_of(table, field)).unwrap()
}

fn array_of<const N: usize>(table: &Table, field: &str) -> [u8; N] {
    bytes_of(table, field).try_into().unwrap()
}

fn check_pin_blocks(name: &str) {
    let vectors = Vectors::read(name, "accepted");
    let (keys, entropy, format) = vectors.zones();
    for case in &vectors.cases {
        let (pin, pan) =
            (Pin::parse(text_of(case, "pin")).unwrap(), Pan::parse(text_of(case, "pan")).unwrap());
        let block = PinBlock { format, bytes: bytes_of(case, "block").into() };
        // A block that was made for another PAN cannot be made for this one.
        if !name.ends_with("other-pan-other-pin") {
            entropy.then(&case.get("tail").map_or(vec![], |_| bytes_of(case, "tail")));
            assert!(keys.make_pin_block(&pin, &pan, "from", format).unwrap() == block, "{case:?}");
        }
        let to = keys.translate_pin_block(&block, "from", &pan, "to", PinBlockFormat::Iso0).unwrap();
        assert_eq!(*to.bytes, bytes_of(case, "translated"), "{case:?}");
    }
}

fn check_refusals(name: &str) {
    let vectors = Vectors::read(name, "refused");
    let (keys, _, format) = vectors.zones();
    for case in &vectors.cases {
        let pan = Pan::parse(text_of(case, "pan")).unwrap();
        let block = PinBlock { format, bytes: bytes_of(case, "block").into() };
        let why = text_of(case, "why");
        let refused = KeyFault::PinBlock("from".into());
        assert_eq!(
            keys.pin_block_matches(&block, "from", &pan, &Sources::default()).unwrap_err(),
            refused,
            "{why}"
        );
        let to = keys.translate_pin_block(&block, "from", &pan, "to", PinBlockFormat::Iso0);
        assert_eq!(to.unwrap_err(), refused, "{why}");
    }
}

fn check_tags(name: &str) {
    let vectors = Vectors::read(name, "accepted");
    let (keys, _) = vectors.keys();
    for case in &vectors.cases {
        let purpose = match text_of(case, "purpose") {
            "pan" => IndexPurpose::Pan,
            "phone" => IndexPurpose::Phone,
            "expiry" => IndexPurpose::Expiry,
            "payee-pan" => IndexPurpose::PayeePan,
            "admission" => IndexPurpose::Admission,
            "bill" => IndexPurpose::Bill,
            "api-key" => IndexPurpose::ApiKey,
            "payer" => IndexPurpose::Payer,
            "text" => IndexPurpose::Text,
            "activation" => IndexPurpose::Activation,
            "seed" => IndexPurpose::Seed,
            other => panic!("{other}"),
        };
        let parts =
            case["parts"].as_array().unwrap().iter().map(|part| hex::decode(part.as_str().unwrap()).unwrap());
        let parts: Vec<Vec<u8>> = parts.collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let tag = keys.index(purpose, &parts).unwrap();
        assert_eq!((tag.version, tag.bytes), (1, array_of(case, "tag")), "{case:?}");
    }
}

fn check_pins(name: &str) {
    let vectors = Vectors::read(name, "accepted");
    let (keys, _) = vectors.keys();
    for case in &vectors.cases {
        let source = PinSource {
            version: 1,
            digits: case["digits"].as_integer().unwrap().try_into().unwrap(),
            card: CardId(array_of(case, "card")),
            challenge: ChallengeId(array_of(case, "challenge")),
            payment: Digest(array_of(case, "payment")),
        };
        assert_eq!(keys.pin(&source).unwrap().expose(), text_of(case, "pin"));
    }
}

fn check_chain(name: &str) {
    let vectors = Vectors::read(name, "accepted");
    let (keys, _) = vectors.keys();
    for case in &vectors.cases {
        let link = ChainLink {
            card: CardId(array_of(case, "card")),
            seq: text_of(case, "seq").parse().unwrap(),
            previous: &array_of(case, "previous"),
            entry: &bytes_of(case, "entry"),
        };
        assert_eq!(keys.chain(1, link).unwrap(), array_of(case, "mac"));
    }
}

fn check_sealed(name: &str) {
    let vectors = Vectors::read(name, "accepted");
    let (keys, entropy) = vectors.keys();
    for case in &vectors.cases {
        let (row, clear, sealed) = (array_of(case, "row"), bytes_of(case, "clear"), bytes_of(case, "sealed"));
        let place = Place { row: &row, column: text_of(case, "column") };
        assert_eq!(*keys.open(place, &sealed).unwrap(), clear);
        entropy.then(&bytes_of(case, "nonce"));
        assert_eq!(keys.seal(place, &clear).unwrap(), sealed);
    }
}

fn check_key_files(name: &str) {
    let vectors = Vectors::read(name, "accepted");
    let (expected, _) = vectors.keys();
    for case in &vectors.cases {
        let (file, passphrase) = (bytes_of(case, "file"), text_of(case, "passphrase").as_bytes());
        let mut ring = KeyRing::open(&file, passphrase).unwrap();
        let check_value = ring.zone_check_value(text_of(&vectors.head, "zone")).unwrap();
        assert_eq!(check_value, text_of(&vectors.head, "check_value").to_uppercase());
        let keys = SoftKeys::open(&file, passphrase, Arc::new(Script::default())).unwrap();
        assert_eq!(keys.index(IndexPurpose::Pan, &[b"x"]), expected.index(IndexPurpose::Pan, &[b"x"]));
        let link = ChainLink { card: CardId([1; 16]), seq: 1, previous: &[0; 32], entry: b"x" };
        assert_eq!(keys.chain(1, link), expected.chain(1, link));
        let receive_keys = case["receive_keys"].as_integer().unwrap();
        assert_eq!(i64::from(ring.rotate(Purpose::Receive, &Script::of([7; 32]))), receive_keys + 1);
        let receive = match receive_keys {
            0 => Err(KeyFault::NoKey { purpose: "receive", version: 0 }),
            _ => expected.receive_key(),
        };
        assert_eq!(keys.receive_key(), receive);
    }
}

fn check_received(name: &str) {
    let vectors = Vectors::read(name, "accepted");
    let (keys, entropy) = vectors.keys();
    assert_eq!(keys.receive_key().unwrap().public, array_of(&vectors.head, "public"));
    for case in &vectors.cases {
        let (enc, ciphertext) = (bytes_of(case, "enc"), bytes_of(case, "ciphertext"));
        let associated = bytes_of(case, "associated");
        let received = Received { version: 1, enc: &enc, ciphertext: &ciphertext, associated: &associated };
        let (owner, place) = (array_of(case, "owner"), Place { row: &[1; 16], column: "token.seed" });
        entropy.then(&[0; 12]);
        let taken = keys.take_seed(&received, place, &owner).unwrap();
        assert_eq!(taken.mark, array_of(case, "mark"));
        let owned = keys.open(place, &taken.sealed).unwrap();
        assert_eq!(owned.as_slice(), [&owner[..], &bytes_of(case, "seed")].concat());
    }
}

fn check_check_values(name: &str) {
    for case in &Vectors::read(name, "accepted").cases {
        let cipher = if text_of(case, "cipher") == "tdea" { ZoneCipher::Tdea } else { ZoneCipher::Aes };
        let key = ZoneKey::new(cipher, &bytes_of(case, "key")).unwrap();
        assert_eq!(key.check_value(), array_of(case, "check_value"));
    }
}

macro_rules! vectors {
    ($($test:ident: $check:ident;)*) => {
        $(#[test] fn $test() { $check(&stringify!($test).replace('_', "-")); })*

        #[test]
        fn every_file_is_read() {
            let read: BTreeSet<String> = [$(stringify!($test).replace('_', "-")),*].into();
            let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
            let files: BTreeSet<String> = files
                .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
                .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            assert_eq!(files, read);
        }
    };
}

vectors! {
    iso0_two_key: check_pin_blocks;
    iso0_three_key: check_pin_blocks;
    iso0_other_pan_other_pin: check_pin_blocks;
    iso3_two_key: check_pin_blocks;
    iso3_three_key: check_pin_blocks;
    iso3_other_pan_other_pin: check_pin_blocks;
    iso4_aes_128: check_pin_blocks;
    iso4_aes_192: check_pin_blocks;
    iso4_aes_256: check_pin_blocks;
    iso0_refused: check_refusals;
    iso3_refused: check_refusals;
    iso4_refused: check_refusals;
    index: check_tags;
    pin: check_pins;
    chain: check_chain;
    sealed: check_sealed;
    key_file: check_key_files;
    received: check_received;
    check_value: check_check_values;
}
