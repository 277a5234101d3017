//! What all handlers share: the payments, the merchants, the links, and everything from outside.

use std::{collections::HashMap, sync::Arc};

use ramz_api::{client::PinRequests, tap::SharedTap};
use ramz_domain::{Clock, Entropy, Iin, Moment, PaymentId};
use ramz_keys::{Keys, PinBlockFormat};
use ramz_link::{Link, Numbers};
use ramz_store::{Agreed, StoreFault};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::{
    config::{BankLink, Config, Merchant},
    directory::Directory,
    health::Presses,
    payment::Payment,
    problem::{Kind, No},
    rows::{NotChanged, Payments, RowFault},
};

/// A store that did not answer may do so again by then, in seconds.
const STORE_AGAIN_S: u64 = 1;

/// A bank that authorisations go to.
pub(crate) struct Bank {
    pub(crate) config: BankLink,
    /// Of the PIN blocks that it is sent.
    pub(crate) format: PinBlockFormat,
    pub(crate) link: Arc<Link>,
}

/// One gateway. Shared by all requests.
pub(crate) struct Gateway {
    pub(crate) config: Config,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) payments: Payments,
    /// Copies share a database: what one takes back, it takes back by the time of all.
    pub(crate) agreed: Arc<Agreed>,
    pub(crate) tap: SharedTap,
    pub(crate) router: PinRequests,
    pub(crate) directory: Directory,
    pub(crate) banks: Vec<Bank>,
    /// IIN to a place in `banks`.
    pub(crate) by_iin: HashMap<Iin, usize>,
    pub(crate) numbers: Numbers,
    /// How presses of the PIN button ended.
    pub(crate) presses: Presses,
    /// Wakes the sweeper before its time.
    pub(crate) sweep: Notify,
    /// Work that must not end with the browser's connection.
    pub(crate) work: TaskTracker,
}

impl Gateway {
    /// As all copies have it: what one writes by its time, another ends by its own.
    pub(crate) fn now(&self) -> Moment {
        self.agreed.now()
    }

    /// Nothing is begun while this copy's clock is not the store's: another would take back at once what is paid here.
    pub(crate) fn may_begin(&self) -> Result<(), No> {
        self.agreed.hold().map_err(|_| No::later(Kind::StoreUnavailable, STORE_AGAIN_S))
    }

    pub(crate) fn merchant(&self, id: &str) -> Option<&Merchant> {
        self.config.merchants.iter().find(|merchant| merchant.id == id)
    }

    /// The merchant of a payment. One that was taken out of the configuration takes its payments along.
    pub(crate) fn merchant_of(&self, payment: &Payment) -> Result<&Merchant, No> {
        self.merchant(&payment.merchant).ok_or_else(|| No::new(Kind::NoSuchPayment))
    }

    pub(crate) fn bank(&self, iin: Iin) -> Option<&Bank> {
        self.by_iin.get(&iin).and_then(|at| self.banks.get(*at))
    }

    pub(crate) fn bank_named(&self, name: &str) -> Option<&Bank> {
        self.banks.iter().find(|bank| bank.config.name == name)
    }

    pub(crate) fn fault(&self, cause: &dyn std::fmt::Display) -> No {
        No::fault(&*self.entropy, cause)
    }

    pub(crate) fn row_fault(&self, fault: &RowFault) -> No {
        match fault {
            RowFault::Missing => No::new(Kind::NoSuchPayment),
            RowFault::Store(fault @ (StoreFault::Unavailable(_) | StoreFault::Unknown(_))) => {
                tracing::error!(%fault, "the store does not answer");
                No::later(Kind::StoreUnavailable, STORE_AGAIN_S)
            }
            other => self.fault(other),
        }
    }

    /// A change that was not made, as an answer.
    pub(crate) fn refuse<E>(&self, not: NotChanged<E>, decided: impl FnOnce(E) -> No) -> No {
        match not {
            NotChanged::Decided(why) => decided(why),
            NotChanged::Fault(fault) => self.row_fault(&fault),
        }
    }

    /// A payment by the id in the path.
    pub(crate) async fn read(&self, id: &str) -> Result<(PaymentId, Payment), No> {
        let id = PaymentId::parse(id).ok_or_else(|| No::new(Kind::NoSuchPayment))?;
        match self.payments.read(id).await {
            Ok(Some(payment)) => Ok((id, payment)),
            Ok(None) => Err(No::new(Kind::NoSuchPayment)),
            Err(fault) => Err(self.row_fault(&fault)),
        }
    }

    /// Where the payer goes back to: the callback with the payment's id and nothing else.
    pub(crate) fn way_back(&self, id: PaymentId, payment: &Payment) -> String {
        let joint = if payment.callback.contains('?') { '&' } else { '?' };
        format!("{}{joint}payment={id}", payment.callback)
    }
}
