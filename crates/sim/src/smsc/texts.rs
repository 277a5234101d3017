//! Texts from phones to banks: delivered, and kept until the bank says that it has taken them.
//!
//! An operator delivers again by its own clock; here a test says when ([`Smsc::deliver_again`]).

use std::collections::BTreeMap;

use ramz_domain::Phone;
use ramz_sms::{
    coding,
    port::SmsText,
    smpp::pdu::{self, Frame},
};
use rusmpp::CommandStatus;

use super::{Bytes, Line, Smsc, deliver};

/// Texts that no bank has taken; the oldest goes.
const UNTAKEN_MAX: usize = 1024;
/// Where a PDU has its sequence number.
const SEQUENCE: std::ops::Range<usize> = 12..16;

/// Why a phone's text did not go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TextError {
    /// No account has this short code.
    #[error("no bank has this short code")]
    NoSuchShortCode,
    /// Its bank has no receiver or transceiver bound.
    #[error("the bank of this short code is not bound")]
    NotBound,
    /// The text needs too many parts.
    #[error("the text is too long")]
    TooLong,
}

/// The texts that are kept, and what was said of others.
#[derive(Default)]
pub(super) struct Texts {
    /// By the sequence number of their last delivery: whose they are, and the `deliver_sm`.
    untaken: BTreeMap<u32, (usize, Bytes)>,
    taken: u64,
    put_off: u64,
}

impl Smsc {
    /// A phone texts a short code: a `deliver_sm` for each part to the bank that is bound for it.
    pub fn text(&self, from: &Phone, short_code: &str, text: &SmsText) -> Result<(), TextError> {
        let short_code = short_code.trim();
        let known = |account: &super::Account| !short_code.is_empty() && account.short_code == short_code;
        let account = self.accounts.iter().position(known).ok_or(TextError::NoSuchShortCode)?;
        let line = self.receiver(account).ok_or(TextError::NotBound)?;
        let [.., high, low] = self.message_id().to_be_bytes();
        let cut = coding::cut(text.expose(), low).map_err(|_| TextError::TooLong)?;
        for part in &cut.parts {
            let reference = u16::from_be_bytes([high, low]);
            let deliver = deliver::text(from, short_code, &cut, part, reference).ok_or(TextError::TooLong)?;
            let sequence = self.sequence();
            self.deliver_text(
                &line,
                sequence,
                account,
                pdu::encode(CommandStatus::EsmeRok, sequence, deliver),
            );
        }
        Ok(())
    }

    /// Delivers again every text of which its bank has not said that it is taken. How many went.
    pub fn deliver_again(&self) -> usize {
        let untaken = std::mem::take(&mut self.state().texts.untaken);
        let mut went = 0;
        for (before, (account, mut bytes)) in untaken {
            let Some(line) = self.receiver(account) else {
                self.state().texts.untaken.insert(before, (account, bytes));
                continue;
            };
            let sequence = self.sequence();
            bytes[SEQUENCE].copy_from_slice(&sequence.to_be_bytes());
            self.deliver_text(&line, sequence, account, bytes);
            went += 1;
        }
        went
    }

    /// How many parts of texts the banks have said to have taken, and how many times one was to be delivered again.
    pub fn texts_told(&self) -> (u64, u64) {
        let texts = &self.state().texts;
        (texts.taken, texts.put_off)
    }

    /// Takes the answer to a `deliver_sm`. Those to receipts change nothing.
    pub(super) fn told(&self, frame: &Frame) {
        let texts = &mut self.state().texts;
        if !texts.untaken.contains_key(&frame.sequence) {
            return;
        }
        if frame.status == CommandStatus::EsmeRok {
            texts.untaken.remove(&frame.sequence);
            texts.taken += 1;
        } else {
            texts.put_off += 1;
        }
    }

    fn deliver_text(&self, line: &Line, sequence: u32, account: usize, bytes: Bytes) {
        let texts = &mut self.state().texts;
        if texts.untaken.len() >= UNTAKEN_MAX {
            texts.untaken.pop_first();
        }
        texts.untaken.insert(sequence, (account, bytes.clone()));
        line.put(bytes);
    }

    fn receiver(&self, account: usize) -> Option<Line> {
        let fits = |line: &&Line| line.bound.is_some_and(|bound| bound.account == account && bound.receives);
        self.state().connections.values().find(fits).cloned()
    }
}
