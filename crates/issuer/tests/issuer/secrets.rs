//! Nothing that was stored, logged or traced tells a card number, a phone number, a PIN or an expiry; and who steals the
//! store finds none of them by trying, without the keys.
//!
//! Searched byte by byte: every row, sealed column, journal entry and message of the store (over SQLite the file, its
//! write-ahead log and its index as they lie on the disk), every log line of our crates at every level, and every fact told
//! to the trace. Searched for: the texts; packed digits as ISO 8583 and PIN blocks write them; numbers as eight bytes in
//! either order, as CBOR and integers write them. An expiry packed into two bytes is not searched for: any two bytes occur.

use std::collections::HashSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ramz_api::app;
use ramz_domain::card::Purpose;
use ramz_domain::{Clock as _, Digest, Payee, Payment, PaymentKind, Rial, bill_ids, check_digit};
use ramz_store::Table;
use sha2::{Digest as _, Sha256};

use crate::bank::{Bank, CARD, CLOSED, NO_PHONE, Node, OTHER_CARD, Told, on_both_stores, same};
use crate::codes::read;
use crate::doubles::{Logs, Mood};
use crate::guess::wrong;
use crate::messages::{EXPIRY, IIN, MERCHANT, Wish, code, pan, phone, repeated, reversal};
use crate::phone::{Phone, activation, halves, plain, signer};
use crate::spend::codes;

on_both_stores! {
    a_busy_run_leaves_no_secret_behind,
    trying_every_number_without_the_keys_finds_nothing,
}

/// The app is activated, pays, guesses, and is asked for control codes: halves of the activation, and codes.
async fn with_the_app(bank: &Bank, node: &Node) -> Result<Vec<String>, String> {
    let (receipt, sms) = halves(bank, node, CARD).await?;
    let key = signer(500);
    let wrong_half = activation(&receipt, &wrong(&sms), key.public());
    plain(node, "POST", app::ACTIVATIONS, &wrong_half).await;
    let activated = plain(node, "POST", app::ACTIVATIONS, &activation(&receipt, &sms, key.public())).await;
    same(activated.status, 201, "activated")?;
    let phone = Phone::of(&activated, key, 500);
    let token = phone.add(bank, node, CARD).await?;
    let (pays, control) = (phone.code(bank, token, Purpose::SecondPin, 0), phone.control(bank, token));
    same(bank.pay(node, CARD, &Wish::purchase(900_000), &pays).await?, "00".into(), "a code pays")?;
    bank.pay(node, CARD, &Wish::purchase(900_000), &wrong(&pays)).await?;
    let body = |code: &str| format!(r#"{{"on":true,"control_code":"{code}"}}"#);
    for code in [wrong(&control), control.clone()] {
        phone.call(bank, node, "PUT", &app::of_card(app::FIRST_PIN, token), &body(&code)).await;
    }
    let first = phone.code(bank, token, Purpose::FirstPin, 1);
    same(code(&node.ask(&read(bank, CARD, "withdrawal", 500_000, &first)).await?), "00".into(), "cash")?;
    let stored = bank.stored().await;
    same(phone.seeds().iter().any(|seed| contains(&stored, seed)), false, "a seed in the store")?;
    Ok(vec![receipt, sms, pays, control, first])
}

/// Every kind of thing happens: the PINs that were sent.
async fn busy(bank: &Bank, node: &Node) -> Result<Vec<String>, String> {
    let mut pins = with_the_app(bank, node).await?;
    for (round, kind) in ["purchase", "transfer", "bill", "top_up"].into_iter().enumerate() {
        for n in [CARD, OTHER_CARD] {
            let wish = Wish::purchase(1_000_000 + round as u64).of(kind);
            let pin = bank.pin(node, n, &wish).await?;
            let payment = bank.payment(n, &wish, &pin);
            same(bank.pay(node, n, &wish, &wrong(&pin)).await?, "55".into(), "a wrong PIN")?;
            let mut wrong_expiry = bank.payment(n, &wish, &pin);
            wrong_expiry.set(14, "3005");
            node.ask(&wrong_expiry).await?;
            same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
            node.ask(&repeated(&payment)).await?;
            if round == 0 {
                node.ask(&reversal(&payment)).await?;
            }
            pins.push(pin);
        }
    }
    // Left open: another payment burns it, guesses lock the card, an SMS is never answered.
    let wish = Wish::purchase(2_000_000);
    pins.push(bank.pin(node, CARD, &wish).await?);
    bank.pay(node, CARD, &Wish::purchase(2_000_001), &pins[pins.len() - 1]).await?;
    pins.push(bank.pin(node, OTHER_CARD, &wish).await?);
    let last = pins[pins.len() - 1].clone();
    codes(&[node], (0..8).map(|_| bank.payment(OTHER_CARD, &wish, &wrong(&last))).collect()).await?;
    for n in [NO_PHONE, CLOSED, crate::bank::UNKNOWN] {
        bank.ask_pin(node, n, &wish).await;
    }
    for body in [Wish::purchase(0).json(&pan(CARD)), format!("{}x", wish.json(&pan(CARD)))] {
        node.pin_request("page one", &bank.key(), &body).await;
    }
    node.admin("PUT", &format!("/{}", bank.card(CARD)), r#"{"language":"en","customer":"c-1"}"#).await;
    node.admin("POST", "", &format!(r#"{{"pan":"{}","expiry":"2913"}}"#, pan(CARD))).await;
    let mut garbled = bank.payment(CARD, &wish, &last);
    garbled.set(52, [0x5A; 8]);
    node.ask(&garbled).await?;
    // An asker of its own: what goes over its wire is told to the trace here.
    node.api.peers_are(Some("page"));
    node.pin_request("", &bank.key(), &Wish::purchase(2_500_000).json(&pan(CARD))).await;
    node.api.peers_are(Some("router"));
    bank.settled().await?;
    bank.operator.is_in(Mood::Throttled);
    bank.ask_pin(node, CARD, &Wish::purchase(3_000_000)).await;
    crate::bank::until("the operator was tried", async || bank.store_has_message().await).await?;
    Ok(pins)
}

impl Bank {
    async fn store_has_message(&self) -> bool {
        let end = self.clock.now().plus(std::time::Duration::from_secs(86_400));
        self.store().outbox_due(end, 1).await.is_ok_and(|rows| !rows.is_empty())
    }

    /// Every byte that the store keeps.
    pub(crate) async fn stored(&self) -> Vec<u8> {
        let mut all = Vec::new();
        if let Some(folder) = &self.build.folder {
            for file in std::fs::read_dir(folder.path()).unwrap() {
                all.extend(std::fs::read(file.unwrap().path()).unwrap());
            }
        }
        let store = self.store();
        let mut add = |bytes: &[u8]| {
            all.extend_from_slice(bytes);
            // A mark between, so that two neighbours make no secret together.
            all.extend_from_slice(b"\n|\n");
        };
        for table in Table::ALL {
            for key in store.keys_after(table, &[], 10_000).await.unwrap() {
                let row = store.read(table, &key).await.unwrap().unwrap();
                add(&key);
                add(&row.body);
                row.sealed.iter().for_each(|(_, bytes)| add(bytes));
                for entry in store.journal(&key, 0, 10_000).await.unwrap() {
                    add(&entry.entry);
                    add(&entry.mac);
                }
            }
        }
        let end = self.clock.now().plus(std::time::Duration::from_secs(86_400));
        for message in store.outbox_due(end, 10_000).await.unwrap() {
            add(&message.body);
        }
        all
    }
}

/// Each way a row of digits may be written.
fn written(digits: &str) -> Vec<Vec<u8>> {
    let mut ways = vec![digits.as_bytes().to_vec()];
    let packed = |digits: &str| hex::decode(digits).unwrap();
    if digits.len() >= 10 {
        let even = &digits[..digits.len() / 2 * 2];
        ways.extend([packed(even), packed(&format!("{}F", &digits[..(digits.len() - 1) / 2 * 2 + 1]))]);
        let number: u64 = digits.parse().unwrap();
        ways.extend([number.to_be_bytes().to_vec(), number.to_le_bytes().to_vec()]);
    } else {
        // A PIN block's field in the clear: format 0, length, digits, fill.
        let fill = if digits.len().is_multiple_of(2) { "FF" } else { "F" };
        ways.push(packed(&format!("{:02}{digits}{fill}", digits.len())));
    }
    ways
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

async fn a_busy_run_leaves_no_secret_behind(bank: &Bank, node: Node) -> Told {
    let pins = busy(bank, &node).await?;
    let mut secrets: Vec<(&str, String)> = pins.iter().map(|pin| ("a PIN", pin.clone())).collect();
    for n in [CARD, OTHER_CARD, NO_PHONE, CLOSED, crate::bank::UNKNOWN, 900] {
        secrets.push(("a card number", pan(n)));
        secrets.push(("a card number's middle", pan(n)[6..15].to_owned()));
        secrets.push(("a phone number", phone(n)));
        secrets.push(("a phone number as it is dialled", phone(n)[2..].to_owned()));
    }
    let traced: String = bank.trace.facts().iter().map(|fact| format!("{fact:?}\n")).collect();
    // One log for all tests: other banks' PINs may occur in it as other numbers, ours not at all.
    let places = [("the store", bank.stored().await), ("the trace", traced.into_bytes())];
    for (place, bytes) in &places {
        same(bytes.len() > 1000, true, "something was looked through")?;
        for (what, secret) in &secrets {
            for way in written(secret) {
                same(contains(bytes, &way), false, &format!("{what} in {place}"))?;
            }
        }
    }
    let logs = String::from_utf8_lossy(&Logs::all().bytes()).into_owned();
    same(logs.contains("card added"), true, "the log was looked through")?;
    for (what, secret) in secrets.iter().filter(|(what, _)| *what != "a PIN") {
        same(logs.contains(secret.as_str()), false, &format!("{what} in the log"))?;
    }
    // A PIN is seven digits: only as a number of its own, for longer ones may hold it by chance.
    let numbers: HashSet<&str> = logs.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    for pin in &pins {
        same(numbers.contains(pin.as_str()), false, "a PIN in the log")?;
    }
    // An expiry as text beside a word that names it.
    for word in [format!("expiry={EXPIRY}"), format!("expiry\":\"{EXPIRY}"), format!("={EXPIRY}")] {
        for (place, bytes) in &places {
            same(contains(bytes, word.as_bytes()), false, &format!("an expiry in {place}"))?;
        }
        same(logs.contains(&word), false, "an expiry in the log")?;
    }
    Ok(())
}

/// Card numbers that are tried beside the bank's own: all of a release build's budget, fewer where hashing is slow.
const TRIED: u32 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };

async fn trying_every_number_without_the_keys_finds_nothing(bank: &Bank, node: Node) -> Told {
    busy(bank, &node).await?;
    let stored = bank.stored().await;
    let known: HashSet<[u8; 16]> = stored.windows(16).map(|window| window.try_into().unwrap()).collect();
    let found = |digest: &[u8]| known.contains::<[u8; 16]>(digest[..16].try_into().unwrap());
    // The search itself finds what is there: an id that is stored, and a hash of what is public.
    same(found(&bank.card(CARD).0), true, "the search finds a card id")?;
    let cards = [CARD, OTHER_CARD, NO_PHONE, CLOSED].map(|n| bank.card(n).0);
    let tries = |digits: &str, what: &str| -> Told {
        for bytes in [digits.as_bytes().to_vec(), hex::decode(&digits[..digits.len() / 2 * 2]).unwrap()] {
            let plain = Sha256::digest(&bytes);
            let prefixed = Digest::of(&[&bytes]).0;
            let named = Digest::of(&[what.as_bytes(), &bytes]).0;
            let mut unkeyed = Hmac::<Sha256>::new_from_slice(b"").unwrap();
            unkeyed.update(&bytes);
            let unkeyed = unkeyed.finalize().into_bytes();
            for digest in [&plain[..], &prefixed, &named, &unkeyed[..]] {
                same(found(digest), false, &format!("a hash of {what}"))?;
            }
        }
        Ok(())
    };
    // The bill that was paid: its first id may be a telephone number.
    let (bill, payment) = Wish::purchase(0).bill;
    let [bill, payment] = bill_ids(bill, payment);
    same(found(&Digest::of(&[b"bill", bill.as_bytes(), payment.as_bytes()]).0), false, "a hash of a bill")?;
    let payee = Payee::BillUnkeyed { bill: bill.to_owned(), payment: payment.to_owned() };
    let paid = Payment { kind: PaymentKind::Bill, amount: Rial::new(1_000_002).unwrap(), payee };
    same(found(&paid.digest().0), false, "a hash of a bill's payment")?;
    let Digest(payee) = paid.payee.digest();
    let content = [b"500000", &1_000_002_u64.to_be_bytes()[..], MERCHANT.as_bytes(), b"364", &payee];
    same(found(&Digest::of(&content).0), false, "a hash of what was answered")?;
    for n in 0..TRIED {
        // The bank's cards are among them: numbers 1 to 4.
        let body = format!("{IIN}700{n:06}");
        tries(&format!("{body}{}", check_digit(&body)), "pan")?;
    }
    for n in 0..TRIED {
        tries(&format!("98912{:07}", 7_310_000 + n), "phone")?;
    }
    // Every expiry, also salted with the card's id, which is no secret.
    for year in 0..100 {
        for month in 1..=12 {
            let expiry = format!("{year:02}{month:02}");
            tries(&expiry, "expiry")?;
            for card in &cards {
                let salted = [card.as_slice(), expiry.as_bytes()].concat();
                same(found(&Sha256::digest(&salted)), false, "a salted hash of an expiry")?;
                same(found(&Digest::of(&[card, expiry.as_bytes()]).0), false, "a salted hash of an expiry")?;
            }
        }
    }
    Ok(())
}
