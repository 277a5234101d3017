//! The payee of a payment in the clear, when it is asked for or paid: from its sealed column, or as the payer typed it.

use ramz_domain::{Digest, Pan, PaymentId};
use ramz_keys::{IndexPurpose, Place};

use crate::{
    about::Payee,
    body::Secret,
    gateway::Gateway,
    payment::Payment,
    problem::No,
    rows::{self, RowFault},
};

/// The place of a payee that the merchant named.
pub(crate) const PAYEE_COLUMN: &str = "payment.payee";

/// A destination as it was typed, if its form is right.
pub(crate) fn typed(payment: &Payment, payee_pan: Option<&Secret>) -> Result<Option<Pan>, No> {
    match (payment.about().asks_destination(), payee_pan) {
        (false, None) => Ok(None),
        (false, Some(_)) => {
            Err(No::malformed(&[("/payee_pan", "leave it out: this payment's payee is known")]))
        }
        (true, None) => Err(No::malformed(&[("/payee_pan", "send the card that the money goes to")])),
        (true, Some(text)) => match Pan::parse_typed(text.as_str()) {
            Ok(pan) => Ok(Some(pan)),
            Err(error) => Err(No::malformed(&[("/payee_pan", error.to_string().as_str())])),
        },
    }
}

impl Gateway {
    /// Who is paid with this card.
    pub(crate) async fn payee(
        &self,
        id: PaymentId,
        payment: &Payment,
        pan: &Pan,
        typed: Option<Pan>,
    ) -> Result<Payee, No> {
        let payee = match typed {
            Some(to) => Payee::Card(to),
            None if payment.about().payee.is_none() => Payee::Merchant,
            None => self.named_payee(id, payment).await?,
        };
        match &payee {
            Payee::Card(to) if to == pan => {
                Err(No::malformed(&[("/payee_pan", "write another card: one card cannot pay itself")]))
            }
            _ => Ok(payee),
        }
    }

    async fn named_payee(&self, id: PaymentId, payment: &Payment) -> Result<Payee, No> {
        let sealed =
            self.payments.sealed(id, rows::PAYEE).await.map_err(|fault: RowFault| self.row_fault(&fault))?;
        // Gone: the payment came to its end a moment ago.
        let sealed = sealed.ok_or_else(|| No::standing(payment.standing(self.now())))?;
        let place = Place { row: &id.0, column: PAYEE_COLUMN };
        let clear = self.keys.open(place, &sealed).map_err(|fault| self.fault(&fault))?;
        Payee::decode(&clear).ok_or_else(|| self.fault(&"a sealed payee does not decode"))
    }

    /// What a typed destination is known by in the row.
    pub(crate) fn destination_tag(&self, to: Option<&Pan>) -> Result<Option<Digest>, No> {
        let Some(to) = to else { return Ok(None) };
        let tag = self.keys.index(IndexPurpose::PayeePan, &[to.expose().as_bytes()]);
        Ok(Some(Digest(tag.map_err(|fault| self.fault(&fault))?.bytes)))
    }
}
