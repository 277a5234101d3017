//! What goes over the wires, as an outside program would make it: JSON to the doors, ISO 8583 to the switch's port.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, Response, StatusCode};
use ramz_api::client::{CallError, Http};
use ramz_api::net::Connector;
use ramz_api::tap::NoTap;
use ramz_domain::ambient::random_bytes;
use ramz_domain::{Pan, Pin, Rial, check_digit};
use ramz_iso8583::{Layout, Message, Mti};
use ramz_keys::{KeyRing, Keys as _, PinBlockFormat, SoftKeys, ZoneCipher, ZoneKey};
use ramz_link::{Link, LinkConfig, Names};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::surroundings::{Random, Tcp, Wall};

/// A whole call, or an answer to an ISO 8583 message.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// An HTTP service.
#[derive(Clone)]
pub(crate) struct Site(Http);

/// An answer of one.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// `name: value`, without the date.
    pub(crate) headers: Vec<String>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Site {
    pub(crate) fn new(connector: Arc<dyn Connector>, url: &str) -> Site {
        Site(Http::new(connector, url, ANSWER_WITHIN).unwrap())
    }

    pub(crate) fn plain(url: &str) -> Site {
        Site::new(Arc::new(Tcp), url)
    }

    /// A request, whatever comes of it.
    pub(crate) async fn call(&self, request: Request<Bytes>) -> Result<Reply, CallError> {
        self.0.send(request).await.map(read)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Request::get(path).body(Bytes::new()).unwrap()).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(with_json(Method::POST, path, body)).await.unwrap()
    }

    /// Asks for a PIN.
    pub(crate) async fn ask(&self, key: Uuid, body: &Value) -> Result<Reply, CallError> {
        let mut request = with_json(Method::POST, "/v1/pin-requests", body);
        request.headers_mut().insert("idempotency-key", key.to_string().parse().unwrap());
        self.call(request).await
    }
}

fn read(answer: Response<Bytes>) -> Reply {
    let (parts, body) = answer.into_parts();
    let headers = parts.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    Reply { status: parts.status, headers, text: String::from_utf8(body.to_vec()).unwrap() }
}

pub(crate) fn with_json(method: Method, path: &str, body: &Value) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    request.body(Bytes::from(body.to_string())).unwrap()
}

/// A fresh idempotency key.
pub(crate) fn fresh_key() -> Uuid {
    Uuid::from_bytes(random_bytes(&Random))
}

/// A card number of an issuer, by its account number.
pub(crate) fn pan(iin: &str, number: u32) -> Pan {
    let body = format!("{iin}7{number:08}");
    Pan::parse(&format!("{body}{}", check_digit(&body))).unwrap()
}

/// Who asks, and where the PIN is typed.
#[derive(Clone, Debug)]
pub(crate) struct Payee {
    pub(crate) acquirer: String,
    pub(crate) merchant: String,
    pub(crate) terminal: String,
    pub(crate) name: String,
    pub(crate) origin: String,
}

impl Payee {
    /// The body of a PIN request.
    pub(crate) fn request(&self, pan: &str, amount: u64) -> Value {
        let Payee { acquirer, merchant, terminal, name, origin } = self;
        let payee = json!({ "acquirer": acquirer, "merchant": merchant, "terminal": terminal, "name": name });
        json!({
            "pan": pan,
            "payment": { "kind": "purchase", "amount": amount, "payee": payee, "origin": origin },
        })
    }

    /// An 0200 without its PIN block. `trace` makes it a transaction of its own.
    pub(crate) fn payment(&self, pan: &str, expiry: &str, amount: u64, trace: u64) -> Message {
        let mut message = Message::new(Mti::FINANCIAL);
        for (field, value) in [
            (2, pan),
            (3, "000000"),
            (4, &Rial::new(amount).unwrap().de4()),
            (7, &format!("1124{:06}", trace / 1_000_000 % 1_000_000)),
            (11, &format!("{:06}", trace % 1_000_000)),
            (12, &format!("{:06}", trace / 1_000_000 % 1_000_000)),
            (13, "1124"),
            (14, expiry),
            (22, "812"),
            (25, "59"),
            (32, &self.acquirer),
            (37, &format!("{:012}", trace % 1_000_000_000_000)),
            (41, &self.terminal),
            (42, &format!("{:<15}", self.merchant)),
            (49, "364"),
        ] {
            message.set(field, value);
        }
        message
    }

    /// A service that a cardholder asks for at a terminal.
    pub(crate) fn service(&self, pan: &str, code: &str, trace: u64) -> Message {
        let mut message = self.payment(pan, "2911", 0, trace);
        message.set_mti(Mti::ADMINISTRATIVE);
        message.remove(4);
        message.set(3, code);
        message.set(22, "051");
        message
    }
}

/// An acquirer's end of a bank's switch port: a link, and the zone PIN key shared with it.
pub(crate) struct Switch {
    pub(crate) link: Arc<Link>,
    keys: SoftKeys,
}

impl Switch {
    /// Starts a link; it connects by itself, and again whenever it is cut.
    pub(crate) fn to(address: &str, zone_key: &[u8], shutdown: &CancellationToken) -> Switch {
        let config = LinkConfig {
            name: "test → bank".into(),
            address: address.to_owned(),
            layout: Layout::named("ascii").unwrap(),
            header: Vec::new(),
            sign_on: true,
            echo_every: Duration::from_secs(20),
            answer_timeout: ANSWER_WITHIN,
        };
        let mut ring = KeyRing::generate(&Random);
        ring.add_zone("bank", ZoneKey::new(ZoneCipher::Tdea, zone_key).unwrap()).unwrap();
        let names = Names { ours: "test".into(), theirs: "bank".into() };
        let (entropy, tap) = (Arc::new(Random), Arc::new(NoTap));
        let link = Link::start(
            config,
            Arc::new(Tcp),
            Arc::new(Wall),
            entropy.clone(),
            tap,
            names,
            shutdown.child_token(),
        );
        Switch { link, keys: SoftKeys::new(ring, entropy) }
    }

    /// Puts a PIN into a payment.
    pub(crate) fn with_pin(&self, mut payment: Message, pin: &str) -> Message {
        let pan = Pan::parse(payment.get(2).unwrap()).unwrap();
        let pin = Pin::parse(pin).unwrap();
        let block = self.keys.make_pin_block(&pin, &pan, "bank", PinBlockFormat::Iso0).unwrap();
        payment.set(52, block.bytes.to_vec());
        payment
    }

    /// The answer's response code.
    pub(crate) async fn pay(&self, payment: Message) -> String {
        let answer = self.link.ask(payment, ANSWER_WITHIN).await.unwrap();
        answer.get(39).unwrap().to_owned()
    }
}

/// The PIN in an SMS, in either language.
pub(crate) fn pin_in(text: &str) -> Option<String> {
    let words = |line: &str| {
        let line = line.trim_matches(|c: char| c.is_whitespace() || ('\u{2066}'..='\u{2069}').contains(&c));
        line.strip_prefix("رمز:").or_else(|| line.strip_prefix("PIN:")).map(|pin| pin.trim().to_owned())
    };
    text.lines().find_map(words)
}

/// An amount as an SMS writes it.
pub(crate) fn written(amount: u64) -> String {
    format!("{} ", Rial::new(amount).unwrap().with_commas())
}
