//! The two messages of an acquirer: 0200 for a payment of any kind, 0420 to undo it.
//!
//! What a reversal needs is written down before the authorisation is sent, and sealed: it has the PAN.

use minicbor::{Decode, Encode};
use ramz_domain::{Moment, Pan, PaymentKind, RIAL_NUMERIC_CODE, Rial};
use ramz_iso8583::{Message, Mti, de48};
use ramz_keys::PinBlock;
use ramz_link::Civil;
use zeroize::{Zeroize, Zeroizing};

use crate::{about::Payee, config::Merchant, payment::Trace};

/// Field 48: the telephone to be charged, and its operator. The bank's and the host's to pass; only top-ups have them.
const CHARGED_PHONE: &str = "80";
const CHARGED_OPERATOR: &str = "81";
/// 81: keyed in at an electronic-commerce page; 2: a PIN cannot be entered at the point of service itself.
const ENTRY_MODE: &str = "812";
/// 59: electronic commerce.
const CONDITION: &str = "59";

/// Everything a reversal repeats of its authorisation. Sealed before that is sent.
#[derive(Encode, Decode)]
pub(crate) struct Undo {
    #[n(0)]
    pan: String,
    #[n(1)]
    amount: Rial,
    #[n(2)]
    stan: String,
    #[n(3)]
    transmission: String,
    #[n(4)]
    local_time: String,
    #[n(5)]
    local_date: String,
    #[n(6)]
    expiry: String,
    #[n(7)]
    acquirer: String,
    #[n(8)]
    rrn: String,
    #[n(9)]
    terminal: String,
    #[n(10)]
    merchant: String,
    /// DE11 of the reversal itself, the same in all its repeats.
    #[n(11)]
    own_stan: String,
    /// DE3; none in a row of the first release, which knew purchases only.
    #[n(12)]
    code: Option<String>,
    /// DE103: where a transfer goes to.
    #[n(13)]
    to: Option<String>,
    /// Tags of DE48 that say what is paid: a bill's ids, a telephone. Not CVV2.
    #[n(14)]
    tags: Option<Vec<(String, String)>>,
}

/// What an authorisation is made of.
pub(crate) struct Paying<'a> {
    pub(crate) pan: &'a Pan,
    /// `YYMM`.
    pub(crate) expiry: &'a str,
    pub(crate) kind: PaymentKind,
    pub(crate) payee: &'a Payee,
    pub(crate) amount: Rial,
}

impl Drop for Undo {
    fn drop(&mut self) {
        self.pan.zeroize();
        self.expiry.zeroize();
        self.to.zeroize();
        self.tags.iter_mut().flatten().for_each(|(_, value)| value.zeroize());
    }
}

impl Undo {
    pub(crate) fn new(
        paying: &Paying<'_>,
        acquirer: &str,
        merchant: &Merchant,
        trace: &Trace,
        own_stan: String,
        now: Moment,
    ) -> Undo {
        let (local, utc) = (Civil::tehran(now), Civil::utc(now));
        Undo {
            pan: paying.pan.expose().to_owned(),
            amount: paying.amount,
            stan: trace.stan.clone(),
            transmission: utc.mmddhhmmss(),
            local_time: local.hhmmss(),
            local_date: local.mmdd(),
            expiry: paying.expiry.to_owned(),
            acquirer: acquirer.to_owned(),
            rrn: trace.rrn.clone(),
            terminal: format!("{:<8}", merchant.terminal),
            merchant: format!("{:<15}", merchant.merchant),
            own_stan,
            // From and to the default account.
            code: Some(format!("{}0000", paying.kind.processing_code())),
            to: match paying.payee {
                Payee::Card(pan) => Some(pan.expose().to_owned()),
                _ => None,
            },
            tags: match paying.payee {
                Payee::Bill(bill) => Some(vec![
                    (de48::BILL.to_owned(), bill.expose().to_owned()),
                    (de48::BILL_PAYMENT.to_owned(), bill.payment_id().to_owned()),
                ]),
                Payee::Phone(operator, phone) => Some(vec![
                    (CHARGED_PHONE.to_owned(), phone.expose().to_owned()),
                    (CHARGED_OPERATOR.to_owned(), operator.code().to_owned()),
                ]),
                Payee::Merchant | Payee::Card(_) => None,
            },
        }
    }

    /// The same under another trace number of our own: for the bank a reversal that it has not heard of.
    pub(crate) fn renumbered(&mut self, own_stan: String) {
        self.own_stan = own_stan;
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Large enough not to grow, which would leave unwiped copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        minicbor::encode(self, &mut *bytes).expect("writing to memory does not fail");
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Undo> {
        minicbor::decode(bytes).ok()
    }

    fn shared(&self, mti: Mti) -> Message {
        let mut message = Message::new(mti);
        message.set(2, self.pan.as_str());
        let code = self.code.as_deref().unwrap_or("000000");
        message.set(3, code);
        message.set(4, self.amount.de4());
        message.set(12, self.local_time.as_str());
        message.set(13, self.local_date.as_str());
        message.set(14, self.expiry.as_str());
        message.set(18, category(code));
        message.set(22, ENTRY_MODE);
        message.set(25, CONDITION);
        message.set(32, self.acquirer.as_str());
        message.set(37, self.rrn.as_str());
        message.set(41, self.terminal.as_str());
        message.set(42, self.merchant.as_str());
        message.set(49, RIAL_NUMERIC_CODE);
        if let Some(to) = &self.to {
            message.set(103, to.as_str());
        }
        message
    }

    fn tags(&self) -> de48::Tags {
        let mut tags = de48::Tags::new();
        for (tag, value) in self.tags.iter().flatten() {
            tags.set(tag, value.as_str());
        }
        tags
    }

    /// The authorisation, 0200.
    pub(crate) fn authorisation(&self, block: &PinBlock, cvv2: &str) -> Result<Message, de48::TagError> {
        let mut message = self.shared(Mti::FINANCIAL);
        message.set(7, self.transmission.as_str());
        message.set(11, self.stan.as_str());
        let mut tags = self.tags();
        tags.set(de48::CVV2, cvv2);
        tags.put_into(&mut message)?;
        message.set(52, block.bytes.to_vec());
        Ok(message)
    }

    /// The reversal, 0420; `repeat`: 0421.
    pub(crate) fn reversal(&self, repeat: bool, now: Moment) -> Result<Message, de48::TagError> {
        let utc = Civil::utc(now);
        let mti = if repeat { Mti::REVERSAL_ADVICE.repeat() } else { Mti::REVERSAL_ADVICE };
        let mut message = self.shared(mti);
        message.set(7, utc.mmddhhmmss());
        message.set(11, self.own_stan.as_str());
        self.tags().put_into(&mut message)?;
        // Original data elements: type, STAN, transmission time, acquirer, forwarder (none).
        message.set(90, format!("0200{}{}{:0>11}{:0>11}", self.stan, self.transmission, self.acquirer, ""));
        Ok(message)
    }
}

/// DE18, the merchant category (ISO 18245), as an acquirer gives one to each service.
fn category(code: &str) -> &'static str {
    match code.get(..2).and_then(PaymentKind::from_processing_code) {
        // Money orders and transfers.
        Some(PaymentKind::Transfer) => "4829",
        // Utilities.
        Some(PaymentKind::Bill) => "4900",
        // Telecommunication services.
        Some(PaymentKind::TopUp) => "4814",
        // Financial institutions.
        Some(PaymentKind::Balance) => "6012",
        // Miscellaneous speciality shops.
        Some(PaymentKind::Purchase) | None => "5999",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::about::Operator;
    use ramz_domain::{Bill, Phone};
    use ramz_iso8583::{Layout, decode, encode};
    use ramz_keys::PinBlockFormat;

    fn undo(kind: PaymentKind, payee: &Payee) -> Undo {
        let merchant = Merchant {
            id: "shop".into(),
            name_fa: "ن".into(),
            name_en: "n".into(),
            merchant: "14033212".into(),
            terminal: "140".into(),
            api_key_file: None,
            api_key: None,
            callbacks: Vec::new(),
        };
        let trace = Trace { link: "mellat".into(), stan: "000007".into(), rrn: "406100000001".into() };
        let pan = Pan::parse("6104337000000016").unwrap();
        let amount = if kind == PaymentKind::Balance { 0 } else { 1_250_000 };
        let amount = Rial::new(amount).unwrap();
        let paying = Paying { pan: &pan, expiry: "0707", kind, payee, amount };
        let now = Moment::from_unix_ms(1_709_238_600_000);
        Undo::new(&paying, "581672061", &merchant, &trace, "000008".into(), now)
    }

    /// The 0200, and the 0421 made from what was sealed.
    fn both(kind: PaymentKind, payee: &Payee) -> (Message, Message) {
        let block = PinBlock { format: PinBlockFormat::Iso0, bytes: Zeroizing::new(vec![0xAB; 8]) };
        let undo = undo(kind, payee);
        let sealed = Undo::decode(&undo.encode()).unwrap();
        let reversal = sealed.reversal(true, Moment::from_unix_ms(1_709_238_700_000)).unwrap();
        (undo.authorisation(&block, "377").unwrap(), reversal)
    }

    #[test]
    fn each_kind_says_what_it_pays_and_its_reversal_says_the_same() {
        let to = Payee::Card(Pan::parse("6037997000000019").unwrap());
        let bill = Payee::Bill(Bill::parse("7748317800142", "1770160").unwrap());
        let phone = Payee::Phone(Operator::Irancell, Phone::parse("09351234567").unwrap());
        for (kind, payee, code, category, field_48, reversed_48, to) in [
            (PaymentKind::Transfer, &to, "400000", "4829", "01003377", None, Some("6037997000000019")),
            (
                PaymentKind::Bill,
                &bill,
                "500000",
                "4900",
                "03013774831780014204007177016001003377",
                Some("030137748317800142040071770160"),
                None,
            ),
            (
                PaymentKind::TopUp,
                &phone,
                "510000",
                "4814",
                "8001298935123456781008irancell01003377",
                Some("8001298935123456781008irancell"),
                None,
            ),
            (PaymentKind::Balance, &Payee::Merchant, "310000", "6012", "01003377", None, None),
        ] {
            let (authorisation, reversal) = both(kind, payee);
            for message in [&authorisation, &reversal] {
                assert_eq!((message.get(3), message.get(18)), (Some(code), Some(category)), "{kind:?}");
                assert_eq!(message.get(103), to, "{kind:?}");
                assert_eq!(message.get(4), authorisation.get(4), "{kind:?}");
            }
            assert_eq!((authorisation.get(48), reversal.get(48)), (Some(field_48), reversed_48), "{kind:?}");
        }
    }

    #[test]
    fn a_reversal_that_the_first_release_sealed_is_made_still() {
        let mut old = undo(PaymentKind::Purchase, &Payee::Merchant);
        (old.code, old.to, old.tags) = (None, None, None);
        let reversal = Undo::decode(&old.encode()).unwrap().reversal(false, Moment::from_unix_ms(0)).unwrap();
        assert_eq!((reversal.get(3), reversal.get(18)), (Some("000000"), Some("5999")));
    }

    #[test]
    fn both_messages_fit_the_layout_and_say_the_same() {
        let (purchase, reversal) = both(PaymentKind::Purchase, &Payee::Merchant);
        for message in [&purchase, &reversal] {
            let layout = Layout::named("ascii").unwrap();
            let bytes = encode(&layout, message).unwrap();
            assert_eq!(&decode(&layout, &bytes).unwrap(), message);
        }
        for (field, expect) in [
            (2, "6104337000000016"),
            (3, "000000"),
            (4, "000001250000"),
            (7, "0229203000"),
            (11, "000007"),
            (12, "000000"),
            (13, "0301"),
            (14, "0707"),
            (22, "812"),
            (25, "59"),
            (32, "581672061"),
            (37, "406100000001"),
            (41, "140     "),
            (42, "14033212       "),
            (48, "01003377"),
            (49, "364"),
        ] {
            assert_eq!(purchase.get(field), Some(expect), "field {field}");
        }
        assert_eq!(reversal.mti().as_str(), "0421");
        assert_eq!(reversal.get(90), Some("0200000007022920300000581672061\u{30}0000000000"));
        assert_eq!((reversal.get(11), reversal.get(37)), (Some("000008"), Some("406100000001")));
        assert!(!reversal.has(52) && !reversal.has(48));
    }
}
