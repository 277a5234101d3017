//! The bank's side of a seed, for a foreign phone to try. Prints `VERSION PUBLIC`, the receive key. Each line on standard input is
//! `VERSION ENC CIPHERTEXT ASSOCIATED`, in hexadecimal and without associated data `-`; the answer is `taken SEED`, or why not. Ends
//! with standard input. The keys are fresh and nobody's: that a seed is shown at all is for this peer only.

use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ramz_domain::Entropy;
use ramz_keys::{KeyFault, KeyRing, Keys as _, Place, Received, SoftKeys};

/// Bytes that count up.
#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed));
    }
}

const PLACE: Place<'static> = Place { row: &[1; 16], column: "token.seed" };

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let text = if text == "-" { "" } else { text };
    hex::decode(text).map_err(|error| error.to_string())
}

fn answer(keys: &SoftKeys, line: &str) -> Result<String, String> {
    let mut words = line.split(' ');
    let mut next = || words.next().ok_or("a line is VERSION ENC CIPHERTEXT ASSOCIATED");
    let version = next()?.parse().map_err(|_| "a version is a number")?;
    let (enc, ciphertext, associated) = (bytes(next()?)?, bytes(next()?)?, bytes(next()?)?);
    let received = Received { version, enc: &enc, ciphertext: &ciphertext, associated: &associated };
    match keys.take_seed(&received, PLACE, &[7; 16]) {
        Ok(taken) => {
            let owned = keys.open(PLACE, &taken.sealed).map_err(|fault| fault.to_string())?;
            Ok(format!("taken {}", hex::encode(&owned[16..])))
        }
        Err(KeyFault::NotReceived(why)) => Ok(format!("not received: {why}")),
        Err(fault) => Err(fault.to_string()),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = SoftKeys::new(KeyRing::generate(&Counting::default()), Arc::new(Counting::default()));
    let key = keys.receive_key()?;
    let mut out = io::stdout();
    writeln!(out, "{} {}", key.version, hex::encode(key.public))?;
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&keys, &line?)?)?;
        out.flush()?;
    }
    Ok(())
}
