//! The two messages of a terminal service (ISO 8583:1987): the 0600 that is made, and the 0610 that is read. And what they
//! share with those of a payment.

use std::fmt;

use ramz_domain::{Moment, RIAL_NUMERIC_CODE};
use ramz_iso8583::{Message, Mti, de48, trace::printable};
use ramz_keys::PinBlock;
use ramz_link::Civil;
use serde::Serialize;
use zeroize::Zeroize;

use super::qr;
use super::{Identity, Service, Session, Wanted};

/// 05: the chip was read; 1: a PIN can be entered.
const ENTRY_MODE: &str = "051";

/// What a terminal service carries, request and answer, besides the PIN block: for a layout to be tried with.
pub const CARRIED: &[(u8, &[u8])] = &[
    (2, b"6104337000000016"),
    (3, b"900000"),
    (7, b"1124015509"),
    (11, b"000001"),
    (12, b"052509"),
    (13, b"1124"),
    (14, b"0712"),
    (18, b"6011"),
    (22, b"051"),
    (32, b"58167206100"),
    (37, b"432900000001"),
    (39, b"00"),
    (41, b"00001001"),
    (42, b"000000140332124"),
    (48, &[b'1'; 400]),
    (49, b"364"),
];

/// What tells one request from all others, and when it was made.
pub(super) struct Stamp {
    pub(super) stan: String,
    pub(super) rrn: String,
    pub(super) now: Moment,
}

/// What every message of a machine begins with: who asks, with which card, when.
pub(super) fn begun(mti: Mti, code: &str, identity: &Identity, session: &Session, stamp: &Stamp) -> Message {
    let local = Civil::tehran(stamp.now);
    let mut message = Message::new(mti);
    message.set(2, session.pan.expose());
    message.set(3, code);
    message.set(7, Civil::utc(stamp.now).mmddhhmmss());
    message.set(11, stamp.stan.as_str());
    message.set(12, local.hhmmss());
    message.set(13, local.mmdd());
    if let Some(expiry) = &session.expiry {
        message.set(14, expiry.as_str());
    }
    message.set(18, identity.machine.category());
    message.set(22, ENTRY_MODE);
    message.set(32, identity.acquirer.as_str());
    message.set(37, stamp.rrn.as_str());
    message.set(41, format!("{:<8}", identity.terminal));
    message.set(42, format!("{:<15}", identity.merchant));
    message.set(49, RIAL_NUMERIC_CODE);
    message
}

/// A 0600. Field 48 is there only with a choice.
pub(super) fn request(
    identity: &Identity,
    session: &Session,
    wanted: &Wanted,
    block: &PinBlock,
    stamp: &Stamp,
) -> Result<Message, de48::TagError> {
    let mut message = begun(Mti::ADMINISTRATIVE, wanted.service.code(), identity, session, stamp);
    message.set(52, block.bytes.to_vec());
    let mut tags = de48::Tags::new();
    if let Some(choice) = &wanted.choice {
        tags.set(de48::CHOICE, choice.as_str());
    }
    tags.put_into(&mut message)?;
    Ok(message)
}

/// The same once more, 0601: only the time of sending is another.
pub(super) fn repeat(of: &Message, now: Moment) -> Message {
    let mut message = of.clone();
    message.set_mti(of.mti().repeat());
    message.set(7, Civil::utc(now).mmddhhmmss());
    message
}

/// What a bank answered. Wiped on drop; `Debug` shows code and refusal.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Field 39.
    pub response_code: String,
    /// Text for the screen.
    pub show: Option<String>,
    /// Text for the receipt.
    pub print: Option<String>,
    /// The registered mobile.
    pub masked_phone: Option<String>,
    /// The half of the activation code that goes onto the receipt.
    pub receipt_half: Option<String>,
    /// Why not: the bank's stable code.
    pub refusal: Option<String>,
    /// Where the app is.
    pub app_address: Option<String>,
    /// The same as a QR for the receipt: rows of `0` (light) and `1` (dark), with the quiet zone.
    pub qr: Option<Vec<String>>,
}

/// Why an answer is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// Field 39 is not there, or not two characters.
    #[error("it has no response code (field 39)")]
    NoCode,
    /// Field 39 approves in part or in another way, field 4 another amount; or it says that it came too late.
    #[error("it is neither a yes to what was asked for nor a no")]
    Otherwise,
    /// Field 48.
    #[error(transparent)]
    Tags(#[from] de48::TagError),
}

impl Answer {
    /// Reads the 0610 of a service.
    pub(super) fn read(message: &Message, service: Service) -> Result<Answer, Unreadable> {
        let (code, tags) = opened(message)?;
        // A private tag: only this answer has an address in it.
        let address = tags.get(de48::APP_ADDRESS).filter(|_| service == Service::ActivateApp);
        let app_address = address.filter(|address| qr::is_address(address)).map(str::to_owned);
        if address.is_some() && app_address.is_none() {
            tracing::warn!("the bank's address of its app is none that a receipt could show");
        }
        Ok(Answer {
            response_code: code.to_owned(),
            show: text(&tags, de48::SHOW),
            print: text(&tags, de48::PRINT),
            masked_phone: text(&tags, de48::MASKED_PHONE),
            receipt_half: text(&tags, de48::RECEIPT_CODE),
            refusal: text(&tags, de48::REFUSAL),
            qr: app_address.as_deref().and_then(qr::rows),
            app_address,
        })
    }

    /// Whether the bank did it.
    pub fn is_done(&self) -> bool {
        self.response_code == "00"
    }
}

/// Response code and field 48 of any answer.
pub(super) fn opened(message: &Message) -> Result<(&str, de48::Tags), Unreadable> {
    let code = message.get(39).filter(|code| code.len() == 2).ok_or(Unreadable::NoCode)?;
    Ok((code, de48::of(message)?))
}

/// What a bank sends is shown to people: its lines are kept, what could disturb a screen is not.
pub(super) fn text(tags: &de48::Tags, tag: &str) -> Option<String> {
    let found = tags.get(tag).filter(|text| !text.is_empty())?;
    Some(found.lines().map(printable).collect::<Vec<_>>().join("\n"))
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} {})", self.response_code, self.refusal.as_deref().unwrap_or("-"))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.show.zeroize();
        self.print.zeroize();
        self.masked_phone.zeroize();
        self.receipt_half.zeroize();
        self.app_address.zeroize();
        self.qr.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use ramz_iso8583::{Layout, decode, encode};
    use ramz_keys::PinBlockFormat;
    use zeroize::Zeroizing;

    use super::super::{Machine, Typed};
    use super::*;

    fn made(machine: Machine, service: Service, choice: Option<&str>, expiry: Option<&str>) -> Message {
        let identity = Identity {
            machine,
            acquirer: "581672061".into(),
            terminal: "1001".into(),
            merchant: "6104330001".into(),
        };
        let session = Session::read(&Typed::new("6104337000000016", expiry, "1234")).ok().unwrap();
        let block = PinBlock { format: PinBlockFormat::Iso0, bytes: Zeroizing::new(vec![0xAB; 8]) };
        let now = Moment::from_unix_ms(1_709_238_600_000);
        let stamp = Stamp { stan: "000007".into(), rrn: "406100000001".into(), now };
        request(&identity, &session, &Wanted::new(service, choice).unwrap(), &block, &stamp).unwrap()
    }

    #[test]
    fn a_request_has_every_field_and_fits_both_layouts() {
        let message = made(Machine::Atm, Service::RevokeDevice, Some("2"), Some("0712"));
        for layout in ["ascii", "bcd"] {
            let layout = Layout::named(layout).unwrap();
            assert_eq!(decode(&layout, &encode(&layout, &message).unwrap()).unwrap(), message);
        }
        assert_eq!(message.mti().as_str(), "0600");
        for (field, expect) in [
            (2, "6104337000000016"),
            (3, "951000"),
            (7, "0229203000"),
            (11, "000007"),
            (12, "000000"),
            (13, "0301"),
            (14, "0712"),
            (18, "6011"),
            (22, "051"),
            (32, "581672061"),
            (37, "406100000001"),
            (41, "1001    "),
            (42, "6104330001     "),
            (48, "140012"),
            (49, "364"),
        ] {
            assert_eq!(message.get(field), Some(expect), "field {field}");
        }
        assert_eq!(message.bytes(52), Some(&[0xAB; 8][..]));
    }

    #[test]
    fn what_is_not_known_is_left_out_and_a_counter_is_no_cash_machine() {
        let message = made(Machine::Cashless, Service::Unlock, None, None);
        assert!(!message.has(14) && !message.has(48) && !message.has(4));
        assert_eq!((message.get(3), message.get(18)), (Some("940000"), Some("6010")));
    }

    #[test]
    fn a_repeat_is_the_same_but_for_its_type_and_time() {
        let first = made(Machine::Atm, Service::ActivateApp, None, None);
        let again = repeat(&first, Moment::from_unix_ms(1_709_238_612_000));
        assert_eq!((again.mti().as_str(), again.get(7)), ("0601", Some("0229203012")));
        let differ = (1..=128).filter(|field| first.bytes(*field) != again.bytes(*field));
        assert_eq!(differ.collect::<Vec<_>>(), [7]);
    }

    fn answer(code: Option<&str>, field_48: &[u8]) -> Result<Answer, Unreadable> {
        answer_to(Service::ActivateSms, code, field_48)
    }

    fn answer_to(service: Service, code: Option<&str>, field_48: &[u8]) -> Result<Answer, Unreadable> {
        let mut message = Message::new(Mti::ADMINISTRATIVE.response());
        if let Some(code) = code {
            message.set(39, code);
        }
        if !field_48.is_empty() {
            message.set(48, field_48);
        }
        Answer::read(&message, service)
    }

    #[test]
    fn an_answer_is_read_and_its_texts_cannot_disturb_a_screen() {
        let told = answer(Some("00"), "10010خط\nدو\u{1b}[12007091210113008123456781100110".as_bytes());
        assert!(told.is_err(), "a length that does not fit");
        let mut tags = de48::Tags::new();
        tags.set(de48::SHOW, "خط یک\nخط\u{1b}[2J دو");
        tags.set(de48::MASKED_PHONE, "0912***1101");
        tags.set(de48::RECEIPT_CODE, "12345678");
        let told = answer(Some("00"), &tags.encode().unwrap()).unwrap();
        assert!(told.is_done());
        assert_eq!(told.show.as_deref(), Some("خط یک\nخط·[2J دو"));
        assert_eq!(told.masked_phone.as_deref(), Some("0912***1101"));
        assert_eq!((told.receipt_half.as_deref(), told.print.as_deref()), (Some("12345678"), None));
        assert_eq!(format!("{told:?}"), "Answer(00 -)");
    }

    #[test]
    fn a_refusal_has_its_code_and_an_answer_without_one_is_none() {
        let told = answer(Some("57"), b"15008no_phone").unwrap();
        assert!(!told.is_done());
        assert_eq!(told.refusal.as_deref(), Some("no_phone"));
        assert_eq!(answer(None, b""), Err(Unreadable::NoCode));
        assert!(matches!(answer(Some("00"), b"1"), Err(Unreadable::Tags(_))));
    }

    #[test]
    fn the_apps_address_is_read_where_it_belongs_and_only_if_a_receipt_can_show_it() {
        let told = |service, address: &str| {
            let mut tags = de48::Tags::new();
            tags.set(de48::APP_ADDRESS, address);
            answer_to(service, Some("00"), &tags.encode().unwrap()).unwrap()
        };
        let good = told(Service::ActivateApp, "https://app.bank.example/");
        assert_eq!(good.app_address.as_deref(), Some("https://app.bank.example/"));
        assert!(good.qr.as_ref().is_some_and(|rows| rows.len() == rows[0].len()));
        for (service, address) in [
            (Service::ActivateSms, "https://app.bank.example/"),
            (Service::ActivateApp, "javascript:alert(1)"),
            (Service::ActivateApp, ""),
        ] {
            let none = told(service, address);
            assert_eq!((&none.app_address, &none.qr), (&None, &None), "{address}");
        }
    }
}
