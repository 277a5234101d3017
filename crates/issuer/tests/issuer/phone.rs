//! A phone with the app, as the tests have one: what a browser would do, without the browser.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ramz_api::app::{
    self, Activate, AddCard, Control, DeviceKey, Jwk, SealedSeed, Signer, ToSign, authorization,
    seed_associated,
};
use ramz_domain::card::{Purpose, Step, step_at};
use ramz_domain::oath::{Inputs, Suite, shown};
use ramz_domain::{Clock as _, DeviceId, Entropy as _, Pan, Pin, TokenId};
use ramz_iso8583::de48::{self, RECEIPT_CODE};
use ramz_keys::{ReceiveKey, seal_seed};
use serde_json::{Value, json};

use crate::bank::{Bank, FIRST_PIN, Node, same};
use crate::doubles::Seeded;
use crate::messages::{EXPIRY, code, pan};
use crate::settings::APP;
use crate::terminal::service;
use crate::wires::{Reply, http};

/// An activated phone.
pub(crate) struct Phone {
    signer: Signer,
    pub(crate) device: DeviceId,
    receive: Mutex<ReceiveKey>,
    counter: AtomicU64,
    seeds: Mutex<HashMap<TokenId, [u8; 32]>>,
    entropy: std::sync::Arc<Seeded>,
}

/// Both halves of a code: from the terminal's receipt, and from the SMS.
pub(crate) async fn halves(bank: &Bank, node: &Node, n: u32) -> Result<(String, String), String> {
    halves_with(bank, node, n, FIRST_PIN).await
}

pub(crate) async fn halves_with(
    bank: &Bank,
    node: &Node,
    n: u32,
    pin: &str,
) -> Result<(String, String), String> {
    let before = bank.operator.texts(&crate::messages::phone(n)).len();
    let answer = node.ask(&service(bank, n, "900000", pin)).await?;
    same(code(&answer), "00".into(), "an activation begins")?;
    let receipt = de48::of(&answer).unwrap().get(RECEIPT_CODE).unwrap_or("").to_owned();
    let sms = bank.text_after(n, before).await?;
    let half = sms.text.lines().find_map(|line| {
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        (digits.len() == 8).then_some(digits)
    });
    Ok((receipt, half.ok_or("no half by SMS")?))
}

/// The body of an activation.
pub(crate) fn activation(receipt: &str, sms: &str, key: DeviceKey) -> String {
    let body = Activate {
        receipt_code: Pin::parse(receipt).unwrap(),
        sms_code: Pin::parse(sms).unwrap(),
        device_key: key,
        device_name: "گوشی من".into(),
    };
    String::from_utf8(body.to_json().to_vec()).unwrap()
}

/// A request without a proof.
pub(crate) async fn plain(node: &Node, method: &str, path: &str, body: &str) -> Reply {
    let headers: &[(&str, &str)] =
        if body.is_empty() { &[] } else { &[("content-type", "application/json")] };
    http(node.running.app.unwrap(), method, path, headers, body).await
}

/// The signer of a number: each its own.
pub(crate) fn signer(n: u64) -> Signer {
    Signer::generate(&*Seeded::new(n))
}

/// The key that an answer says seeds are to be sealed to.
pub(crate) fn receive_key(told: &Value) -> ReceiveKey {
    let jwk: Jwk = serde_json::from_value(told["receive_key"]["jwk"].clone()).unwrap();
    let version = u32::try_from(told["receive_key"]["version"].as_u64().unwrap()).unwrap();
    ReceiveKey { version, public: jwk.to_sec1().unwrap() }
}

impl Phone {
    /// Activated with card `n`, at the terminal and by SMS.
    pub(crate) async fn activated(bank: &Bank, node: &Node, n: u32) -> Result<Phone, String> {
        Phone::activated_as(bank, node, n, u64::from(n)).await
    }

    pub(crate) async fn activated_as(bank: &Bank, node: &Node, n: u32, seed: u64) -> Result<Phone, String> {
        let (receipt, sms) = halves(bank, node, n).await?;
        let signer = signer(1000 + seed);
        let reply = plain(node, "POST", app::ACTIVATIONS, &activation(&receipt, &sms, signer.public())).await;
        same(reply.status, 201, "activated")?;
        Ok(Phone::of(&reply, signer, seed))
    }

    /// The phone that an activation's answer makes.
    pub(crate) fn of(reply: &Reply, signer: Signer, seed: u64) -> Phone {
        let told = reply.json();
        Phone {
            signer,
            device: DeviceId::parse(told["device"].as_str().unwrap()).unwrap(),
            receive: Mutex::new(receive_key(&told)),
            counter: AtomicU64::new(1),
            seeds: Mutex::default(),
            entropy: Seeded::new(5000 + seed),
        }
    }

    /// Seals to this key from now on.
    pub(crate) fn seal_to(&self, key: ReceiveKey) {
        *self.receive.lock().unwrap() = key;
    }

    /// With card `n` on it.
    pub(crate) async fn with(bank: &Bank, node: &Node, n: u32) -> Result<(Phone, TokenId), String> {
        let phone = Phone::activated(bank, node, n).await?;
        let token = phone.add(bank, node, n).await?;
        Ok((phone, token))
    }

    /// The headers of a signed request.
    pub(crate) fn proof(
        &self,
        bank: &Bank,
        method: &str,
        path: &str,
        body: &str,
        counter: Option<u64>,
    ) -> [(String, String); 2] {
        let url = format!("{APP}{path}");
        let (device, body, now) = (self.device, body.as_bytes(), bank.clock.now());
        let proof =
            self.signer.sign(&ToSign { method, url: &url, device, body, counter, now }, &*self.entropy);
        [("authorization".into(), authorization(device)), ("dpop".into(), proof)]
    }

    pub(crate) fn next_counter(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// A signed request.
    pub(crate) async fn call(&self, bank: &Bank, node: &Node, method: &str, path: &str, body: &str) -> Reply {
        let counter = (method != "GET").then(|| self.next_counter());
        let proof = self.proof(bank, method, path, body, counter);
        self.send(node, method, path, body, &proof).await
    }

    pub(crate) async fn send(
        &self,
        node: &Node,
        method: &str,
        path: &str,
        body: &str,
        proof: &[(String, String)],
    ) -> Reply {
        let mut headers: Vec<(&str, &str)> =
            proof.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        http(node.running.app.unwrap(), method, path, &headers, body).await
    }

    /// The body that puts card `n` on it, and its reference.
    pub(crate) fn adding(&self, n: u32, control: Option<Control>) -> (TokenId, String) {
        let token = TokenId::random(&*self.entropy);
        let mut seed = [0; 32];
        self.entropy.fill(&mut seed);
        self.seeds.lock().unwrap().insert(token, seed);
        (token, self.adding_with(n, token, &seed, control))
    }

    pub(crate) fn adding_with(
        &self,
        n: u32,
        token: TokenId,
        seed: &[u8; 32],
        control: Option<Control>,
    ) -> String {
        let (to, associated) = (self.receive.lock().unwrap(), seed_associated(self.device, token));
        let sealed = seal_seed(&to, seed, &associated, &*self.entropy).unwrap();
        let body = AddCard {
            reference: token,
            pan: Pan::parse(&pan(n)).unwrap(),
            expiry: EXPIRY.as_bytes().try_into().unwrap(),
            seed: SealedSeed { key: sealed.version, enc: sealed.enc, ciphertext: sealed.ciphertext },
            control,
        };
        String::from_utf8(body.to_json().to_vec()).unwrap()
    }

    pub(crate) async fn add(&self, bank: &Bank, node: &Node, n: u32) -> Result<TokenId, String> {
        let (token, body) = self.adding(n, None);
        let reply = self.call(bank, node, "POST", app::CARDS, &body).await;
        same((reply.status, reply.body.contains("problems")), (201, false), "a card is added")?;
        Ok(token)
    }

    /// What must be nowhere.
    pub(crate) fn seeds(&self) -> Vec<[u8; 32]> {
        self.seeds.lock().unwrap().values().copied().collect()
    }

    /// The code of a minute.
    pub(crate) fn code_at(&self, token: TokenId, purpose: Purpose, ceiling: u8, step: Step) -> String {
        let suite = Suite::parse("OCRA-1:HOTP-SHA256-7:QN08-T1M").unwrap();
        let question = format!("{}{ceiling:03}0000", purpose.digit());
        let inputs = Inputs { counter: None, question: &question, pin_hash: None, session: None };
        let seed = self.seeds.lock().unwrap()[&token];
        shown(suite.keyed(&seed).asked(&inputs).unwrap().at(step), 7).to_string()
    }

    /// The code of now.
    pub(crate) fn code(&self, bank: &Bank, token: TokenId, purpose: Purpose, ceiling: u8) -> String {
        self.code_at(token, purpose, ceiling, step_at(bank.now()))
    }

    pub(crate) fn control(&self, bank: &Bank, token: TokenId) -> String {
        self.code(bank, token, Purpose::Control, 0)
    }

    /// How a card stands, as the app sees it.
    pub(crate) async fn view(&self, bank: &Bank, node: &Node, token: TokenId) -> Value {
        let reply = self.call(bank, node, "GET", app::CARDS, "").await;
        let cards = reply.json()["cards"].as_array().cloned().unwrap_or_default();
        cards.into_iter().find(|card| card["reference"] == json!(token.to_string())).unwrap_or(Value::Null)
    }
}
