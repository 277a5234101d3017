//! What is read. Reads of single rows are gathered: whatever waits while the last ones are on their way goes as one statement a
//! table, in one trip, like the changes of the group commit.
//!
//! With high availability a read is answered only once what it saw is on a standby: an empty transaction of our own is
//! committed behind it, and a commit waits for the standby. What another node committed is visible as soon as its server has it, and
//! if that node's wait was cut short, before a standby has it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ramz_domain::{Moment, limits};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Error, Row as Found};

use super::apply::stands;
use super::fault::{self, During, Failure};
use super::place::STANDS;
use super::pool::{Parameter, Pool, Question};
use super::sql::{Form, Statements};
use super::steps::int;
use crate::{Head, JournalEntry, Key, OutboxRow, Row, StoreFault, Table, shard_of};

/// Rows that one trip reads.
const READ_BATCH_MAX: usize = 256;
/// Entries that one question counts.
const COUNTED_AT_ONCE: i64 = 50_000;
/// The way back along a journal of very many entries, each of which may have to come from the disk, is longer than any payment waits.
const JOURNAL_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often a read is tried again after its connection ended.
const ATTEMPTS: usize = 3;
/// Its commit waits for the standby, as every commit does. It writes nothing that anybody reads.
const CONFIRM: &str = "SELECT pg_logical_emit_message(true, 'ramz', '')";

/// A read that waits.
pub(crate) struct Wanted {
    pub(crate) table: Table,
    pub(crate) key: Key,
    pub(crate) reply: oneshot::Sender<Result<Option<Row>, StoreFault>>,
}

/// How rows are read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) form: Form,
    /// Whether a standby confirms.
    pub(crate) confirmed: bool,
}

/// Reads whatever waits, until nobody can ask any more. Several may run.
pub(crate) async fn run(
    readers: Arc<Pool>,
    how: Reading,
    wanted: Arc<tokio::sync::Mutex<mpsc::Receiver<Wanted>>>,
) {
    let mut waiting = Vec::with_capacity(READ_BATCH_MAX);
    loop {
        if wanted.lock().await.recv_many(&mut waiting, READ_BATCH_MAX).await == 0 {
            return;
        }
        waiting.retain(|wanted: &Wanted| !wanted.reply.is_closed());
        let mut later = Vec::new();
        loop {
            let answer = rows(&readers, how, &waiting).await;
            if matches!(answer, Err(StoreFault::Statement(_))) && waiting.len() > 1 {
                // One of them is damaged, and the others need not be.
                later.push(waiting.split_off(waiting.len() / 2));
                continue;
            }
            tell(waiting.drain(..), answer.map_err(at_large));
            let Some(part) = later.pop() else { break };
            waiting = part;
        }
    }
}

fn tell(waiting: impl Iterator<Item = Wanted>, answer: Result<HashMap<(Table, Key), Row>, StoreFault>) {
    for wanted in waiting {
        let answer = match &answer {
            Ok(rows) => Ok(rows.get(&(wanted.table, wanted.key)).cloned()),
            Err(fault) => Err(fault.clone()),
        };
        // A caller that has gone needs no answer.
        drop(wanted.reply.send(answer));
    }
}

/// Whatever a read fails with, its caller cannot mend it by asking for something else.
fn at_large(fault: StoreFault) -> StoreFault {
    match fault {
        StoreFault::Statement(text) => StoreFault::Unavailable(text),
        fault => fault,
    }
}

async fn rows(
    readers: &Pool,
    how: Reading,
    wanted: &[Wanted],
) -> Result<HashMap<(Table, Key), Row>, StoreFault> {
    let mut groups: HashMap<(Table, u8), Vec<&[u8]>> = HashMap::new();
    for Wanted { table, key, .. } in wanted {
        let shard = if how.form == Form::Sharded { shard_of(key) } else { 0 };
        groups.entry((*table, shard)).or_default().push(key);
    }
    let groups: Vec<_> = groups.into_iter().collect();
    let shards: Vec<i16> = groups.iter().map(|((_, shard), _)| i16::from(*shard)).collect();
    let mut questions = Vec::with_capacity(groups.len() + 1);
    for (((table, _), keys), shard) in groups.iter().zip(&shards) {
        let values: Vec<Parameter<'_>> = match how.form {
            Form::Whole => vec![keys],
            Form::Sharded => vec![shard, keys],
        };
        questions.push(Question { sql: &Statements::of(how.form).table(*table).read, values });
    }
    if how.confirmed {
        questions.push(Question { sql: CONFIRM, values: Vec::new() });
        questions.push(Question { sql: STANDS, values: Vec::new() });
    }
    let doing = if how.confirmed { "reading rows, confirmed by a standby" } else { "reading rows" };
    let answers = ask(readers, doing, &questions, limits::STORE_WAIT_MAX).await?;
    if how.confirmed && !answers.last().is_some_and(|found| stands(found)) {
        let why = "the server has no synchronous standbys any more: what it says may be on one machine only";
        return Err(StoreFault::Unavailable(why.into()));
    }
    let mut rows = HashMap::with_capacity(wanted.len());
    for (((table, _), _), found) in groups.iter().zip(&answers) {
        for found in found {
            let (key, row) = row(found).map_err(|error| unreadable(&error))?;
            rows.insert((*table, key), row);
        }
    }
    Ok(rows)
}

/// Asks in one trip; again on another connection if its own ended. What is not answered in time has no answer.
async fn ask(
    readers: &Pool,
    doing: &str,
    questions: &[Question<'_>],
    patience: Duration,
) -> Result<Vec<Vec<Found>>, StoreFault> {
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        let taken = readers.take().await?;
        let asking = async { taken.ask(questions).await?.into_iter().collect::<Result<Vec<_>, _>>() };
        let Ok(answer) = tokio::time::timeout(patience, asking).await else {
            // A session that waits for a standby does not notice that we have gone: each would stay, one more with every read.
            taken.leave_in_doubt().await;
            return Err(StoreFault::Unavailable(format!("{doing}: the database did not answer in time")));
        };
        let error = match answer {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if fault::ends_connection(&error) {
            taken.leave();
        }
        match fault::of(&error, During::Reading, doing) {
            Failure::Again(text) | Failure::Held(text) => why = text,
            Failure::Fault(fault) => return Err(fault),
        }
    }
    Err(StoreFault::Unavailable(why))
}

async fn query(
    readers: &Pool,
    doing: &str,
    sql: &'static str,
    values: Vec<Parameter<'_>>,
) -> Result<Vec<Found>, StoreFault> {
    let question = [Question { sql, values }];
    let mut answers = ask(readers, doing, &question, limits::STORE_WAIT_MAX).await.map_err(at_large)?;
    Ok(answers.pop().unwrap_or_default())
}

/// The server's time.
pub(crate) async fn clock(readers: &Pool) -> Result<Moment, StoreFault> {
    const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";
    let found = query(readers, "asking for the time", CLOCK, Vec::new()).await?;
    let ms = found.first().map(|found| number(found, 0)).transpose().map_err(|error| unreadable(&error))?;
    Ok(Moment::from_unix_ms(ms.unwrap_or_default()))
}

/// Rows whose work is due, oldest first.
pub(crate) async fn due(
    readers: &Pool,
    table: Table,
    now: Moment,
    limit: usize,
) -> Result<Vec<(Key, Row)>, StoreFault> {
    let sql = &Statements::of(Form::Whole).table(table).due;
    let found =
        query(readers, "finding due rows", sql, vec![&int(now.unix_ms()), &int(limit as u64)]).await?;
    found.iter().map(|found| row(found).map_err(|error| unreadable(&error))).collect()
}

/// Keys in order.
pub(crate) async fn keys(
    readers: &Pool,
    table: Table,
    after: &[u8],
    limit: usize,
) -> Result<Vec<Key>, StoreFault> {
    let sql = &Statements::of(Form::Whole).table(table).keys;
    let found = query(readers, "listing keys", sql, vec![&after, &int(limit as u64)]).await?;
    found.iter().map(|found| found.try_get(0).map_err(|error| unreadable(&error))).collect()
}

/// Journal entries in order.
pub(crate) async fn journal(
    readers: &Pool,
    form: Form,
    owner: &[u8],
    after: u64,
    limit: usize,
) -> Result<Vec<JournalEntry>, StoreFault> {
    let (shard, after, limit) = (i16::from(shard_of(owner)), int(after), int(limit as u64));
    let values: Vec<Parameter<'_>> = match form {
        Form::Whole => vec![&owner, &after, &limit],
        Form::Sharded => vec![&shard, &owner, &after, &limit],
    };
    let question = Question { sql: &Statements::of(form).journal, values };
    let answers = ask(readers, "reading a journal", &[question], JOURNAL_WAIT_MAX).await;
    let mut answers = answers.map_err(at_large)?;
    let found = answers.pop().unwrap_or_default();
    found.iter().map(|found| entry(found).map_err(|error| unreadable(&error))).collect()
}

/// How many entries a page of a table has, and the last one's place.
macro_rules! page {
    ($table:literal, $key:literal) => {
        concat!(
            "WITH page AS MATERIALIZED (SELECT ",
            $key,
            " AS key, seq, shard FROM ",
            $table,
            " WHERE (",
            $key,
            ", seq, shard) > ($1::bytea, $2::int8, $3::int2) ORDER BY ",
            $key,
            ", seq, shard LIMIT $4) SELECT count(*) OVER (), key, seq, shard FROM page ORDER BY key DESC, seq DESC, shard DESC LIMIT 1"
        )
    };
}

/// How many entries there are in all. Page by page: no one question takes as long as the whole.
pub(crate) async fn entries(readers: &Pool) -> Result<u64, StoreFault> {
    let mut all = 0;
    for sql in [page!("journal", "owner"), page!("journal_in_line", "id")] {
        let mut after: (Vec<u8>, i64, i16) = (Vec::new(), -1, -1);
        loop {
            let (key, seq, shard) = &after;
            let found =
                query(readers, "counting entries", sql, vec![key, seq, shard, &COUNTED_AT_ONCE]).await?;
            let Some(last) = found.first() else { break };
            after = place(last).map_err(|error| unreadable(&error))?;
            all += number(last, 0).map_err(|error| unreadable(&error))?;
        }
    }
    Ok(all)
}

fn place(found: &Found) -> Result<(Vec<u8>, i64, i16), Error> {
    Ok((found.try_get(1)?, found.try_get(2)?, found.try_get(3)?))
}

/// Messages whose lease is over, oldest lease first.
pub(crate) async fn messages_due(
    readers: &Pool,
    now: Moment,
    limit: usize,
) -> Result<Vec<OutboxRow>, StoreFault> {
    let sql = &Statements::of(Form::Whole).messages_due;
    let found =
        query(readers, "finding messages", sql, vec![&int(now.unix_ms()), &int(limit as u64)]).await?;
    found.iter().map(|found| message(found).map_err(|error| unreadable(&error))).collect()
}

/// Forgets rows with all that is theirs; says how many went. Two trips: which, then those that still may; and one for each row that has
/// entries (of today's none has: only cards do, which are never forgotten).
pub(crate) async fn forget(
    writers: &Pool,
    form: Form,
    table: Table,
    now: Moment,
    limit: usize,
) -> Result<usize, StoreFault> {
    let of = Statements::of(Form::Whole).table(table);
    let now = int(now.unix_ms());
    let old = query(writers, "finding old rows", &of.old, vec![&now, &int(limit as u64)]).await?;
    let keys: Vec<&[u8]> = old.iter().map(|found| found.get(0)).collect();
    let lasts: Vec<Option<&[u8]>> = old.iter().map(|found| found.get(1)).collect();
    if keys.is_empty() {
        return Ok(0);
    }
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for (key, last) in keys.iter().zip(&lasts) {
        let (Some(last), shard) = (last, i16::from(shard_of(key))) else { continue };
        let values: Vec<Parameter<'_>> = match form {
            Form::Whole => vec![key, last],
            Form::Sharded => vec![&shard, key, last],
        };
        let found = query(writers, "finding old entries", &Statements::of(form).entries_of, values).await?;
        entries.extend(found.iter().map(|found| found.get::<_, Vec<u8>>(0)));
    }
    // Whoever is cut off here does not know, and need not: what is gone is not found again.
    Ok(query(writers, "forgetting rows", &of.forget, vec![&keys, &lasts, &now, &entries]).await?.len())
}

fn unreadable(error: &Error) -> StoreFault {
    StoreFault::Unavailable(format!("a row cannot be read: {}", fault::words(error)))
}

fn number(found: &Found, column: usize) -> Result<u64, Error> {
    let number: i64 = found.try_get(column)?;
    // Never negative when it was written: the schema has checks.
    Ok(number.unsigned_abs())
}

fn mac(found: &Found, column: usize) -> Result<[u8; 32], Error> {
    let bytes: &[u8] = found.try_get(column)?;
    let mut mac = [0; 32];
    if bytes.len() == mac.len() {
        mac.copy_from_slice(bytes);
    }
    Ok(mac)
}

fn row(found: &Found) -> Result<(Key, Row), Error> {
    let head = Head { seq: number(found, 3)?, mac: mac(found, 4)? };
    let names: Option<Vec<String>> = found.try_get(5)?;
    let bytes: Option<Vec<Vec<u8>>> = found.try_get(6)?;
    let sealed = names.unwrap_or_default().into_iter().zip(bytes.unwrap_or_default()).collect();
    Ok((found.try_get(0)?, Row { version: number(found, 1)?, body: found.try_get(2)?, sealed, head }))
}

fn entry(found: &Found) -> Result<JournalEntry, Error> {
    Ok(JournalEntry {
        seq: number(found, 0)?,
        at: Moment::from_unix_ms(number(found, 1)?),
        entry: found.try_get(2)?,
        key_version: u32::try_from(number(found, 3)?).unwrap_or(u32::MAX),
        mac: mac(found, 4)?,
    })
}

fn message(found: &Found) -> Result<OutboxRow, Error> {
    let id: &[u8] = found.try_get(1)?;
    Ok(OutboxRow {
        owner: found.try_get(0)?,
        id: id.try_into().unwrap_or_default(),
        body: found.try_get(2)?,
        expires: Moment::from_unix_ms(number(found, 3)?),
        leased_until: Moment::from_unix_ms(number(found, 4)?),
        attempts: u32::try_from(number(found, 5)?).unwrap_or(u32::MAX),
    })
}
