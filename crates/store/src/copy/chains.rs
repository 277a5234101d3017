//! Every journal of the database against its row's head, in one walk: heads and entries pass by in the order of their keys.

use std::pin::pin;

use futures_util::StreamExt as _;
use ramz_domain::Moment;
use tokio_postgres::Row as Found;

use super::database::{Database, failed, stream};
use super::{Chains, CopyError};
use crate::journal::{Break, Chain, ChainBroken, VerifyError};
use crate::{Head, JournalEntry, Key, Table};

/// Broken chains that are told one by one.
const TOLD_MAX: usize = 20;

/// Makes the MAC that an entry must have, from the row's key and the MAC before; none if the key for it is not at hand.
pub type Mac<'m> = &'m (dyn Fn(&[u8], &[u8; 32], &JournalEntry) -> Result<Option<[u8; 32]>, String> + Sync);

pub(super) async fn verify(
    database: &Database,
    mac: Mac<'_>,
    mut told: impl FnMut(u64),
) -> Result<Chains, CopyError> {
    let (for_heads, for_entries) = (database.place.open().await?.client, database.place.open().await?.client);
    let of = |table: &Table| format!("SELECT key, head_seq, head_mac FROM {table} WHERE head_seq > 0");
    let heads = Table::ALL.iter().map(of).collect::<Vec<_>>().join(" UNION ALL ");
    let mut heads = pin!(stream(&for_heads, &format!("{heads} ORDER BY key")).await?);
    // A copy has none in line. Whoever walks along a database that is in use finds both.
    let entries = "SELECT owner, seq, at, entry, key_version, mac FROM journal UNION ALL
        SELECT owner, seq, at, entry, key_version, mac FROM journal_in_line ORDER BY owner, seq";
    let mut entries = pin!(stream(&for_entries, entries).await?);
    let mut chains = Chains::default();
    let mut entry =
        entries.next().await.transpose().map_err(failed)?.map(|found| read(&found)).transpose()?;
    loop {
        let head =
            heads.next().await.transpose().map_err(failed)?.map(|found| head_of(&found)).transpose()?;
        let ends_at = head.as_ref().map(|(key, _)| key.as_slice());
        // Entries before the next head's belong to no row.
        while let Some((owner, _)) =
            entry.as_ref().filter(|(owner, _)| ends_at.is_none_or(|key| owner.as_slice() < key))
        {
            let owner = owner.clone();
            chains.broken(&owner, &ChainBroken { seq: 1, why: Break::Beyond }.to_string());
            while entry.as_ref().is_some_and(|(of, _)| *of == owner) {
                entry = entries
                    .next()
                    .await
                    .transpose()
                    .map_err(failed)?
                    .map(|found| read(&found))
                    .transpose()?;
            }
        }
        let Some((key, head)) = head else { return Ok(chains) };
        let mut walk = Chain::new();
        let mut broken = None;
        while let Some((_, next)) = entry.as_ref().filter(|(owner, _)| *owner == key) {
            chains.entries += 1;
            told(chains.entries);
            if broken.is_none() {
                let mac = |previous: &[u8; 32], entry: &JournalEntry| {
                    Ok::<_, String>(mac(&key, previous, entry)?.unwrap_or(entry.mac))
                };
                broken = walk.step(next, mac).err().map(|why| words(&why));
            }
            entry =
                entries.next().await.transpose().map_err(failed)?.map(|found| read(&found)).transpose()?;
        }
        chains.rows += 1;
        if let Some(why) = broken.or_else(|| walk.end(head).err().map(|why| why.to_string())) {
            chains.broken(&key, &why);
        }
    }
}

impl Chains {
    fn broken(&mut self, key: &[u8], why: &str) {
        self.broken += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(format!("{}: {why}", hex::encode(key)));
        }
    }
}

fn words(why: &VerifyError<String>) -> String {
    match why {
        VerifyError::Mac { seq, source } => format!("journal entry {seq}: {source}"),
        why => why.to_string(),
    }
}

fn head_of(found: &Found) -> Result<(Key, Head), CopyError> {
    let mac: Vec<u8> = found.try_get(2)?;
    Ok((found.try_get(0)?, Head { seq: number(found, 1)?, mac: whole(&mac)? }))
}

fn read(found: &Found) -> Result<(Key, JournalEntry), CopyError> {
    let (key_version, mac): (i64, Vec<u8>) = (found.try_get(4)?, found.try_get(5)?);
    let entry = JournalEntry {
        seq: number(found, 1)?,
        at: Moment::from_unix_ms(number(found, 2)?),
        entry: found.try_get(3)?,
        key_version: u32::try_from(key_version).map_err(|_| unreadable())?,
        mac: whole(&mac)?,
    };
    Ok((found.try_get(0)?, entry))
}

fn number(found: &Found, at: usize) -> Result<u64, CopyError> {
    u64::try_from(found.try_get::<_, i64>(at)?).map_err(|_| unreadable())
}

fn whole(mac: &[u8]) -> Result<[u8; 32], CopyError> {
    mac.try_into().map_err(|_| unreadable())
}

fn unreadable() -> CopyError {
    CopyError::Database("the journal holds a value out of its bounds".into())
}
