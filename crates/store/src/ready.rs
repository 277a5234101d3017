//! Whether a store could serve a payment now, for whoever asks whether a node is ready.

use ramz_domain::limits;
use tokio::time::timeout;

use crate::{Store, StoreFault, Table};

/// A row that nobody has.
const NOBODYS: [u8; 16] = [0; 16];

/// Reads as a payment does. That a database tells the time says too little: with high availability a standby must confirm each read,
/// and without one nothing can be served.
///
/// # Errors
/// [`StoreFault::Unavailable`], also if it takes longer than [`limits::READY_WITHIN`].
pub async fn ready(store: &dyn Store) -> Result<(), StoreFault> {
    let late = |_| StoreFault::Unavailable("no row was to be read in time; does a standby confirm?".into());
    timeout(limits::READY_WITHIN, store.read(Table::Node, &NOBODYS)).await.map_err(late)?.map(drop)
}
