//! What the app sends. Every error of a body is named at once, and no error repeats what was sent.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ramz_domain::{Pan, Pin, TokenId, digits, limits, may_be_shown};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::key::{DeviceKey, Jwk};
use crate::json::{self, EXPIRY, Errors, Json, Object, PAN, members, written};
use crate::problem::Problem;

/// Digits of each half of an activation.
const ACTIVATION_DIGITS: usize = 8;
/// A typed half with all its spaces is shorter.
const TYPED_BYTES_MAX: usize = 64;
/// Digits of a control code.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 7..=8;
/// Bytes of a sealed seed's encapsulated key: a point on P-256 (RFC 9180, section 7.1).
const ENC_BYTES: usize = 65;
/// Bytes of a sealed seed: 32, and the tag's 16.
const CIPHERTEXT_BYTES: usize = 48;

const REFERENCE: &str = "32 lower-case hexadecimal digits";
const CODE: &str = "a control code of the app: 7 or 8 Latin digits, as a string";
const SLOT: &str = "first or second";

/// A device to activate.
#[derive(Clone, Debug)]
pub struct Activate {
    /// The eight digits on the terminal's receipt, by which the activation is found.
    pub receipt_code: Pin,
    /// The eight digits of the SMS, by which it is proved.
    pub sms_code: Pin,
    /// What its requests will be signed with.
    pub device_key: DeviceKey,
    /// What its holder calls it: composed (NFC), at most [`limits::DEVICE_NAME_CHARS_MAX`] characters.
    pub device_name: String,
}

/// A card to add to the device.
#[derive(Clone, Debug)]
pub struct AddCard {
    /// Made on the phone, random.
    pub reference: TokenId,
    /// The card.
    pub pan: Pan,
    /// `YYMM`, as the card shows it.
    pub expiry: [u8; 4],
    /// What its codes are computed from.
    pub seed: SealedSeed,
    /// Of a card that is there; needed some minutes after the activation.
    pub control: Option<Control>,
}

/// A seed as only the bank opens it (HPKE, RFC 9180; its associated data is [`super::seed_associated`]).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSeed {
    /// The version of the receive key.
    pub key: u32,
    /// The encapsulated key, 65 bytes.
    pub enc: Vec<u8>,
    /// 48 bytes.
    pub ciphertext: Vec<u8>,
}

/// A control code of a card that is there already.
#[derive(Clone, Debug)]
pub struct Control {
    /// The card.
    pub card: TokenId,
    /// Its code, seven or eight digits.
    pub code: Pin,
}

/// One of a card's PINs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// At a terminal, with the card.
    First,
    /// On the web, without it.
    Second,
}

/// What one PIN may pay.
#[derive(Clone, Debug)]
pub struct Ceiling {
    /// Which PIN.
    pub slot: Slot,
    /// The step of the bank's table; 0: no ceiling.
    pub ceiling: u8,
    /// To raise it.
    pub control_code: Option<Pin>,
}

/// Whether a PIN is the app's.
#[derive(Clone, Debug)]
pub struct Switch {
    /// Whether it is.
    pub on: bool,
    /// To weaken or strengthen what a thief would want.
    pub control_code: Option<Pin>,
}

/// A control code to check, before something is changed on the phone alone.
#[derive(Clone, Debug)]
pub struct Check {
    /// The code.
    pub control_code: Pin,
}

/// Codes that tell the device's clock.
#[derive(Clone, Debug)]
pub struct Resync {
    /// Two control codes in a row, the older one first.
    pub codes: [Pin; 2],
}

/// Another name for a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rename {
    /// As [`Activate::device_name`].
    pub name: String,
}

impl fmt::Debug for SealedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSeed(key {})", self.key)
    }
}

impl Slot {
    /// `first` or `second`.
    pub const fn code(self) -> &'static str {
        match self {
            Slot::First => "first",
            Slot::Second => "second",
        }
    }
}

impl Activate {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Activate, Problem> {
        let known = ["receipt_code", "sms_code", "device_key", "device_name"];
        members(bytes, &known, |errors, object| {
            let receipt_code = errors.text(object, "receipt_code", "the eight digits on the receipt", typed);
            let sms_code = errors.text(object, "sms_code", "the eight digits of the SMS", typed);
            let device_key = read_key(errors, object);
            let device_name = name(errors, object, "device_name");
            Some(Activate {
                receipt_code: receipt_code?,
                sms_code: sms_code?,
                device_key: device_key?,
                device_name: device_name?,
            })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Wire<'a> {
            receipt_code: &'a str,
            sms_code: &'a str,
            device_key: Jwk,
            device_name: &'a str,
        }
        written(&Wire {
            receipt_code: self.receipt_code.expose(),
            sms_code: self.sms_code.expose(),
            device_key: self.device_key.jwk(),
            device_name: &self.device_name,
        })
    }
}

impl AddCard {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<AddCard, Problem> {
        members(bytes, &["reference", "pan", "expiry", "seed", "control"], |errors, object| {
            let reference = errors.text(object, "reference", REFERENCE, token);
            let pan = errors.text(object, "pan", PAN, json::pan);
            let expiry = errors.text(object, "expiry", EXPIRY, json::expiry);
            let seed = errors.member(object, "seed", "the sealed seed as an object");
            let seed = seed.and_then(|seed| read_seed(errors, seed));
            let control = match object.get("control") {
                Some(control) => read_control(errors, control).map(Some),
                None => Some(None),
            };
            Some(AddCard {
                reference: reference?,
                pan: pan?,
                expiry: expiry?,
                seed: seed?,
                control: control?,
            })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Wire<'a> {
            reference: String,
            pan: &'a str,
            expiry: &'a str,
            seed: SeedWire,
            #[serde(skip_serializing_if = "Option::is_none")]
            control: Option<ControlWire<'a>>,
        }
        #[derive(Serialize)]
        struct SeedWire {
            key: u32,
            enc: String,
            ciphertext: String,
        }
        #[derive(Serialize)]
        struct ControlWire<'a> {
            card: String,
            code: &'a str,
        }
        let control = self.control.as_ref();
        written(&Wire {
            reference: self.reference.to_string(),
            pan: self.pan.expose(),
            expiry: json::as_text(&self.expiry),
            seed: SeedWire {
                key: self.seed.key,
                enc: URL_SAFE_NO_PAD.encode(&self.seed.enc),
                ciphertext: URL_SAFE_NO_PAD.encode(&self.seed.ciphertext),
            },
            control: control.map(|c| ControlWire { card: c.card.to_string(), code: c.code.expose() }),
        })
    }
}

impl Ceiling {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Ceiling, Problem> {
        members(bytes, &["slot", "ceiling", "control_code"], |errors, object| {
            let slot = errors.text(object, "slot", SLOT, |text| match text {
                "first" => Ok(Slot::First),
                "second" => Ok(Slot::Second),
                _ => Err(String::new()),
            });
            let expect =
                format!("a step of the bank's table, 0 (no ceiling) to {}", limits::CEILING_STEPS_MAX);
            let ceiling = errors.whole(object, "ceiling", &expect, |step| {
                u8::try_from(step).ok().filter(|step| *step <= limits::CEILING_STEPS_MAX)
            });
            let control_code = control_code(errors, object);
            Some(Ceiling { slot: slot?, ceiling: ceiling?, control_code: control_code? })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Wire<'a> {
            slot: Slot,
            ceiling: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            control_code: Option<&'a str>,
        }
        let control_code = self.control_code.as_ref().map(Pin::expose);
        written(&Wire { slot: self.slot, ceiling: self.ceiling, control_code })
    }
}

impl Switch {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Switch, Problem> {
        members(bytes, &["on", "control_code"], |errors, object| {
            let on = errors.truth(object, "on");
            let control_code = control_code(errors, object);
            Some(Switch { on: on?, control_code: control_code? })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Wire<'a> {
            on: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            control_code: Option<&'a str>,
        }
        written(&Wire { on: self.on, control_code: self.control_code.as_ref().map(Pin::expose) })
    }
}

impl Check {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Check, Problem> {
        members(bytes, &["control_code"], |errors, object| {
            errors.text(object, "control_code", CODE, code).map(|control_code| Check { control_code })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Wire<'a> {
            control_code: &'a str,
        }
        written(&Wire { control_code: self.control_code.expose() })
    }
}

impl Resync {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Resync, Problem> {
        members(bytes, &["codes"], |errors, object| {
            let expect = "a list of two control codes in a row, the older one first";
            let Json::List(list) = errors.member(object, "codes", expect)? else {
                errors.add("/codes", format!("write {expect}"));
                return None;
            };
            let [older, newer] = list.as_slice() else {
                errors.add("/codes", format!("write {expect}"));
                return None;
            };
            let mut read = |at: usize, value: &Json| {
                let found = match value {
                    Json::Text(text) => code(text).ok(),
                    _ => None,
                };
                if found.is_none() {
                    errors.add(format!("/codes/{at}"), format!("write {CODE}"));
                }
                found
            };
            let (older, newer) = (read(0, older), read(1, newer));
            Some(Resync { codes: [older?, newer?] })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Wire<'a> {
            codes: [&'a str; 2],
        }
        written(&Wire { codes: self.codes.each_ref().map(Pin::expose) })
    }
}

impl Rename {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Rename, Problem> {
        members(bytes, &["name"], |errors, object| name(errors, object, "name").map(|name| Rename { name }))
    }

    /// The body as it is sent.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        #[derive(Serialize)]
        struct Wire<'a> {
            name: &'a str,
        }
        written(&Wire { name: &self.name })
    }
}

fn read_key(errors: &mut Errors, object: &Object<'_>) -> Option<DeviceKey> {
    let key = errors.member(object, "device_key", "the device's public key as a JWK")?;
    let key = errors.object(key, "/device_key", &["kty", "crv", "x", "y"])?;
    let mut text = |name: &str, expect: &str| {
        errors.text(&key, name, expect, |text| {
            // 32 bytes in base64url have 43 characters.
            let fits = if name.len() == 1 { text.len() == 43 } else { text == expect };
            if fits { Ok(text.to_owned()) } else { Err(String::new()) }
        })
    };
    let (kty, crv) = (text("kty", "EC"), text("crv", "P-256"));
    let coordinate = "32 bytes in base64url without padding";
    let (x, y) = (text("x", coordinate), text("y", coordinate));
    let key = DeviceKey::from_jwk(&Jwk { kty: kty?, crv: crv?, x: x?, y: y? });
    if key.is_err() {
        errors.add("/device_key", "write a public key: this is no point of the curve P-256");
    }
    key.ok()
}

fn read_seed(errors: &mut Errors, seed: &Json<'_>) -> Option<SealedSeed> {
    let seed = errors.object(seed, "/seed", &["key", "enc", "ciphertext"])?;
    let key = errors.whole(&seed, "key", "the version of the receive key", |key| u32::try_from(key).ok());
    let mut sealed = |name: &str, length: usize| {
        errors.text(&seed, name, &format!("{length} bytes in base64url without padding"), |text| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok();
            bytes.filter(|bytes| bytes.len() == length).ok_or_else(String::new)
        })
    };
    let (enc, ciphertext) = (sealed("enc", ENC_BYTES), sealed("ciphertext", CIPHERTEXT_BYTES));
    Some(SealedSeed { key: key?, enc: enc?, ciphertext: ciphertext? })
}

fn read_control(errors: &mut Errors, control: &Json<'_>) -> Option<Control> {
    let control = errors.object(control, "/control", &["card", "code"])?;
    let card =
        errors.text(&control, "card", &format!("the reference of a card that is there, {REFERENCE}"), token);
    let code = errors.text(&control, "code", CODE, code);
    Some(Control { card: card?, code: code? })
}

/// The member `control_code`, which may be left out.
fn control_code(errors: &mut Errors, object: &Object<'_>) -> Option<Option<Pin>> {
    match object.get("control_code") {
        Some(_) => errors.text(object, "control_code", CODE, code).map(Some),
        None => Some(None),
    }
}

fn code(text: &str) -> Result<Pin, String> {
    let pin = if CODE_DIGITS.contains(&text.len()) { Pin::parse(text).ok() } else { None };
    pin.ok_or_else(String::new)
}

fn token(text: &str) -> Result<TokenId, String> {
    // One form only: the reference stands in paths, and is what the seed is sealed for.
    TokenId::parse(text).filter(|token| token.to_string() == text).ok_or_else(String::new)
}

/// Eight digits as people type and paste them.
fn typed(text: &str) -> Result<Pin, String> {
    let between =
        |c: char| c.is_whitespace() || matches!(c, '-' | '\u{200C}'..='\u{200F}' | '\u{2010}'..='\u{2015}');
    if text.len() > TYPED_BYTES_MAX {
        return Err(String::new());
    }
    let folded: Zeroizing<String> = Zeroizing::new(
        text.chars().filter(|c| !between(*c)).map(|c| digits::latin(c).unwrap_or(c)).collect(),
    );
    let pin = if folded.len() == ACTIVATION_DIGITS { Pin::parse(&folded).ok() } else { None };
    pin.ok_or_else(|| "Persian and Arabic digits, spaces and dashes do not matter".to_owned())
}

fn name(errors: &mut Errors, object: &Object<'_>, member: &str) -> Option<String> {
    let max = limits::DEVICE_NAME_CHARS_MAX;
    let expect = format!("a name of 1 to {max} characters, none of them a control or direction mark, @ or #");
    errors.text(object, member, &expect, |text| {
        // Composing shortens at most so much; a long text is not worked on.
        if text.len() > max * 16 {
            return Err(String::new());
        }
        let name: String = text.trim().nfc().collect();
        let fits = (1..=max).contains(&name.chars().count()) && name.chars().all(may_be_shown);
        if fits { Ok(name) } else { Err(String::new()) }
    })
}

#[cfg(test)]
mod tests;
