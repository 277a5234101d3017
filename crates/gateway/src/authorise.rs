//! Paying: the typed card and PIN become one 0200, and its answer becomes the payment's state.
//!
//! The order is the point. The payment is claimed, with what a reversal needs sealed beside it, before a byte is sent; its
//! answer is committed before the payer sees it. Where the answer is not known, the payment is reversed, never guessed.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use ramz_api::serve::JsonBody;
use ramz_domain::{Language, Pan, PaymentId, PaymentKind, Pin, digits, is_approval, limits};
use ramz_iso8583::{Message, de48};
use ramz_keys::Place;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    about::Payee,
    balance::{self, Balance},
    body::{self, Secret},
    expiry,
    gateway::{Bank, Gateway},
    message::{Paying, Undo},
    payee,
    payment::{self, Payment, Standing, TRIES_MAX, Trace},
    problem::{Kind, No},
    refusals::{self, NO_BALANCE, NO_BANK_CODE, NOT_ASKED},
    rows::{Column, NotChanged},
    state::{Receipt, UNKNOWN_EN, UNKNOWN_FA},
    token,
};

/// The place of what a reversal needs.
pub(crate) const REVERSAL_COLUMN: &str = "payment.reversal";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    pan: Secret,
    expiry: Secret,
    cvv2: Secret,
    pin: Secret,
    /// Where a transfer goes to, if the payer says so.
    payee_pan: Option<Secret>,
    #[serde(default)]
    lang: String,
}

/// A card and its PIN, as far as they can be checked here.
struct Card {
    pan: Pan,
    expiry: Zeroizing<String>,
    cvv2: Zeroizing<String>,
    pin: Pin,
}

/// What the page shows.
#[derive(Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum Shown {
    Paid {
        receipt: Receipt,
        /// What a balance inquiry was told: here and nowhere else.
        #[serde(skip_serializing_if = "Option::is_none")]
        balance: Option<Balance>,
        redirect: String,
    },
    Refused {
        code: String,
        text: &'static str,
        advice: &'static str,
        next: &'static str,
        tries_left: u8,
        /// Set once this payment takes no more tries.
        #[serde(skip_serializing_if = "Option::is_none")]
        redirect: Option<String>,
    },
    Unknown {
        text: &'static str,
        redirect: String,
    },
}

/// How the asking ended.
enum Ended {
    Approved {
        balance: Option<Balance>,
    },
    Refused {
        code: String,
        refusal: Option<String>,
    },
    NotSent,
    /// `approved`: the bank took money, though not as it was asked to.
    Unknown {
        approved: bool,
    },
}

/// `POST /pay/{payment}/authorise` `{ pan, expiry, cvv2, pin, [payee_pan], lang }` → 200 with the result.
pub(crate) async fn authorise(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(bytes): JsonBody,
) -> Result<Json<Shown>, No> {
    let (id, payment) = gateway.read(&id).await?;
    token::check(&payment, &headers)?;
    gateway.may_begin()?;
    let typed: Typed = body::read(&bytes, "{ pan, expiry, cvv2, pin, [payee_pan], lang }")?;
    drop(bytes);
    let language = Language::parse(&typed.lang).unwrap_or_default();
    let card = Card::read(&typed)?;
    let to = payee::typed(&payment, typed.payee_pan.as_ref())?;
    drop(typed);
    let payee = gateway.payee(id, &payment, &card.pan, to).await?;
    let working = Arc::clone(&gateway);
    // A browser that goes away must not leave an authorisation without its end.
    let work = gateway.work.spawn(async move { working.authorise(id, card, &payee, language).await });
    work.await.map_err(|error| gateway.fault(&error))?.map(Json)
}

impl Card {
    /// All errors at once, each at its place.
    fn read(typed: &Typed) -> Result<Card, No> {
        let pan = Pan::parse_typed(typed.pan.as_str());
        let expiry = expiry::yymm(typed.expiry.as_str());
        let cvv2 = Zeroizing::new(digits::fold(typed.cvv2.as_str().trim()));
        let cvv2 = Some(cvv2).filter(|c| (3..=4).contains(&c.len()) && c.bytes().all(|b| b.is_ascii_digit()));
        let pin = Pin::parse_typed(typed.pin.as_str());
        let mut errors = Vec::new();
        let pan_error = pan.as_ref().err().map(ToString::to_string);
        let pin_error = pin.as_ref().err().map(ToString::to_string);
        errors.extend(pan_error.as_deref().map(|what| ("/pan", what)));
        errors.extend(expiry.is_none().then_some(("/expiry", "write it as MM/YY")));
        errors
            .extend(cvv2.is_none().then_some(("/cvv2", "write the three or four digits of the card's back")));
        errors.extend(pin_error.as_deref().map(|what| ("/pin", what)));
        match (pan, expiry, cvv2, pin) {
            (Ok(pan), Some(expiry), Some(cvv2), Ok(pin)) => Ok(Card { pan, expiry, cvv2, pin }),
            _ => Err(No::malformed(&errors)),
        }
    }
}

impl Gateway {
    async fn authorise(
        &self,
        id: PaymentId,
        card: Card,
        payee: &Payee,
        language: Language,
    ) -> Result<Shown, No> {
        let Card { pan, expiry, cvv2, pin } = card;
        let bank = self.bank(pan.iin()).ok_or_else(|| No::new(Kind::UnknownIssuer))?;
        let block = self.keys.make_pin_block(&pin, &pan, &bank.config.zone, bank.format);
        drop(pin);
        let block = block.map_err(|fault| self.fault(&fault))?;
        let payment = match self.payments.read(id).await {
            Ok(payment) => payment.ok_or_else(|| No::new(Kind::NoSuchPayment))?,
            Err(fault) => return Err(self.row_fault(&fault)),
        };
        let merchant = self.merchant_of(&payment)?;
        let now = self.now();
        let trace = Trace {
            link: bank.config.name.clone(),
            stan: self.numbers.stan(),
            rrn: ramz_link::rrn(&*self.entropy, now),
        };
        let (kind, amount) = (payment.kind(), payment.amount);
        let paying = Paying { pan: &pan, expiry: &expiry, kind, payee, amount };
        let own_stan = self.numbers.stan();
        let undo = Undo::new(&paying, &self.config.acquirer, merchant, &trace, own_stan, now);
        let request = undo.authorisation(&block, &cvv2).map_err(|error| self.fault(&error))?;
        let place = Place { row: &id.0, column: REVERSAL_COLUMN };
        let sealed = self.keys.seal(place, &undo.encode()).map_err(|fault| self.fault(&fault))?;
        drop((undo, block, cvv2, expiry));
        let (masked, shown) = (pan.masked(), payee.masked());
        drop(pan);

        let claim = self.payments.change(id, |payment| {
            let column = if payment.moves_money() { Column::Put(sealed.clone()) } else { Column::Keep };
            payment.begin(trace.clone(), now).map(|()| ((), column))
        });
        claim.await.map_err(|not| self.refuse(not, No::standing))?;

        // A process that stood still meanwhile would ask when others may have reversed it.
        let ended = if self.now().since(now) > limits::LEASE {
            tracing::warn!(payment = %id, "a payment was claimed too long ago to be sent");
            Ended::NotSent
        } else {
            ask(bank, request, &payment).await
        };
        let receipt = payment::Receipt { trace, card: masked, at: now, payee: shown };
        self.settle(id, receipt, ended, &sealed, language).await
    }

    /// Commits what came of it, and only then says it. `undo`: what a reversal needs, sealed.
    async fn settle(
        &self,
        id: PaymentId,
        mut receipt: payment::Receipt,
        ended: Ended,
        undo: &[u8],
        language: Language,
    ) -> Result<Shown, No> {
        let now = self.now();
        let window = self.config.verify_within();
        receipt.at = now;
        let settled = self.payments.change(id, |payment| {
            // Swept in the meantime: whatever the answer was, it is being reversed.
            if !payment.is_authorising(&receipt.trace) {
                return Err(payment.standing(now));
            }
            let column = match &ended {
                Ended::Approved { .. } => {
                    payment.approve(receipt.clone(), now, window);
                    Column::Keep
                }
                Ended::Refused { .. } | Ended::NotSent => {
                    payment.reopen(now);
                    Column::Remove
                }
                Ended::Unknown { approved } => {
                    payment.doubt(receipt.trace.clone(), *approved, now);
                    Column::Keep
                }
            };
            Ok(((), column))
        });
        let payment = match settled.await {
            Ok((_, payment)) => payment,
            Err(not) => {
                if let Some(shown) = self.kept_after_all(id, &receipt.trace, &ended).await {
                    return Ok(shown);
                }
                if let NotChanged::Fault(fault) = &not {
                    tracing::error!(%fault, "an authorisation's end could not be kept; it will be reversed");
                }
                if let Ended::Approved { .. } | Ended::Unknown { .. } = ended {
                    let approved =
                        matches!(ended, Ended::Approved { .. } | Ended::Unknown { approved: true });
                    self.reverse_anew(id, &receipt.trace, undo, approved).await;
                }
                return self.unknown(id, language).await;
            }
        };
        match ended {
            Ended::Approved { balance } => {
                let receipt = Receipt::of(&payment).ok_or_else(|| No::standing(payment.standing(now)))?;
                Ok(Shown::Paid { receipt, balance, redirect: self.way_back(id, &payment) })
            }
            Ended::Refused { code, refusal } => {
                Ok(self.refused(id, &payment, code, refusal.as_deref(), language))
            }
            Ended::NotSent => {
                Ok(self.refused(id, &payment, NO_BANK_CODE.to_owned(), Some(NOT_ASKED), language))
            }
            // Nothing moved, so nothing is in doubt: the balance was not told.
            Ended::Unknown { .. } if !payment.moves_money() => {
                Ok(self.refused(id, &payment, NO_BANK_CODE.to_owned(), Some(NOT_ASKED), language))
            }
            Ended::Unknown { .. } => {
                self.sweep.notify_one();
                self.unknown(id, language).await
            }
        }
    }

    /// A commit whose outcome was in doubt has happened, and the approval stands: the row says so.
    async fn kept_after_all(&self, id: PaymentId, trace: &Trace, ended: &Ended) -> Option<Shown> {
        let Ended::Approved { balance } = ended else { return None };
        let payment = self.payments.read(id).await.ok().flatten()?;
        let receipt = Receipt::of(&payment).filter(|_| payment.is_paid_by(trace, self.now()))?;
        Some(Shown::Paid { receipt, balance: *balance, redirect: self.way_back(id, &payment) })
    }

    fn refused(
        &self,
        id: PaymentId,
        payment: &Payment,
        code: String,
        refusal: Option<&str>,
        language: Language,
    ) -> Shown {
        let reason = refusals::reason(&code, refusal);
        let over = payment.standing(self.now()) != Standing::Open;
        Shown::Refused {
            code,
            text: reason.text(language),
            advice: reason.advice(language),
            next: reason.next.code(),
            tries_left: if over { 0 } else { TRIES_MAX.saturating_sub(payment.tries) },
            redirect: over.then(|| self.way_back(id, payment)),
        }
    }

    async fn unknown(&self, id: PaymentId, language: Language) -> Result<Shown, No> {
        let text = match language {
            Language::Persian => UNKNOWN_FA,
            Language::English => UNKNOWN_EN,
        };
        let payment = self.payments.read(id).await.ok().flatten();
        let redirect = payment.map(|payment| self.way_back(id, &payment)).unwrap_or_default();
        Ok(Shown::Unknown { text, redirect })
    }
}

/// Asks the bank. Anything but a clear yes or a clear no to this very payment is unknown.
async fn ask(bank: &Bank, request: Message, payment: &Payment) -> Ended {
    match bank.link.ask(request, limits::HOST_TIMEOUT).await {
        Ok(answer) => {
            let same_amount = answer.get(4).is_none_or(|amount| amount == payment.amount.de4());
            match answer.get(39) {
                Some("00") if same_amount && payment.kind() == PaymentKind::Balance => {
                    match answer.get(54).and_then(balance::read) {
                        told @ Some(_) => Ended::Approved { balance: told },
                        // A yes without what was asked for.
                        None => Ended::Refused { code: "00".into(), refusal: Some(NO_BALANCE.into()) },
                    }
                }
                Some("00") if same_amount => Ended::Approved { balance: None },
                // Approved in another way than was asked for, or 68, an answer that came too late: no clear no.
                Some(code) if code.len() == 2 && code != "68" && !is_approval(code) => Ended::Refused {
                    code: code.to_owned(),
                    refusal: answer
                        .bytes(48)
                        .and_then(|content| de48::parse(content).ok())
                        .and_then(|tags| tags.get(de48::REFUSAL).map(str::to_owned)),
                },
                code => {
                    tracing::error!(
                        link = bank.config.name,
                        "an answer that is neither yes nor no; reversing"
                    );
                    Ended::Unknown { approved: code.is_some_and(is_approval) }
                }
            }
        }
        Err(error) => {
            tracing::warn!(link = bank.config.name, %error, "an authorisation has no answer");
            if error.was_sent() { Ended::Unknown { approved: false } } else { Ended::NotSent }
        }
    }
}
