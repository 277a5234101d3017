//! A submit_sm, from its octets to the handset.

use std::time::Duration;

use ramz_api::tap::Fact;
use ramz_domain::{Moment, Phone, card::ReceiptState};
use ramz_sms::{
    coding::{self, concat::Header},
    port::SmsText,
    smpp::pdu::{self, Frame},
};
use rusmpp::{
    CommandStatus, Pdu,
    pdus::{SubmitSm, SubmitSmResp},
    tlvs::{Tlv, TlvValue},
    types::COctetString,
    values::{GsmFeatures, MCDeliveryReceipt, RegisteredDelivery},
};
use std::sync::{PoisonError, atomic::Ordering};
use zeroize::Zeroizing;

use super::{Bound, Bytes, Line, ReceiptIds, Smsc, deliver, moods::Answers};
use crate::handsets::time;

/// Parts of one text have all of this in common, beside their reference.
#[derive(PartialEq, Eq)]
pub(super) struct Sender {
    account: usize,
    from: String,
    to: Phone,
    data_coding: u8,
}

/// Parts whose text does not get whole are forgotten after this.
const UNFINISHED_KEPT: Duration = Duration::from_secs(600);

/// What became of a short message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Expired,
}

impl Smsc {
    /// Takes a submit and answers it, now or once it is released.
    pub(super) fn submit(&self, line: &Line, bound: Bound, frame: &Frame) {
        self.submits.fetch_add(1, Ordering::SeqCst);
        let (response, receipt) = match self.deliver(bound, frame) {
            Err(status) => (pdu::encode_refusal(frame.id, status, frame.sequence), None),
            Ok((submit, outcome)) => {
                let id = self.message_id();
                let octets = COctetString::from_string(format!("{id:x}")).unwrap_or_default();
                let resp = SubmitSmResp::builder().message_id(octets).build();
                let response = pdu::encode(CommandStatus::EsmeRok, frame.sequence, resp);
                let wanted = bound.receives && wants_receipt(submit.registered_delivery, outcome);
                (response, if wanted { self.receipt(&submit, id, outcome) } else { None })
            }
        };
        self.answer_in_mood(line, Answers { response, receipt });
    }

    fn receipt(&self, submit: &SubmitSm, id: u64, outcome: Outcome) -> Option<Bytes> {
        let (told, ids) = {
            let state = self.state();
            (state.moods.receipts_say, state.moods.receipt_ids)
        };
        let told = told.unwrap_or(match outcome {
            Outcome::Delivered => ReceiptState::Delivered,
            Outcome::Expired => ReceiptState::Expired,
        });
        let id = match ids {
            ReceiptIds::Same => format!("{id:x}"),
            ReceiptIds::Decimal => format!("{id:010}"),
            ReceiptIds::UpperHex => format!("{id:08X}"),
        };
        let receipt = deliver::receipt(submit, &id, told, self.clock.now())?;
        Some(pdu::encode(CommandStatus::EsmeRok, self.sequence(), receipt))
    }

    fn deliver(&self, bound: Bound, frame: &Frame) -> Result<(SubmitSm, Outcome), CommandStatus> {
        if let Some(status) = self.mood_to_refuse() {
            return Err(status);
        }
        let Ok(Pdu::SubmitSm(submit)) = frame.pdu() else {
            return Err(CommandStatus::EsmeRinvcmdlen);
        };
        let now = self.clock.now();
        let to = Phone::parse(submit.destination_addr.as_str()).map_err(|_| CommandStatus::EsmeRinvdstadr)?;
        let from = submit.source_addr.as_str().to_owned();
        if from.is_empty() {
            return Err(CommandStatus::EsmeRinvsrcadr);
        }
        let expiry = expiry(submit.validity_period.as_str(), now).ok_or(CommandStatus::EsmeRinvexpiry)?;
        let (header, body) = body(&submit)?;
        let data_coding = u8::from(submit.data_coding);
        if expiry.is_some_and(|expiry| now >= expiry) {
            return Ok((submit, Outcome::Expired));
        }
        let whole = match header.filter(|header| header.total > 1) {
            None => Some(body),
            Some(header) => {
                let sender =
                    Sender { account: bound.account, from: from.clone(), to: to.clone(), data_coding };
                let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
                unfinished.give_up_before(now.minus(UNFINISHED_KEPT));
                unfinished.take(sender, header, &body, now)
            }
        };
        if let Some(octets) = whole {
            let text = coding::read(data_coding, &octets).ok_or(CommandStatus::EsmeRinvdcs)?;
            let parts = header.map_or(1, |header| header.total);
            self.tell(&to, &from, parts, text.chars().count());
            self.handsets.receive(&to, &from, SmsText::new(text), now);
        }
        Ok((submit, Outcome::Delivered))
    }

    fn tell(&self, to: &Phone, from: &str, parts: u8, characters: usize) {
        if !self.tap.watches() {
            return;
        }
        let fields = [
            ("phone", to.masked()),
            ("sender", from.to_owned()),
            ("parts", parts.to_string()),
            ("text", format!("… {characters} characters")),
        ];
        self.tap.tell(Fact {
            from: "smsc".into(),
            to: "phone".into(),
            wire: "SMS",
            title: "short message".into(),
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        });
    }
}

/// The characters' octets, and their place in a longer text: from the user data header, or from the SAR parameters.
fn body(submit: &SubmitSm) -> Result<(Option<Header>, Zeroizing<Vec<u8>>), CommandStatus> {
    let values = || submit.tlvs().iter().filter_map(Tlv::value);
    let payload = values().find_map(|value| match value {
        TlvValue::MessagePayload(payload) => Some(&payload.value),
        _ => None,
    });
    let octets: &[u8] = match payload {
        Some(payload) if submit.short_message().is_empty() => payload.as_ref(),
        Some(_) => return Err(CommandStatus::EsmeRinvmsglen),
        None => submit.short_message(),
    };
    let udhi = matches!(
        submit.esm_class.gsm_features,
        GsmFeatures::UdhiIndicator | GsmFeatures::SetUdhiAndReplyPath
    );
    if udhi {
        let (header, body) = Header::read(octets).map_err(|_| CommandStatus::EsmeRinvesmclass)?;
        return Ok((header, Zeroizing::new(body.to_vec())));
    }
    let (mut reference, mut total, mut index) = (None, None, None);
    for value in values() {
        match value {
            TlvValue::SarMsgRefNum(value) => reference = Some(*value),
            TlvValue::SarTotalSegments(value) => total = Some(*value),
            TlvValue::SarSegmentSeqnum(value) => index = Some(*value),
            _ => {}
        }
    }
    let header = match (reference, total, index) {
        (Some(reference), Some(total), Some(index)) if (1..=total).contains(&index) => {
            Some(Header { reference, total, index })
        }
        _ => None,
    };
    Ok((header, Zeroizing::new(octets.to_vec())))
}

/// When a short message runs out (SMPP 3.4, 7.1.1): `Some(None)` if it does not, `None` if the period is malformed.
fn expiry(period: &str, now: Moment) -> Option<Option<Moment>> {
    if period.is_empty() {
        return Some(None);
    }
    let (digits, sign) = period.split_at_checked(15)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let field = |from: usize, length: usize| digits[from..from + length].parse::<u64>().ok();
    let (year, month, day) = (field(0, 2)?, field(2, 2)?, field(4, 2)?);
    let (hour, minute, second) = (field(6, 2)?, field(8, 2)?, field(10, 2)?);
    let quarters = Duration::from_secs(field(13, 2)? * 900);
    let second_of_day = hour * 3600 + minute * 60 + second;
    let at = match sign {
        "R" => {
            // Months and years of a relative period are longer than any SMS lives; their exact length does not matter.
            let days = (year * 12 + month) * 30 + day;
            now.plus(Duration::from_secs(days * 86_400 + second_of_day))
        }
        "+" => time::moment(2000 + year, month, day, second_of_day)?.minus(quarters),
        "-" => time::moment(2000 + year, month, day, second_of_day)?.plus(quarters),
        _ => return None,
    };
    Some(Some(at))
}

fn wants_receipt(asked: RegisteredDelivery, outcome: Outcome) -> bool {
    match asked.mc_delivery_receipt() {
        MCDeliveryReceipt::McDeliveryReceiptRequestedWhereFinalDeliveryOutcomeIsSuccessOrFailure => true,
        MCDeliveryReceipt::McDeliveryReceiptRequestedWhereFinalDeliveryOutcomeIsSuccess => {
            outcome == Outcome::Delivered
        }
        MCDeliveryReceipt::McDeliveryReceiptRequestedWhereFinalDeliveryOutcomeIsFailure => {
            outcome == Outcome::Expired
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_of_both_kinds() {
        let now = Moment::from_unix_ms(1_699_959_666_000);
        let after = |s| Some(Some(now.plus(Duration::from_secs(s))));
        assert_eq!(expiry("", now), Some(None));
        assert_eq!(expiry("000000000200000R", now), after(120));
        assert_eq!(expiry("000001000000000R", now), after(86_400));
        // 11:03:06 UTC; the same as 14:33:06 at 14 quarters ahead.
        assert_eq!(expiry("231114110306000+", now), after(120));
        assert_eq!(expiry("231114143306014+", now), after(120));
        assert_eq!(expiry("231114073306014-", now), after(120));
    }

    #[test]
    fn periods_that_are_none() {
        let now = Moment::from_unix_ms(0);
        for period in [
            "0",
            "000000000200000",
            "000000000200000X",
            "0000000x0200000R",
            "231314110306000+",
            "é00000000200000R",
        ] {
            assert_eq!(expiry(period, now), None, "{period}");
        }
    }
}
