//! Verifying a row's journal: that nothing of it was altered, dropped, put in or put elsewhere.
//!
//! Each entry's MAC covers the entry and the MAC before it; the row's head holds the last. Who has the journal key can
//! verify; who only has the database can neither rebuild nor shorten the chain. The key is not here: the MAC is handed in.
//! What the MAC is to protect of [`JournalEntry::at`] and [`JournalEntry::key_version`] its maker must put into it.

use crate::{Head, JournalEntry, Store, StoreFault, Table};

/// Entries read at once. Stores find the way to a page from the journal's end, so many small pages of a long one cost its square.
const PAGE: usize = 4096;

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

/// Verifies a row's journal in a store, page by page: how many entries there are. The row may move on meanwhile.
///
/// # Errors
/// [`VerifyError`]. Entries without their row are [`Break::Beyond`]; a row without a journal has no entries.
pub async fn verify_row<E>(
    store: &dyn Store,
    table: Table,
    key: &[u8],
    mac: impl Fn(&[u8; 32], &JournalEntry) -> Result<[u8; 32], E>,
) -> Result<u64, VerifyError<E>> {
    let mut chain = Chain::new();
    loop {
        let head = store.read(table, key).await?.map_or(Head::EMPTY, |row| row.head);
        while chain.last.seq < head.seq {
            let left = usize::try_from(head.seq - chain.last.seq).unwrap_or(PAGE);
            let page = store.journal(key, chain.last.seq, left.min(PAGE)).await?;
            if page.is_empty() {
                break;
            }
            for entry in &page {
                chain.step(entry, &mac)?;
            }
        }
        let count = chain.end(head)?;
        if store.journal(key, count, 1).await?.is_empty() {
            return Ok(count);
        }
        // An entry beyond the head: either the row has moved on since it was read, or it was put back.
        let now = store.read(table, key).await?.map_or(Head::EMPTY, |row| row.head);
        if now.seq <= count {
            return Err(ChainBroken { seq: count + 1, why: Break::Beyond }.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::{Change, MemoryStore, Swap};
    use ramz_domain::Moment;

    fn mac(previous: &[u8; 32], entry: &JournalEntry) -> Result<[u8; 32], String> {
        if entry.key_version != 7 {
            return Err(format!("no key of version {}", entry.key_version));
        }
        let mut hash = Sha256::new();
        hash.update(b"a test's key");
        hash.update(entry.seq.to_be_bytes());
        hash.update(previous);
        hash.update(&entry.entry);
        Ok(hash.finalize().into())
    }

    fn chain(count: u64) -> (Vec<JournalEntry>, Head) {
        let mut head = Head::EMPTY;
        let mut entries = Vec::new();
        for seq in 1..=count {
            let mut entry = JournalEntry {
                seq,
                at: Moment::from_unix_ms(seq),
                entry: format!("entry {seq}").into_bytes(),
                key_version: 7,
                mac: [0; 32],
            };
            entry.mac = mac(&head.mac, &entry).unwrap();
            head = Head { seq, mac: entry.mac };
            entries.push(entry);
        }
        (entries, head)
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Vec<JournalEntry>, &mut Head), seq: u64, why: Break) {
        let (mut entries, mut head) = chain(5);
        assert_eq!(verify(&entries, head, mac).unwrap(), 5);
        spoil(&mut entries, &mut head);
        match verify(&entries, head, mac) {
            Err(VerifyError::Broken(broken)) => assert_eq!(broken, ChainBroken { seq, why }),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_empty_journal_is_whole() {
        assert_eq!(verify(&[], Head::EMPTY, mac).unwrap(), 0);
    }

    #[test]
    fn a_missing_entry_is_found() {
        check(|entries, _| drop(entries.remove(2)), 3, Break::Missing);
        check(|entries, _| drop(entries.remove(0)), 1, Break::Missing);
    }

    #[test]
    fn an_entry_left_out_and_the_rest_renumbered_is_found() {
        let spoil = |entries: &mut Vec<JournalEntry>, _: &mut Head| {
            entries.remove(2);
            entries[2].seq = 3;
            entries[3].seq = 4;
        };
        check(spoil, 3, Break::Altered);
    }

    #[test]
    fn an_altered_entry_is_found() {
        check(|entries, _| entries[3].entry[0] ^= 1, 4, Break::Altered);
        check(|entries, _| entries[3].mac[0] ^= 1, 4, Break::Altered);
    }

    #[test]
    fn reordered_entries_are_found() {
        check(|entries, _| entries.swap(1, 2), 2, Break::Missing);
        let renumbered = |entries: &mut Vec<JournalEntry>, _: &mut Head| {
            entries.swap(1, 2);
            (entries[1].seq, entries[2].seq) = (2, 3);
        };
        check(renumbered, 2, Break::Altered);
    }

    #[test]
    fn an_entry_twice_is_found() {
        check(|entries, _| entries.insert(2, entries[1].clone()), 3, Break::Altered);
    }

    #[test]
    fn a_cut_off_end_is_found() {
        check(|entries, _| drop(entries.pop()), 5, Break::CutOff);
        check(|entries, _| entries.clear(), 1, Break::CutOff);
    }

    #[test]
    fn a_row_put_back_is_found() {
        check(|entries, head| *head = Head { seq: 3, mac: entries[2].mac }, 4, Break::Beyond);
        check(|_, head| *head = Head::EMPTY, 1, Break::Beyond);
        check(|_, head| head.mac[31] ^= 1, 5, Break::HeadDiffers);
    }

    #[test]
    fn a_chain_of_another_card_is_found() {
        let (mut entries, head) = chain(3);
        let (other, _) = chain(5);
        entries[1].entry = b"theirs".to_vec();
        entries.extend_from_slice(&other[3..]);
        assert!(matches!(verify(&entries, head, mac), Err(VerifyError::Broken(ChainBroken { seq: 2, .. }))));
    }

    #[test]
    fn a_missing_key_is_told_apart_from_a_broken_chain() {
        let (mut entries, head) = chain(3);
        entries[1].key_version = 8;
        match verify(&entries, head, mac) {
            Err(VerifyError::Mac { seq: 2, source }) => assert_eq!(source, "no key of version 8"),
            other => panic!("{other:?}"),
        }
    }

    fn swap(expected: Option<u64>, head: Head, journal: Vec<JournalEntry>) -> Change {
        Change::Swap(Swap {
            table: Table::Card,
            key: b"card".to_vec(),
            expected,
            body: Vec::new(),
            sealed: Vec::new(),
            head,
            journal,
            outbox: Vec::new(),
            due: None,
            forget_after: None,
        })
    }

    #[tokio::test]
    async fn a_row_is_verified_over_many_pages() {
        let store = MemoryStore::new();
        assert_eq!(verify_row(&store, Table::Card, b"card", mac).await.unwrap(), 0);
        let (entries, head) = chain(PAGE as u64 * 2 + 1);
        store.commit(vec![swap(None, head, entries)]).await.unwrap();
        assert_eq!(verify_row(&store, Table::Card, b"card", mac).await.unwrap(), head.seq);
        // The same entries, looked for under a row that does not exist.
        let lost = verify_row(&store, Table::Payment, b"card", mac).await;
        let beyond = ChainBroken { seq: 1, why: Break::Beyond };
        assert!(matches!(lost, Err(VerifyError::Broken(broken)) if broken == beyond));
    }

    #[tokio::test]
    async fn an_entry_written_wrongly_is_found_in_the_store() {
        let store = MemoryStore::new();
        let (mut entries, head) = chain(3);
        entries[1].entry = b"forged".to_vec();
        store.commit(vec![swap(None, head, entries)]).await.unwrap();
        let found = verify_row(&store, Table::Card, b"card", mac).await;
        let altered = ChainBroken { seq: 2, why: Break::Altered };
        assert!(matches!(found, Err(VerifyError::Broken(broken)) if broken == altered));
    }
}
