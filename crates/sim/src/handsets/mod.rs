//! Handsets: the simulated phones and what they received.
//!
//! A phone is there once somebody texts it. Everything is bounded and in memory: it is a lab's phone, not an archive.
//! Deliberately not here: how a text comes ([`crate::smsc`]); any log of it.

pub(crate) mod time;
mod web;

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;
use ramz_domain::{Moment, Phone};
use ramz_sms::port::SmsText;
use serde::{Serialize, Serializer};
use tokio::sync::broadcast;

pub use web::router;

/// Phones that are kept; the one that has been silent longest goes.
pub const PHONES_MAX: usize = 1000;
/// Messages that a phone keeps; the oldest goes.
pub const MESSAGES_MAX: usize = 200;
/// Arrivals that a slow listener may be behind; then it misses some and reads the phone instead.
const ARRIVALS_BEHIND_MAX: usize = 256;

/// A text on a phone. As JSON: `{"id","from","text","received_at"}`, the instant in RFC 3339 (UTC).
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Unique in this process; later messages have larger ones. A string in JSON.
    #[serde(serialize_with = "as_string")]
    pub id: u64,
    /// The sender that the phone shows.
    pub from: String,
    /// The words.
    #[serde(serialize_with = "as_words")]
    pub text: SmsText,
    /// When it came.
    #[serde(serialize_with = "as_rfc3339")]
    pub received_at: Moment,
}

/// A text that has just come to a phone.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The phone.
    pub phone: Phone,
    /// The text.
    pub message: Message,
}

/// All phones.
pub struct Handsets {
    kept: Mutex<Kept>,
    arrivals: broadcast::Sender<Arrival>,
}

struct Kept {
    phones: LruCache<String, VecDeque<Message>>,
    last_id: u64,
}

impl Default for Handsets {
    fn default() -> Handsets {
        let most = NonZeroUsize::new(PHONES_MAX).unwrap_or(NonZeroUsize::MIN);
        let kept = Kept { phones: LruCache::new(most), last_id: 0 };
        Handsets { kept: Mutex::new(kept), arrivals: broadcast::Sender::new(ARRIVALS_BEHIND_MAX) }
    }
}

impl Handsets {
    /// No phone yet.
    pub fn new() -> Arc<Handsets> {
        Arc::default()
    }

    /// A text comes to a phone.
    pub fn receive(&self, phone: &Phone, from: &str, text: SmsText, at: Moment) {
        let message = {
            let mut kept = self.kept();
            kept.last_id += 1;
            let message = Message { id: kept.last_id, from: from.to_owned(), text, received_at: at };
            let messages = kept.phones.get_or_insert_mut(phone.expose().to_owned(), VecDeque::new);
            if messages.len() >= MESSAGES_MAX {
                messages.pop_front();
            }
            messages.push_back(message.clone());
            message
        };
        // Nobody listening is fine.
        let _ = self.arrivals.send(Arrival { phone: phone.clone(), message });
    }

    /// What a phone received, oldest first.
    pub fn messages(&self, phone: &Phone) -> Vec<Message> {
        self.kept()
            .phones
            .peek(phone.expose())
            .map(|messages| messages.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Each phone's digits and how many messages it keeps, by number.
    pub fn phones(&self) -> Vec<(String, usize)> {
        let mut phones: Vec<_> =
            self.kept().phones.iter().map(|(phone, messages)| (phone.clone(), messages.len())).collect();
        phones.sort();
        phones
    }

    /// A phone's newest message: its id, and when it came. None if it received nothing.
    pub fn newest(&self, phone: &str) -> Option<(u64, Moment)> {
        let kept = self.kept();
        kept.phones
            .peek(phone)
            .and_then(|messages| messages.back())
            .map(|newest| (newest.id, newest.received_at))
    }

    /// Every text from now on. A listener that falls far behind misses some.
    pub fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.arrivals.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn as_string<S: Serializer>(id: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

fn as_words<S: Serializer>(text: &SmsText, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text.expose())
}

fn as_rfc3339<S: Serializer>(at: &Moment, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time::rfc3339(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(n: usize) -> Phone {
        Phone::parse(&format!("0912{n:07}")).unwrap()
    }

    fn receive(handsets: &Handsets, n: usize, text: &str) {
        handsets.receive(
            &phone(n),
            "Bank",
            SmsText::new(text.into()),
            Moment::from_unix_ms(1_699_959_666_000),
        );
    }

    #[test]
    fn a_phone_reads_its_own_texts_in_order() {
        let handsets = Handsets::new();
        let mut arrivals = handsets.arrivals();
        receive(&handsets, 1, "a");
        receive(&handsets, 2, "b");
        receive(&handsets, 1, "c");
        let texts: Vec<_> = handsets.messages(&phone(1)).iter().map(|m| m.text.expose().to_owned()).collect();
        assert_eq!(texts, ["a", "c"]);
        assert!(handsets.messages(&phone(3)).is_empty());
        assert_eq!(arrivals.try_recv().unwrap().phone, phone(1));
        assert_eq!(arrivals.try_recv().unwrap().message.text.expose(), "b");
        let phones = [("989120000001".to_owned(), 2), ("989120000002".to_owned(), 1)];
        assert_eq!(handsets.phones(), phones);
    }

    #[test]
    fn phones_and_texts_are_bounded() {
        let handsets = Handsets::new();
        for n in 0..MESSAGES_MAX + 5 {
            receive(&handsets, 0, &n.to_string());
        }
        let kept = handsets.messages(&phone(0));
        assert_eq!((kept.len(), kept[0].text.expose()), (MESSAGES_MAX, "5"));
        for n in 1..=PHONES_MAX {
            receive(&handsets, n, "x");
        }
        assert_eq!(handsets.phones().len(), PHONES_MAX);
        assert!(handsets.messages(&phone(0)).is_empty(), "the most silent phone went");
    }

    #[test]
    fn json_is_what_outside_programs_read() {
        let handsets = Handsets::new();
        receive(&handsets, 1, "رمز:0472013");
        let json = serde_json::to_string(&handsets.messages(&phone(1))).unwrap();
        let expect =
            r#"[{"id":"1","from":"Bank","text":"رمز:0472013","received_at":"2023-11-14T11:01:06.000Z"}]"#;
        assert_eq!(json, expect);
    }

    #[test]
    fn debug_shows_neither_words_nor_phone() {
        let handsets = Handsets::new();
        let mut arrivals = handsets.arrivals();
        receive(&handsets, 1_234_567, "رمز:0472013");
        let shown = format!("{:?}", arrivals.try_recv().unwrap());
        assert!(!shown.contains("0472013") && !shown.contains("1234567"), "{shown}");
    }
}
