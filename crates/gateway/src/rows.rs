//! Payments in the store: read, decide, swap; decide again if somebody else was first.

use std::sync::Arc;

use ramz_domain::{PaymentId, limits};
use ramz_store::{Change, Committer, Head, Outcome, Row, Sealed, Store, StoreFault, Swap, Table};

use crate::payment::Payment;

/// The sealed column that holds what a reversal needs.
pub(crate) const REVERSAL: &str = "reversal";
/// The sealed column that holds the payee that the merchant named. It goes with the first swap after it is needed.
pub(crate) const PAYEE: &str = "payee";

/// The payments of this gateway.
#[derive(Clone)]
pub(crate) struct Payments {
    store: Arc<dyn Store>,
    committer: Arc<Committer>,
}

/// What becomes of the sealed column [`REVERSAL`].
pub(crate) enum Column {
    /// As it is.
    Keep,
    /// New content, sealed already.
    Put(Vec<u8>),
    /// Gone.
    Remove,
}

/// Why a payment could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error("a payment row does not decode: it was written by a newer release, or damaged")]
    Garbled,
    #[error("a payment row was swapped away {} times in a row", limits::SWAP_ATTEMPTS_MAX)]
    Contended,
    #[error("there is no such payment")]
    Missing,
}

/// Why a change was not made: decided so, or a fault.
#[derive(Debug)]
pub(crate) enum NotChanged<E> {
    Decided(E),
    Fault(RowFault),
}

impl<E> From<RowFault> for NotChanged<E> {
    fn from(fault: RowFault) -> NotChanged<E> {
        NotChanged::Fault(fault)
    }
}

impl Payments {
    pub(crate) fn new(store: Arc<dyn Store>) -> Payments {
        Payments { committer: Arc::new(Committer::start(Arc::clone(&store))), store }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// A new row, with its payee sealed already. Its id is random, so losing means that the randomness is broken.
    pub(crate) async fn insert(
        &self,
        id: PaymentId,
        payment: &Payment,
        payee: Option<Vec<u8>>,
    ) -> Result<(), RowFault> {
        let sealed = payee.map(|bytes| Sealed { column: PAYEE, bytes: Some(bytes) });
        match self.swap(id, None, Head::EMPTY, payment, sealed.into_iter().collect()).await? {
            Outcome::Won => Ok(()),
            Outcome::Lost => Err(RowFault::Contended),
        }
    }

    pub(crate) async fn read(&self, id: PaymentId) -> Result<Option<Payment>, RowFault> {
        match self.store.read(Table::Payment, &id.0).await? {
            Some(row) => Payment::decode(&row.body).map(Some).ok_or(RowFault::Garbled),
            None => Ok(None),
        }
    }

    /// A sealed column of a payment.
    pub(crate) async fn sealed(&self, id: PaymentId, column: &str) -> Result<Option<Vec<u8>>, RowFault> {
        let row = self.store.read(Table::Payment, &id.0).await?;
        Ok(row
            .and_then(|row| row.sealed.into_iter().find(|(name, _)| name == column))
            .map(|(_, bytes)| bytes))
    }

    /// Reads, lets `decide` change the payment, and swaps; again from the start while the swap is lost. Nothing is written
    /// if `decide` changes nothing. What comes back is durable, with the payment as it then is.
    pub(crate) async fn change<T, E>(
        &self,
        id: PaymentId,
        mut decide: impl FnMut(&mut Payment) -> Result<(T, Column), E>,
    ) -> Result<(T, Payment), NotChanged<E>> {
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            let row = self.store.read(Table::Payment, &id.0).await.map_err(RowFault::from)?;
            let Row { version, body, head, .. } = row.ok_or(RowFault::Missing)?;
            let before = Payment::decode(&body).ok_or(RowFault::Garbled)?;
            let mut after = before.clone();
            let (answer, column) = decide(&mut after).map_err(NotChanged::Decided)?;
            if after == before && matches!(column, Column::Keep) {
                return Ok((answer, after));
            }
            let mut sealed = match column {
                Column::Keep => Vec::new(),
                Column::Put(bytes) => vec![Sealed { column: REVERSAL, bytes: Some(bytes) }],
                Column::Remove => vec![Sealed { column: REVERSAL, bytes: None }],
            };
            if before.needs_payee() && !after.needs_payee() {
                sealed.push(Sealed { column: PAYEE, bytes: None });
            }
            if self.swap(id, Some(version), head, &after, sealed).await? == Outcome::Won {
                return Ok((answer, after));
            }
        }
        Err(RowFault::Contended.into())
    }

    async fn swap(
        &self,
        id: PaymentId,
        expected: Option<u64>,
        head: Head,
        payment: &Payment,
        sealed: Vec<Sealed>,
    ) -> Result<Outcome, RowFault> {
        let swap = Swap {
            table: Table::Payment,
            key: id.0.to_vec(),
            expected,
            body: payment.encode(),
            sealed,
            head,
            journal: Vec::new(),
            outbox: Vec::new(),
            due: payment.due(),
            forget_after: payment.forget_after(),
        };
        Ok(self.committer.commit(Change::Swap(swap)).await?)
    }
}
