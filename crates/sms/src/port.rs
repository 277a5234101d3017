//! The port to phones: one text to one number, before an instant; and what phones text to the bank.
//!
//! Deliberately not here: who retries and when (the issuer's outbox), what a texted request means (the issuer's too), and any
//! operator's protocol.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use ramz_domain::card::ReceiptState;
use ramz_domain::{Moment, Phone};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

/// The words of an SMS. They hold a PIN: wiped on drop, shown by no `Debug`, read through [`SmsText::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct SmsText(Zeroizing<String>);

impl SmsText {
    /// Takes the words.
    pub fn new(text: String) -> SmsText {
        SmsText(Zeroizing::new(text))
    }

    /// The words. Every caller is listed in the tidy test.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SmsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmsText(… {} characters)", self.0.chars().count())
    }
}

/// An SMS to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The phone.
    pub to: Phone,
    /// The words.
    pub text: SmsText,
    /// When its PIN runs out. No part is handed over after this instant, nor with less than a second left.
    pub not_after: Moment,
}

/// What the operator has of an SMS over several tries: a part that was taken is not sent again, and the phone can join the
/// parts of different tries.
#[derive(Debug, Default)]
pub struct Given {
    /// Whose parts they are, and the number by which the phone tells them from those of other texts.
    of: Option<(SmsText, u8)>,
    message_ids: Vec<String>,
}

impl Given {
    /// A try begins: the number of its parts. Of another text than the last one's the operator has nothing, and it is numbered
    /// anew.
    pub fn begin(&mut self, text: &SmsText, new: impl FnOnce() -> u8) -> u8 {
        match &self.of {
            Some((last, number)) if last == text => *number,
            _ => {
                let number = new();
                (self.of, self.message_ids) = (Some((text.clone(), number)), Vec::new());
                number
            }
        }
    }

    /// The operator took the next part, and calls it so.
    pub fn took(&mut self, message_id: String) {
        self.message_ids.push(message_id);
    }

    /// The operator's ids of what it has, in order: as many parts from the first one.
    pub fn message_ids(&self) -> &[String] {
        &self.message_ids
    }
}

/// The operator took every part of an SMS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// Short messages it was cut into, 1 or more.
    pub parts: usize,
    /// The operator's id of each, in order.
    pub message_ids: Vec<String>,
}

/// Why an SMS was not accepted. Carries nothing of the text or the phone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// Its PIN ran out before the last part was handed over. Sending it again is pointless.
    #[error("the PIN ran out before its SMS could be handed to the operator")]
    Expired,
    /// There is no bind to the operator. No part that the operator has not answered was handed over.
    #[error("no line to the operator: {0}")]
    Down(String),
    /// The operator asks to slow down, and still does.
    #[error("the operator throttles; send again later")]
    Throttled,
    /// The operator could not, on any bind, for a reason that is not the SMS's own; it may later.
    #[error("the operator could not take the SMS: {status}")]
    Failed {
        /// The last status as SMPP names it, such as `ESME_RSYSERR`.
        status: String,
    },
    /// The operator refuses this SMS; it would refuse it again.
    #[error("the operator refused the SMS: {status}")]
    Refused {
        /// The status as SMPP names it, such as `ESME_RINVDSTADR`, or what made the SMS impossible to send.
        status: String,
    },
    /// A part was submitted and no answer came: it may or may not have gone. The same text, with the same PIN, may be
    /// sent again.
    #[error("the line was lost before the operator answered; the SMS may or may not have gone")]
    Unknown,
}

/// The operator's word on what became of a short message that it took. Carries nothing of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The operator's ids of it, best first: what [`Accepted::message_ids`] had, or a variant of it.
    pub message_ids: Vec<String>,
    /// Whose phone.
    pub phone: Phone,
    /// What became of it.
    pub state: ReceiptState,
}

/// Texts from phones that wait for whoever takes them up, over all binds. With one more, the operator keeps it and delivers
/// it again.
pub const TEXTS_QUEUED_MAX: usize = 256;

/// Texts on one bind of which it is awaited what became of them. With one more, as above.
pub const TEXTS_AWAITED_MAX: usize = 128;

/// How long it is awaited what became of a text; then the operator delivers it again. Below the ten seconds or more after
/// which an operator gives an answer up.
pub const TEXT_AWAITED_FOR: Duration = Duration::from_secs(5);

/// A text that a phone sent to the bank. The operator keeps it until it is told what became of it ([`Taken`]), and may deliver it
/// more than once.
#[derive(Debug)]
pub struct Texted {
    /// Whose phone.
    pub from: Phone,
    /// The bank's short code that it was sent to, as the operator writes it.
    pub to: String,
    /// The words. They may hold digits of a card's number.
    pub words: SmsText,
    /// The phone's own reference of it (`user_message_reference`), if the operator passes it on: a text that is delivered again has
    /// the same.
    pub reference: Option<u16>,
    /// To be told what became of it.
    pub taken: Taken,
}

/// The answer that the operator waits for, given once. Dropped without a word it is [`Taken::later`].
#[derive(Debug)]
pub struct Taken(oneshot::Sender<()>);

/// What [`Taken`] is told.
#[derive(Debug)]
pub struct TakenAnswer(oneshot::Receiver<()>);

impl Taken {
    /// An answer to give, and to wait for.
    pub fn awaited() -> (Taken, TakenAnswer) {
        let (give, wait) = oneshot::channel();
        (Taken(give), TakenAnswer(wait))
    }

    /// It is taken: whatever is to follow from it is durable, and the operator may forget it. Whether the operator still waits is
    /// not known: the line may be lost, and then it delivers the text again.
    pub fn accept(self) {
        // Nobody waits any more: see above.
        let _ = self.0.send(());
    }

    /// It could not be taken: the operator is to deliver it again.
    pub fn later(self) {}

    /// Nobody waits any more: the line is lost, or the operator was told that it is to deliver it again.
    pub fn came_too_late(&self) -> bool {
        self.0.is_closed()
    }
}

impl TakenAnswer {
    /// Waits for the answer: whether the text was accepted.
    pub async fn accepted(self) -> bool {
        self.0.await.is_ok()
    }
}

/// A line to an operator, as the metrics and the readiness page show it. Numbers count from the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    /// What the operators of this service call it.
    pub name: String,
    /// Why it cannot be handed an SMS; `None` if it can.
    pub down: Option<String>,
    /// Short messages handed over and not answered.
    pub in_window: usize,
    /// How many there may be.
    pub window: usize,
    /// Short messages by what became of them at the line: `accepted`, `refused`, `throttled`, `unknown`, `expired`.
    pub submitted: BTreeMap<&'static str, u64>,
    /// Receipts by the state they tell, and those that were `dropped` because nobody took them up.
    pub receipts: BTreeMap<&'static str, u64>,
    /// Texts from phones by what the operator was told: `taken`, `later` (it delivers them again), and `unreadable` (it is told
    /// that they are taken, since delivering them again would not help). Those whose line was lost first are not counted.
    pub texts: BTreeMap<&'static str, u64>,
}

/// A way to hand an SMS to an operator.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Hands over what the operator has not been given yet of an SMS, and waits, within a bound of its own, for the answer to
    /// each part.
    async fn send(&self, sms: Outgoing, given: &mut Given) -> Result<Accepted, SendError>;

    /// How long that may take.
    fn longest(&self) -> Duration;

    /// Whether the operator could be handed an SMS now.
    fn is_up(&self) -> bool;

    /// The lines behind it, in order of preference.
    fn lines(&self) -> Vec<Line> {
        Vec::new()
    }

    /// The receipts, for whoever asks first. Bounded: what is not taken up in time is dropped, and counted.
    fn receipts(&self) -> Option<mpsc::Receiver<Receipt>> {
        None
    }

    /// What phones text to the bank, over all lines, for whoever asks first. Bounded: what is not taken up, or not answered in
    /// time, the operator delivers again, and so it does with every text until somebody asks.
    fn texts(&self) -> Option<mpsc::Receiver<Texted>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_words_nor_phone() {
        let sms = Outgoing {
            to: Phone::parse("09121234567").unwrap(),
            text: SmsText::new("رمز:0472013".into()),
            not_after: Moment::from_unix_ms(0),
        };
        let shown = format!("{sms:?}");
        assert!(!shown.contains("0472013") && !shown.contains("912123"), "{shown}");
        assert!(shown.contains("11 characters"), "{shown}");
        let texted = Texted {
            from: Phone::parse("09121234567").unwrap(),
            to: "30003303".into(),
            words: SmsText::new("کارت 6104".into()),
            reference: Some(7),
            taken: Taken::awaited().0,
        };
        let shown = format!("{texted:?}");
        assert!(!shown.contains("6104") && !shown.contains("912123"), "{shown}");
    }

    #[tokio::test]
    async fn without_a_word_it_is_not_taken() {
        for (give, expect) in [(Taken::accept as fn(Taken), true), (Taken::later, false), (drop, false)] {
            let (taken, answer) = Taken::awaited();
            give(taken);
            assert_eq!(answer.accepted().await, expect);
        }
        let (taken, answer) = Taken::awaited();
        assert!(!taken.came_too_late());
        drop(answer);
        assert!(taken.came_too_late());
        taken.accept();
    }
}
