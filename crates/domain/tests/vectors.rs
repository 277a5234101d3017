//! Published codes of OATH and what is refused: tables in `vectors/oath`, one file each, its name the name in messages.
//!
//! A file says `source` and `expect` (`codes` or `refused`) and what its cases share; a case may say it again. Keys, hashes of
//! PINs and session data are hexadecimal.

#![expect(clippy::unwrap_used, reason = "a vector that cannot be read fails its test")]

use std::fmt::Display;
use std::fs;
use std::path::Path;

use ramz_domain::oath::{Hash, Inputs, Suite, Totp, hotp, shown};
use toml::{Table, Value};

/// As many as the appendices have: RFC 4226 D has 10 counters, RFC 6238 B 18 rows, RFC 6287 C 40 + 20 + 10.
const PUBLISHED: usize = 10 + 18 + 70;

/// As many refusals as there were when this was written.
const REFUSED: usize = 170;

/// A case, with what its file says for all.
struct Case<'a> {
    head: &'a Table,
    own: &'a Table,
}

impl<'a> Case<'a> {
    fn get(&self, field: &str) -> Option<&'a Value> {
        self.own.get(field).or(self.head.get(field))
    }

    fn text(&self, field: &str) -> Option<&'a str> {
        self.get(field).map(|value| value.as_str().unwrap())
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.get(field).map(|value| value.as_integer().unwrap().try_into().unwrap())
    }

    fn bytes(&self, field: &str) -> Option<Vec<u8>> {
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        self.text(field).map(|hex| hex.as_bytes().chunks(2).map(byte).collect())
    }

    fn digits(&self) -> u8 {
        self.number("digits").unwrap().try_into().unwrap()
    }

    fn totp(&self) -> Totp {
        let hash = match self.text("hash").unwrap() {
            "sha1" => Hash::Sha1,
            "sha256" => Hash::Sha256,
            "sha512" => Hash::Sha512,
            other => panic!("no hash {other}"),
        };
        let (step_s, t0_s) = (self.number("step_s").unwrap(), self.number("t0_s").unwrap());
        Totp { hash, digits: self.digits(), step_s, t0_s }
    }

    /// The code as people see it, or the text of the refusal.
    fn outcome(&self) -> Result<String, String> {
        fn told(error: impl Display) -> String {
            error.to_string()
        }
        let key = self.bytes("key").unwrap_or_default();
        let code = match self.text("algorithm").unwrap() {
            "hotp" => {
                let counter = self.number("counter").unwrap();
                if let Some(decimal) = self.text("decimal") {
                    let nine = decimal.parse::<u64>().unwrap() % 1_000_000_000;
                    assert_eq!(hotp(&key, counter, 9), Ok(nine), "counter {counter}");
                }
                hotp(&key, counter, self.digits()).map_err(told)?
            }
            "totp" => {
                let (totp, unix_s) = (self.totp(), self.number("unix_s").unwrap());
                let code = totp.at(&key, unix_s).map_err(told)?;
                let step = self.number("step").unwrap();
                assert_eq!((totp.step(unix_s), totp.at_step(&key, step)), (step, Ok(code)));
                return Ok(shown(code, totp.digits).to_string());
            }
            "suite" => {
                return Suite::parse(self.text("suite").unwrap())
                    .map(|suite| suite.to_string())
                    .map_err(told);
            }
            "ocra" => return self.answered(&key).map_err(told),
            other => panic!("no algorithm {other}"),
        };
        Ok(shown(code, self.digits()).to_string())
    }

    fn answered(&self, key: &[u8]) -> Result<String, String> {
        let suite = Suite::parse(self.text("suite").unwrap()).unwrap();
        let (pin_hash, session) = (self.bytes("pin_hash"), self.bytes("session"));
        let inputs = Inputs {
            counter: self.number("counter"),
            question: self.text("question").unwrap(),
            pin_hash: pin_hash.as_deref(),
            session: session.as_deref(),
        };
        let keyed = suite.keyed(key);
        let asked = match self.text("theirs") {
            Some(theirs) => keyed.asked_by_both(theirs, &inputs),
            None => keyed.asked(&inputs),
        };
        let asked = asked.map_err(|error| error.to_string())?;
        let code = match self.number("unix_s") {
            Some(unix_s) => {
                assert_eq!(suite.step(unix_s), self.number("step"));
                asked.at(suite.step(unix_s).unwrap())
            }
            None => asked.code(),
        };
        Ok(shown(code, suite.digits()).to_string())
    }
}

/// Every case of the files that expect this: how many there were, and what was otherwise.
fn walk(expect: &str, expected: &str) -> (usize, Vec<String>) {
    let (mut tried, mut failed) = (0, Vec::new());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/oath");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().display().to_string();
        let mut head: Table =
            fs::read_to_string(&path).unwrap().parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(head["source"].as_str().is_some_and(|source| !source.is_empty()), "{name}: no source");
        assert!(["codes", "refused"].contains(&head["expect"].as_str().unwrap()), "{name}: expects what?");
        if head["expect"].as_str() != Some(expect) {
            continue;
        }
        let Some(Value::Array(cases)) = head.remove("case") else { panic!("{name} has no cases") };
        for own in cases.iter().map(|case| case.as_table().unwrap()) {
            let case = Case { head: &head, own };
            let told = match (expect, case.outcome()) {
                ("codes", Ok(told)) | ("refused", Err(told)) => told,
                (_, Ok(told)) => format!("taken: {told}"),
                (_, Err(told)) => format!("refused: {told}"),
            };
            if Some(told.as_str()) != case.text(expected) {
                failed.push(format!("{name}: {told}\n    for {own:?}"));
            }
            tried += 1;
        }
    }
    (tried, failed)
}

#[test]
fn every_published_code_is_computed() {
    let (tried, failed) = walk("codes", "code");
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(tried, PUBLISHED, "the RFCs' appendices have so many");
}

#[test]
fn what_is_no_suite_and_no_input_is_refused_with_its_reason() {
    let (tried, failed) = walk("refused", "error");
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
    assert!(tried >= REFUSED, "only {tried} refusals found");
}
