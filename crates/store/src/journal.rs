//! Verifying a row's journal: that nothing of it was altered, dropped, put in or put elsewhere.
//!
//! Each entry's MAC covers the entry and the MAC before it; the row's head holds the last. Who has the journal key can
//! verify; who only has the database can neither rebuild nor shorten the chain. The key is not here: the MAC is handed in.
//! What the MAC is to protect of [`JournalEntry::at`] and [`JournalEntry::key_version`] its maker must put into it.

use crate::{Head, JournalEntry, Store, StoreFault};

/// Entries read at once.
const PAGE: usize = 256;

/// Where a chain breaks first.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the journal breaks at entry {seq}: {why}")]
pub struct ChainBroken {
    /// The first entry that is missing, wrong, or too much.
    pub seq: u64,
    /// What is wrong with it.
    pub why: Break,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Break {
    /// Another one stands in its place, or the chain goes on after it.
    #[error("it is missing")]
    Missing,
    /// Not what was written there.
    #[error("it, or the one before, was altered or moved")]
    Altered,
    /// The row's head counts it, and no entry is left.
    #[error("the end of the journal was cut off")]
    CutOff,
    /// The row's head does not count it.
    #[error("it stands beyond the row's head: the row or its end was put back to an older state")]
    Beyond,
    /// As many entries as the head says, and another MAC.
    #[error("the row's head does not name it: the row was altered or put back")]
    HeadDiffers,
}

/// Why a journal could not be called whole.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError<E> {
    /// It is not.
    #[error(transparent)]
    Broken(#[from] ChainBroken),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A MAC could not be made.
    #[error("journal entry {seq}: {source}")]
    Mac {
        /// The entry.
        seq: u64,
        /// What its maker says.
        source: E,
    },
}

/// A walk along a chain, one entry after another.
#[derive(Clone, Debug)]
pub struct Chain {
    last: Head,
}

impl Chain {
    /// At the beginning, before entry 1.
    pub fn new() -> Chain {
        Chain { last: Head::EMPTY }
    }

    /// Takes the next entry. `mac(previous, entry)` makes the MAC that the entry must have.
    ///
    /// # Errors
    /// [`VerifyError::Broken`] or [`VerifyError::Mac`]; the walk stays where it was.
    pub fn step<E>(
        &mut self,
        entry: &JournalEntry,
        mac: impl Fn(&[u8; 32], &JournalEntry) -> Result<[u8; 32], E>,
    ) -> Result<(), VerifyError<E>> {
        let seq = self.last.seq + 1;
        if entry.seq != seq {
            let why = if entry.seq > seq { Break::Missing } else { Break::Altered };
            return Err(ChainBroken { seq, why }.into());
        }
        let expected = mac(&self.last.mac, entry).map_err(|source| VerifyError::Mac { seq, source })?;
        // Nobody is answered by this, so the comparison need not be in constant time.
        if expected != entry.mac {
            return Err(ChainBroken { seq, why: Break::Altered }.into());
        }
        self.last = Head { seq, mac: entry.mac };
        Ok(())
    }

    /// Ends the walk at the row's head: how many entries there are.
    ///
    /// # Errors
    /// [`ChainBroken`] if the head is not where the walk ended.
    pub fn end(&self, head: Head) -> Result<u64, ChainBroken> {
        if head.seq > self.last.seq {
            return Err(ChainBroken { seq: self.last.seq + 1, why: Break::CutOff });
        }
        if head.seq < self.last.seq {
            return Err(ChainBroken { seq: head.seq + 1, why: Break::Beyond });
        }
        if head.mac != self.last.mac {
            return Err(ChainBroken { seq: head.seq, why: Break::HeadDiffers });
        }
        Ok(head.seq)
    }
}

impl Default for Chain {
    fn default() -> Chain {
        Chain::new()
    }
}

/// Verifies entries against a head: how many there are. `mac(previous, entry)` makes the MAC an entry must have.
///
/// # Errors
/// [`VerifyError::Broken`] at the first entry that is wrong, [`VerifyError::Mac`].
pub fn verify<'a, E>(
    entries: impl IntoIterator<Item = &'a JournalEntry>,
    head: Head,
    mac: impl Fn(&[u8; 32], &JournalEntry) -> Result<[u8; 32], E>,
) -> Result<u64, VerifyError<E>> {
    let mut chain = Chain::new();
    for entry in entries {
        chain.step(entry, &mac)?;
    }
    Ok(chain.end(head)?)
}

/// Verifies a row's journal in a store, page by page. `head` is as read with the row *before* this call; entries written
/// since then are not looked at, so the row need not stand still.
///
/// # Errors
/// [`VerifyError`]. An entry beyond the head is *not* an error here, because the row may have moved on: when the row
/// stands still, compare its head once more.
pub async fn verify_row<E>(
    store: &dyn Store,
    owner: &[u8],
    head: Head,
    mac: impl Fn(&[u8; 32], &JournalEntry) -> Result<[u8; 32], E>,
) -> Result<u64, VerifyError<E>> {
    let mut chain = Chain::new();
    while chain.last.seq < head.seq {
        let page = store.journal(owner, chain.last.seq, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for entry in page.iter().take_while(|entry| entry.seq <= head.seq) {
            chain.step(entry, &mac)?;
        }
        if page.last().is_some_and(|entry| entry.seq > head.seq) {
            break;
        }
    }
    Ok(chain.end(head)?)
}
