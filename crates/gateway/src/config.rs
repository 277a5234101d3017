//! What an operator writes down: the merchants, the banks' links, the router, how long things may take.

use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

use axum::http::{HeaderName, Uri};
use ramz_api::pin_request::is_host_name;
use ramz_domain::{Iin, PayeeName};
use ramz_keys::PinBlockFormat;
use ramz_link::{Shape, ShapeError};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A payment page and the merchants it serves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The page's origin, as browsers see it: `https://pay.example`. Without a path.
    pub public_url: String,
    /// The host name that is told to the router with each PIN request; registered there for us.
    pub origin: String,
    /// Our institution code as the acquirer (DE32): 1 to 11 digits.
    pub acquirer: String,
    /// The router's base URL.
    pub router: String,
    /// Who may take payments here.
    pub merchants: Vec<Merchant>,
    /// Where authorisations go, by IIN.
    pub links: Vec<BankLink>,
    /// The request header in which the proxy in front says where a request is from: `X-Real-IP`. Empty: payers are not told
    /// apart. Without a proxy that sets it on every request, whoever asks could write it.
    #[serde(default)]
    pub payer_header: String,
    /// Origins whose pages may show the payment page in a frame. Mostly none: a frame hides where a PIN is typed.
    #[serde(default)]
    pub frame_ancestors: Vec<String>,
    /// A payment that is not paid by then is expired. Seconds.
    #[serde(default = "twenty_minutes")]
    pub open_for_s: u64,
    /// A paid payment that its merchant does not verify by then is reversed. Seconds.
    #[serde(default = "twenty_minutes")]
    pub verify_within_s: u64,
}

/// A merchant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merchant {
    /// Our name of it, for logs.
    pub id: String,
    /// Shown to the payer and in the SMS.
    pub name_fa: String,
    /// The same in English.
    pub name_en: String,
    /// The card acceptor (DE42): at most 15 ASCII characters.
    pub merchant: String,
    /// The terminal (DE41): at most 8 ASCII characters.
    pub terminal: String,
    /// Where the API key is kept. The binary reads it into `api_key`.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// The key itself, as a hash: never in a configuration file.
    #[serde(skip)]
    pub api_key: Option<ApiKey>,
    /// The origins that payers may be sent back to: `https://shop.example`.
    pub callbacks: Vec<String>,
}

/// A bank, or a switch that stands for several.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankLink {
    /// What logs and traces call it.
    pub name: String,
    /// The first six digits of its cards.
    pub iins: Vec<String>,
    /// `host:port` of its ISO 8583 listener.
    pub address: String,
    /// How messages look: `ascii`, `bcd`, or the path of a layout file.
    pub layout: String,
    /// Hexadecimal bytes between length and message; mostly empty.
    #[serde(default)]
    pub header: String,
    /// The zone PIN key shared with it.
    pub zone: String,
    /// ISO 9564-1 format of DE52: 0 or 3 (TDEA), or 4 (AES).
    #[serde(default)]
    pub pin_block_format: u8,
    /// Whether it wants a sign-on first.
    #[serde(default = "yes")]
    pub sign_on: bool,
}

/// A merchant's API key, kept as its SHA-256 only. A key has enough randomness that a plain hash cannot be searched.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey([u8; 32]);

/// Why a configuration cannot be used: where, and what to write there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ConfigError {
    /// The key, as a path: `merchants[0].terminal`.
    pub place: String,
    /// What is wrong and what to write.
    pub what: String,
}

/// What an authorisation and its reversal carry besides the PIN block.
const SENT: &[(u8, &[u8])] = &[
    (2, b"6104337000000016"),
    (3, b"000000"),
    (4, b"000001250000"),
    (11, b"000417"),
    (12, b"052509"),
    (13, b"1124"),
    (14, b"9912"),
    (18, b"5411"),
    (22, b"812"),
    (25, b"59"),
    (32, b"581672061"),
    (37, b"632805000417"),
    (41, b"14033212"),
    (42, b"000000140332124"),
    // The longest: a bill with its two ids, and a CVV2 of four digits.
    (48, b"010043777030131234567890123040131234567890123"),
    (49, b"364"),
    (90, b"020000041711240155090058167206100000000000"),
    (103, b"6037997000000001234"),
];

/// An API key with fewer characters could be guessed.
const API_KEY_CHARS_MIN: usize = 20;

impl ApiKey {
    /// Takes a key's text (surrounding white space does not count). `None` if it has fewer than 20 characters.
    pub fn new(text: &str) -> Option<ApiKey> {
        let text = text.trim();
        (text.len() >= API_KEY_CHARS_MIN).then(|| ApiKey(Sha256::digest(text.as_bytes()).into()))
    }

    /// Whether `text` is this key, in constant time.
    pub(crate) fn is(&self, text: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        presented.ct_eq(&self.0).into()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl Config {
    /// Checks everything that can be checked without a socket or a key.
    ///
    /// # Errors
    /// The first place that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        ensure(
            origin_of(&self.public_url).is_some_and(|origin| origin == self.public_url),
            "public_url",
            || "write the page's origin: https://pay.example, without a path or a slash at the end".into(),
        )?;
        ensure(is_host_name(&self.origin), "origin", || {
            "write the host name registered at the router".into()
        })?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        ensure((1..=11).contains(&self.acquirer.len()) && digits(&self.acquirer), "acquirer", || {
            "write the institution code (DE32): 1 to 11 digits".into()
        })?;
        for (place, seconds) in [("open_for_s", self.open_for_s), ("verify_within_s", self.verify_within_s)] {
            ensure((60..=86_400).contains(&seconds), place, || "write 60 to 86400 seconds".into())?;
        }
        for origin in &self.frame_ancestors {
            ensure(origin_of(origin).is_some_and(|of| of == *origin), "frame_ancestors", || {
                format!("{origin:?} is no origin: write https://shop.example, without a path")
            })?;
        }
        let header = &self.payer_header;
        ensure(header.is_empty() || HeaderName::try_from(header).is_ok(), "payer_header", || {
            "write the name of a request header, as X-Real-IP, or leave it empty".into()
        })?;
        let mut ids = BTreeSet::new();
        for (n, merchant) in self.merchants.iter().enumerate() {
            merchant.check(&format!("merchants[{n}]"), &mut ids)?;
        }
        self.check_links().map(|_| ())
    }

    /// Checks the merchants' keys, once they are read: a key says whose payment it is, so no two may have the same.
    ///
    /// # Errors
    /// The first merchant whose key is an earlier one's.
    pub fn check_api_keys(&self) -> Result<(), ConfigError> {
        for (n, merchant) in self.merchants.iter().enumerate() {
            let Some(key) = &merchant.api_key else { continue };
            let earlier = self.merchants[..n].iter().find(|other| other.api_key.as_ref() == Some(key));
            if let Some(earlier) = earlier {
                let place = format!("merchants[{n}].api_key_file");
                let what = format!("holds the key of {:?}: give each merchant its own", earlier.id);
                return Err(ConfigError { place, what });
            }
        }
        Ok(())
    }

    /// Checks the links only, which needs no secret; layout files are read. How each link's messages look.
    ///
    /// # Errors
    /// The first place that cannot be used.
    pub fn check_links(&self) -> Result<Vec<(Shape, PinBlockFormat)>, ConfigError> {
        let mut names = BTreeSet::new();
        let mut iins = BTreeSet::new();
        let mut shapes = Vec::with_capacity(self.links.len());
        for (n, link) in self.links.iter().enumerate() {
            let at = |key: &str| format!("links[{n}].{key}");
            ensure(names.insert(&link.name), &at("name"), || format!("{:?} is there twice", link.name))?;
            for iin in &link.iins {
                ensure(Iin::parse(iin).is_some(), &at("iins"), || format!("{iin:?} is not six digits"))?;
                ensure(iins.insert(iin), &at("iins"), || format!("{iin} belongs to an earlier link"))?;
            }
            let format = PinBlockFormat::numbered(link.pin_block_format).ok_or_else(|| ConfigError {
                place: at("pin_block_format"),
                what: "write 0, 3 (TDEA) or 4 (AES)".into(),
            })?;
            let shape = link.shape(format).map_err(|error| {
                let key = if matches!(error, ShapeError::Header(_)) { "header" } else { "layout" };
                ConfigError { place: at(key), what: error.to_string() }
            })?;
            shapes.push((shape, format));
        }
        Ok(shapes)
    }

    pub(crate) fn open_for(&self) -> Duration {
        Duration::from_secs(self.open_for_s)
    }

    pub(crate) fn verify_within(&self) -> Duration {
        Duration::from_secs(self.verify_within_s)
    }
}

impl Merchant {
    fn check<'a>(&'a self, place: &str, ids: &mut BTreeSet<&'a str>) -> Result<(), ConfigError> {
        let at = |key: &str| format!("{place}.{key}");
        ensure(ids.insert(&self.id), &at("id"), || format!("{:?} is there twice", self.id))?;
        for (key, name) in [("name_fa", &self.name_fa), ("name_en", &self.name_en)] {
            PayeeName::parse(name)
                .map_err(|error| ConfigError { place: at(key), what: error.to_string() })?;
        }
        for (key, code, max) in [("merchant", &self.merchant, 15), ("terminal", &self.terminal, 8)] {
            let fits = (1..=max).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
                && !code.trim().is_empty();
            ensure(fits, &at(key), || format!("write 1 to {max} ASCII characters"))?;
        }
        ensure(self.api_key.is_some(), &at("api_key_file"), || {
            format!("write the path of a file that holds a key of at least {API_KEY_CHARS_MIN} characters")
        })?;
        ensure(!self.callbacks.is_empty(), &at("callbacks"), || {
            "write the origins that payers may be sent back to".into()
        })?;
        for callback in &self.callbacks {
            ensure(origin_of(callback).is_some_and(|origin| origin == *callback), &at("callbacks"), || {
                format!("{callback:?} is no origin: write https://shop.example, without a path")
            })?;
        }
        Ok(())
    }

    /// Whether a payer may be sent to this address: absolute, HTTP, of a registered origin, and nothing odd in it.
    pub(crate) fn may_call_back(&self, url: &str) -> bool {
        const URL_CHARS_MAX: usize = 1024;
        let plain = url.len() <= URL_CHARS_MAX
            && url.bytes().all(|b| b.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&b));
        plain && origin_of(url).is_some_and(|origin| self.callbacks.contains(&origin))
    }
}

impl BankLink {
    /// How its messages look, and that they can carry what is sent to it.
    fn shape(&self, format: PinBlockFormat) -> Result<Shape, ShapeError> {
        let shape = Shape::read(&self.layout, &self.header)?;
        shape.takes("a payment", SENT)?;
        shape.takes(&format!("PIN blocks of format {format}"), &[(52, &vec![0; format.bytes()])])?;
        Ok(shape)
    }
}

/// `scheme://host[:port]` of an absolute HTTP URL without a user name.
fn origin_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?.as_str();
    (!authority.contains('@')).then(|| format!("{scheme}://{authority}"))
}

fn ensure(holds: bool, place: &str, what: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { place: place.into(), what: what() }) }
}

const fn twenty_minutes() -> u64 {
    20 * 60
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merchant() -> Merchant {
        Merchant {
            id: "shop".into(),
            name_fa: "فروشگاه نمونه".into(),
            name_en: "Sample shop".into(),
            merchant: "000000140332124".into(),
            terminal: "14033212".into(),
            api_key_file: None,
            api_key: ApiKey::new("0123456789abcdef0123"),
            callbacks: vec!["http://localhost:8701".into()],
        }
    }

    #[test]
    fn a_callback_must_be_of_a_registered_origin() {
        for good in
            ["http://localhost:8701/back", "http://localhost:8701/back?order=5", "http://localhost:8701"]
        {
            assert!(merchant().may_call_back(good), "{good}");
        }
        for bad in [
            "",
            "/back",
            "//localhost:8701/back",
            "http://localhost:8702/back",
            "https://localhost:8701/back",
            "http://localhost:8701@evil.example/",
            "http://localhost:8701.evil.example/",
            "javascript:alert(1)",
            "http://localhost:8701/back#x",
            "http://localhost:8701/\r\nset-cookie: a",
            "http://localhost:8701\\@evil.example/",
        ] {
            assert!(!merchant().may_call_back(bad), "{bad}");
        }
    }

    #[test]
    fn an_api_key_is_kept_as_a_hash_and_not_shown() {
        let key = ApiKey::new(" 0123456789abcdef0123\n").unwrap();
        assert!(key.is("0123456789abcdef0123") && !key.is("0123456789abcdef0124"));
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
        assert!(ApiKey::new("short").is_none());
    }

    #[test]
    fn two_merchants_with_one_key_are_refused() {
        let other = Merchant { id: "other".into(), ..merchant() };
        let own =
            Merchant { id: "own".into(), api_key: ApiKey::new("another key, of 24 bytes"), ..merchant() };
        let mut config: Config = toml::from_str(
            "public_url='http://localhost:8702'\norigin='localhost'\nacquirer='581672061'\n\
             router='http://localhost:8710'\nmerchants=[]\nlinks=[]",
        )
        .unwrap();
        config.merchants = vec![merchant(), own.clone()];
        assert_eq!(config.check_api_keys(), Ok(()));
        config.merchants = vec![merchant(), own, other];
        let error = config.check_api_keys().unwrap_err();
        assert_eq!(error.place, "merchants[2].api_key_file");
        assert!(error.what.contains("\"shop\"") && !error.what.contains("0123456789"), "{error}");
    }

    #[test]
    fn a_layout_that_cannot_carry_a_transfer_or_a_long_bill_is_refused() {
        let format = PinBlockFormat::numbered(0).unwrap();
        let ascii = include_str!("../../iso8583/layouts/ascii.toml");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("narrow.toml");
        let link = |layout: &str| {
            let link = format!(
                "name='mellat'\niins=['610433']\naddress='localhost:8721'\nzone='a'\nlayout={layout:?}"
            );
            toml::from_str::<BankLink>(&link).unwrap()
        };
        for (from, to) in
            [("103 = \"ans ..28\"", "103 = \"ans ..18\""), ("48 = \"utf8 ...999\"", "48 = \"utf8 ...044\"")]
        {
            assert!(ascii.contains(from), "{from}");
            std::fs::write(&file, ascii.replace(from, to)).unwrap();
            assert!(link(file.to_str().unwrap()).shape(format).is_err(), "{to}");
        }
        std::fs::write(&file, ascii).unwrap();
        assert!(link(file.to_str().unwrap()).shape(format).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let config = |toml: &str| toml::from_str::<Config>(toml);
        let base = "public_url='http://localhost:8702'\norigin='localhost'\nacquirer='581672061'\n\
                    router='http://localhost:8710'\n";
        let good = format!(
            "{base}merchants=[]\nlinks=[{{name='mellat',iins=['610433'],address='localhost:8721',layout='ascii',zone='a'}}]"
        );
        assert_eq!(config(&good).unwrap().check(), Ok(()));
        let check = |from: &str, to: &str, place: &str| {
            let error = config(&good.replace(from, to)).unwrap().check().unwrap_err();
            assert_eq!(error.place, place);
        };
        check("localhost:8702'", "localhost:8702/pay'", "public_url");
        check("581672061", "58x", "acquirer");
        check("merchants=[]", "payer_header='X Real IP'\nmerchants=[]", "payer_header");
        check("610433", "61043", "links[0].iins");
        check("zone='a'", "zone='a',pin_block_format=1", "links[0].pin_block_format");
        check("layout='ascii'", "layout='ebcdic'", "links[0].layout");
        check("layout='ascii'", "layout='none/at-all.toml'", "links[0].layout");
        check("layout='ascii'", "layout='bcd',header='6'", "links[0].header");
        // The shipped layouts have eight bytes for DE52.
        check("zone='a'", "zone='a',pin_block_format=4", "links[0].layout");
        let format_3 = good.replace("zone='a'", "zone='a',pin_block_format=3");
        assert_eq!(config(&format_3).unwrap().check(), Ok(()));
        let no_key = format!(
            "{base}links=[]\nmerchants=[{{id='a',name_fa='a',name_en='a',merchant='1',terminal='1',callbacks=['http://a']}}]"
        );
        assert_eq!(config(&no_key).unwrap().check().unwrap_err().place, "merchants[0].api_key_file");
        assert!(config(&format!("{good}\ncolour=1")).is_err());
    }
}
