//! The two messages of an acquirer: 0200 for a purchase, 0420 to undo it.
//!
//! What a reversal needs is written down before the authorisation is sent, and sealed: it has the PAN.

use std::sync::atomic::{AtomicU32, Ordering};

use minicbor::{Decode, Encode};
use ramz_domain::{Entropy, Moment, Pan, RIAL_NUMERIC_CODE, Rial, ambient::random_bytes};
use ramz_iso8583::{Message, Mti, de48};
use ramz_keys::PinBlock;
use zeroize::{Zeroize, Zeroizing};

use crate::{calendar::Civil, config::Merchant, payment::Trace};

/// Purchase, from and to the default account.
const PURCHASE: &str = "000000";
/// Merchant category: miscellaneous speciality shops.
const CATEGORY: &str = "5999";
/// 81: keyed in at an electronic-commerce page; 2: a PIN cannot be entered at the point of service itself.
const ENTRY_MODE: &str = "812";
/// 59: electronic commerce.
const CONDITION: &str = "59";

/// Numbers for DE11, unique for a terminal and day: from a random start, so that a restart does not repeat them.
pub(crate) struct Numbers {
    next: AtomicU32,
}

impl Numbers {
    pub(crate) fn new(entropy: &dyn Entropy) -> Numbers {
        Numbers { next: AtomicU32::new(u32::from_be_bytes(random_bytes(entropy)) % 999_999) }
    }

    /// 000001 to 999999.
    pub(crate) fn stan(&self) -> String {
        format!("{:06}", self.next.fetch_add(1, Ordering::Relaxed) % 999_999 + 1)
    }
}

/// A retrieval reference number (DE37): day of the year and eight random digits.
pub(crate) fn rrn(entropy: &dyn Entropy, now: Moment) -> String {
    let random = u64::from_be_bytes(random_bytes(entropy)) % 100_000_000;
    format!("{}{random:08}", Civil::tehran(now).yddd())
}

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
}

impl Drop for Undo {
    fn drop(&mut self) {
        self.pan.zeroize();
        self.expiry.zeroize();
    }
}

impl Undo {
    #[expect(clippy::too_many_arguments, reason = "each is one field of the message, named where it is made")]
    pub(crate) fn new(
        pan: &Pan,
        expiry: &str,
        amount: Rial,
        acquirer: &str,
        merchant: &Merchant,
        trace: &Trace,
        own_stan: String,
        now: Moment,
    ) -> Undo {
        let (local, utc) = (Civil::tehran(now), Civil::utc(now));
        Undo {
            pan: pan.expose().to_owned(),
            amount,
            stan: trace.stan.clone(),
            transmission: format!("{}{}", utc.mmdd(), utc.hhmmss()),
            local_time: local.hhmmss(),
            local_date: local.mmdd(),
            expiry: expiry.to_owned(),
            acquirer: acquirer.to_owned(),
            rrn: trace.rrn.clone(),
            terminal: format!("{:<8}", merchant.terminal),
            merchant: format!("{:<15}", merchant.merchant),
            own_stan,
        }
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
        message.set(3, PURCHASE);
        message.set(4, self.amount.de4());
        message.set(12, self.local_time.as_str());
        message.set(13, self.local_date.as_str());
        message.set(14, self.expiry.as_str());
        message.set(18, CATEGORY);
        message.set(22, ENTRY_MODE);
        message.set(25, CONDITION);
        message.set(32, self.acquirer.as_str());
        message.set(37, self.rrn.as_str());
        message.set(41, self.terminal.as_str());
        message.set(42, self.merchant.as_str());
        message.set(49, RIAL_NUMERIC_CODE);
        message
    }

    /// The authorisation, 0200.
    pub(crate) fn purchase(&self, block: &PinBlock, cvv2: &str) -> Result<Message, de48::TagError> {
        let mut message = self.shared(Mti::FINANCIAL);
        message.set(7, self.transmission.as_str());
        message.set(11, self.stan.as_str());
        let mut tags = de48::Tags::new();
        tags.set(de48::CVV2, cvv2);
        message.set(48, tags.encode()?);
        message.set(52, block.bytes.to_vec());
        Ok(message)
    }

    /// The reversal, 0420; `repeat`: 0421.
    pub(crate) fn reversal(&self, repeat: bool, now: Moment) -> Message {
        let utc = Civil::utc(now);
        let mti = if repeat { Mti::REVERSAL_ADVICE.repeat() } else { Mti::REVERSAL_ADVICE };
        let mut message = self.shared(mti);
        message.set(7, format!("{}{}", utc.mmdd(), utc.hhmmss()));
        message.set(11, self.own_stan.as_str());
        // Original data elements: type, STAN, transmission time, acquirer, forwarder (none).
        message.set(90, format!("0200{}{}{:0>11}{:0>11}", self.stan, self.transmission, self.acquirer, ""));
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ramz_iso8583::{Layout, decode, encode};
    use ramz_keys::PinBlockFormat;

    struct Fixed;

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xFF);
        }
    }

    fn undo() -> Undo {
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
        let amount = Rial::new(1_250_000).unwrap();
        let now = Moment::from_unix_ms(1_709_238_600_000);
        Undo::new(&pan, "0707", amount, "581672061", &merchant, &trace, "000008".into(), now)
    }

    #[test]
    fn both_messages_fit_the_layout_and_say_the_same() {
        let block = PinBlock { format: PinBlockFormat::Iso0, bytes: Zeroizing::new(vec![0xAB; 8]) };
        let purchase = undo().purchase(&block, "377").unwrap();
        let reversal =
            Undo::decode(&undo().encode()).unwrap().reversal(true, Moment::from_unix_ms(1_709_238_700_000));
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

    #[test]
    fn numbers_follow_each_other_and_wrap_without_zero() {
        let numbers = Numbers { next: AtomicU32::new(999_997) };
        let got: Vec<_> = (0..4).map(|_| numbers.stan()).collect();
        assert_eq!(got, ["999998", "999999", "000001", "000002"]);
        assert_eq!(rrn(&Fixed, Moment::from_unix_ms(0)).len(), 12);
    }
}
