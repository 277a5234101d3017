//! Messages on the wire, each with what must become of it: one file a case in `tests/vectors`, its name the
//! name of the test. `expect` is `"message"`, with its type and fields, or the whole text of the refusal;
//! `source` says who says so. Files that begin with `oracle` were written by another implementation.

use std::collections::BTreeMap;
use std::path::Path;

use ramz_iso8583::{Layout, Message, Mti, decode, encode};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    source: String,
    layout: String,
    wire: Option<String>,
    wire_hex: Option<String>,
    expect: String,
    mti: Option<String>,
    /// `"differs"` if only a decoded message keeps this writing.
    reencoded_from_scratch: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Bytes { hex: String },
}

#[test]
fn every_vector_is_read_and_written_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut failed = Vec::new();
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let vector: Vector = toml::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!vector.source.is_empty(), "{}: no source", path.display());
        if let Err(why) = check(&vector) {
            failed.push(format!("{}: {why}", path.file_stem().unwrap().display()));
        }
        tried += 1;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(tried >= 50, "only {tried} vectors found");
}

fn check(vector: &Vector) -> Result<(), String> {
    let layout = Layout::named(&vector.layout).ok_or("no such layout")?;
    let wire = match (&vector.wire, &vector.wire_hex) {
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(hex)) => unhex(hex),
        _ => return Err("one of wire and wire_hex".into()),
    };
    let message = match decode(&layout, &wire) {
        Ok(message) if vector.expect == "message" => message,
        Ok(_) => return Err("was accepted".into()),
        Err(error) if error.to_string() == vector.expect => return Ok(()),
        Err(error) => return Err(format!("expected {:?}, found {:?}", vector.expect, error.to_string())),
    };

    let mut expected = Message::new(vector.mti.as_deref().and_then(Mti::new).ok_or("no message type")?);
    for (field, value) in &vector.fields {
        let field: u8 = field.parse().map_err(|_| "not a field")?;
        match value {
            Value::Text(text) => {
                expected.set(field, text.as_str());
                if message.get(field) != Some(text) {
                    return Err(format!("field {field} is not its text"));
                }
            }
            Value::Bytes { hex } => {
                expected.set(field, unhex(hex));
                if message.get(field).is_some() && hex.len() == 16 {
                    return Err(format!("field {field} holds bytes and is given as text"));
                }
            }
        }
        let span = message.span(field).ok_or_else(|| format!("field {field} has no span"))?;
        if span.end > wire.len() || span.start > span.end {
            return Err(format!("field {field} has the span {span:?}"));
        }
    }
    if message != expected {
        return Err(format!("expected {expected:?}, found {message:?}"));
    }
    if message.raw() != wire || encode(&layout, &message).as_deref() != Ok(&wire[..]) {
        return Err("an unchanged message is not written as it was read".into());
    }
    let scratch = encode(&layout, &expected).map_err(|error| error.to_string())?;
    if (scratch == wire) == vector.reencoded_from_scratch.is_some() {
        return Err("written from scratch it is not what the vector says".into());
    }
    Ok(())
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a vector of hex digits") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
