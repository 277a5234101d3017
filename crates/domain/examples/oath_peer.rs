//! OCRA codes for a foreign peer to compute again: a thousand lines on standard output, each a JSON object with what went in and
//! the code that came out. `oath_peer [SEED]`; the same seed makes the same lines.
//!
//! A fourth are the suite that the product uses, a fourth the RFC's, a fourth the RFC's between two parties, a fourth any that
//! the grammar allows. Times are given in seconds and PINs in the clear, so that the peer has to make steps and hashes itself.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use ramz_domain::oath::{Hash, Inputs, Suite, shown};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

const CASES: usize = 1000;
const OURS: [&str; 1] = ["OCRA-1:HOTP-SHA256-7:QN08-T1M"];
const RFC: [&str; 8] = [
    "OCRA-1:HOTP-SHA1-6:QN08",
    "OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1",
    "OCRA-1:HOTP-SHA256-8:QN08-PSHA1",
    "OCRA-1:HOTP-SHA512-8:C-QN08",
    "OCRA-1:HOTP-SHA512-8:QN08-T1M",
    "OCRA-1:HOTP-SHA256-8:QA08",
    "OCRA-1:HOTP-SHA512-8:QA10-T1M",
    "OCRA-1:HOTP-SHA512-8:QA08-PSHA1",
];
const OF_TWO: [&str; 3] =
    ["OCRA-1:HOTP-SHA256-8:QA08", "OCRA-1:HOTP-SHA512-8:QA08", "OCRA-1:HOTP-SHA512-8:QA08-PSHA1"];

const DECIMAL: &[u8] = b"0123456789";
const HEXADECIMAL: &[u8] = b"0123456789abcdefABCDEF";
const ALPHANUMERIC: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Numbers that are the same for the same seed: SHA-256 of a counter.
struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    fn number(&mut self) -> u64 {
        self.thrown += 1;
        let hash = Sha256::digest([self.seed.to_be_bytes(), self.thrown.to_be_bytes()].concat());
        hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// `from` to `to`, both included. Evenly enough for cases.
    fn between(&mut self, from: usize, to: usize) -> usize {
        from + (self.number() % (to - from + 1) as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.between(0, of.len() - 1)]
    }

    fn text(&mut self, of: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(of[self.between(0, of.len() - 1)])).collect()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number() as u8).collect()
    }

    /// Any suite that the grammar allows.
    fn suite(&mut self) -> String {
        let mut suite = format!("OCRA-1:HOTP-{}-", self.one(&["SHA1", "SHA256", "SHA512"]));
        let digits = self.between(4, 10);
        let _ = write!(suite, "{digits}:{}", self.one(&["", "C-"]));
        let longest = self.between(4, 64);
        let _ = write!(suite, "{}{longest:02}", self.one(&["QA", "QN", "QH"]));
        suite.push_str(self.one(&["", "", "-P", "-PSHA1", "-PSHA256", "-PSHA512"]));
        if self.between(0, 2) == 0 {
            let length = self.between(1, 512);
            let _ = write!(suite, "-S{length:03}");
        }
        match self.between(0, 5) {
            0 => suite.push_str("-T"),
            1 => suite.push_str(&format!("-T{}S", self.between(1, 59))),
            2 => suite.push_str(&format!("-T{}M", self.between(1, 59))),
            3 => suite.push_str(&format!("-T{}H", self.between(1, 48))),
            _ => {}
        }
        suite
    }

    /// A question as the suite's text says.
    fn question(&mut self, suite: &str) -> String {
        let of = if suite.contains("QA") {
            ALPHANUMERIC
        } else if suite.contains("QH") {
            HEXADECIMAL
        } else {
            DECIMAL
        };
        let at = suite.find(":C-Q").map_or_else(|| suite.find(":Q").map_or(0, |at| at + 3), |at| at + 5);
        let longest = suite[at..at + 2].parse().unwrap_or(8);
        let mut length = self.between(1, longest);
        // The peer cannot read half a byte (it calls bytes.fromhex on an odd number of digits).
        if of == HEXADECIMAL {
            length = (length / 2 * 2).max(2);
        }
        self.text(of, length)
    }
}

fn pin_hash(hash: Hash, pin: &str) -> Vec<u8> {
    match hash {
        Hash::Sha1 => Sha1::digest(pin).to_vec(),
        Hash::Sha256 => Sha256::digest(pin).to_vec(),
        Hash::Sha512 => Sha512::digest(pin).to_vec(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One case as a line of JSON. Nothing in it needs escaping.
fn case(dice: &mut Dice, kind: &str, text: &str) -> Result<String, Box<dyn Error>> {
    let suite = Suite::parse(text)?;
    let length = dice.between(1, 140);
    let (key, question) = (dice.bytes(length), dice.question(text));
    let theirs = (kind == "of two").then(|| dice.question(text));
    let counter = suite.has_counter().then(|| dice.number() >> dice.between(0, 63));
    let pin = suite.pin_hash().map(|hash| (hash, dice.text(ALPHANUMERIC, 6)));
    let session = suite.session_bytes().map(|length| dice.bytes(length));
    let unix_s = suite.step_s().map(|_| dice.number() >> 30);

    let pin_hash = pin.as_ref().map(|(hash, pin)| pin_hash(*hash, pin));
    let inputs =
        Inputs { counter, question: &question, pin_hash: pin_hash.as_deref(), session: session.as_deref() };
    let keyed = suite.keyed(&key);
    let asked = match &theirs {
        Some(theirs) => keyed.asked_by_both(theirs, &inputs)?,
        None => keyed.asked(&inputs)?,
    };
    let code = match unix_s.and_then(|unix_s| suite.step(unix_s)) {
        Some(step) => asked.at(step),
        None => asked.code(),
    };

    let mut line = format!(r#"{{"kind": "{kind}", "suite": "{suite}", "key": "{}""#, hex(&key));
    write!(line, r#", "question": "{question}", "code": "{}""#, *shown(code, suite.digits()))?;
    if let Some(theirs) = theirs {
        write!(line, r#", "theirs": "{theirs}""#)?;
    }
    if let Some(counter) = counter {
        write!(line, r#", "counter": {counter}"#)?;
    }
    if let Some((_, pin)) = pin {
        write!(line, r#", "pin": "{pin}""#)?;
    }
    if let Some(session) = session {
        write!(line, r#", "session": "{}""#, hex(&session))?;
    }
    if let Some(unix_s) = unix_s {
        write!(line, r#", "unix_s": {unix_s}"#)?;
    }
    line.push('}');
    Ok(line)
}

fn main() -> Result<(), Box<dyn Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let (mut dice, mut out) = (Dice { seed, thrown: 0 }, io::stdout().lock());
    for n in 0..CASES {
        let (kind, suite) = match n % 4 {
            0 => ("ours", dice.one(&OURS).to_owned()),
            1 => ("the RFC's", dice.one(&RFC).to_owned()),
            2 => ("of two", dice.one(&OF_TWO).to_owned()),
            _ => ("any", dice.suite()),
        };
        writeln!(out, "{}", case(&mut dice, kind, &suite)?)?;
    }
    Ok(())
}
