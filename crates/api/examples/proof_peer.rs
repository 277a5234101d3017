//! The bank's look at a proof, for a foreign phone to try. Each line on standard input is JSON: `method`, `url`, `device`, `key` (a JWK),
//! `body`, `now_ms`, `proof`; the answer is `ok`, with the counter of a write behind it, or why not. Ends with standard input.

use std::io::{self, BufRead as _, Write as _};

use ramz_api::app::{DeviceKey, Expected, Jwk, verify};
use ramz_domain::{DeviceId, Moment};
use serde::Deserialize;

#[derive(Deserialize)]
struct Asked {
    method: String,
    url: String,
    device: String,
    key: Jwk,
    body: String,
    now_ms: u64,
    proof: String,
}

fn answer(line: &str) -> Result<String, Box<dyn std::error::Error>> {
    let asked: Asked = serde_json::from_str(line)?;
    let expected = Expected {
        method: &asked.method,
        url: &asked.url,
        device: DeviceId::parse(&asked.device).ok_or("a device's id has 32 hexadecimal digits")?,
        key: &DeviceKey::from_jwk(&asked.key)?,
        body: asked.body.as_bytes(),
        now: Moment::from_unix_ms(asked.now_ms),
    };
    Ok(match verify(&asked.proof, &expected) {
        Ok(proof) => proof.counter.map_or("ok".to_owned(), |counter| format!("ok {counter}")),
        Err(error) => error.to_string(),
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout();
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&line?)?)?;
        out.flush()?;
    }
    Ok(())
}
