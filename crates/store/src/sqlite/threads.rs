//! The threads that own the connections, and how they are closed and opened again together.
//!
//! Each reader's connection lies in a slot that the reader locks while it reads. After a COMMIT without an answer the
//! writer locks every slot, closes what is in them and its own connection, opens anew, and only then answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use ramz_domain::Moment;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::apply;
use super::fault::of_reading;
use super::place::{OpenError, Place};
use super::query::Snapshot;
use crate::{Change, Outcome, StoreFault, Table};

/// Connections that read. Reads are short, and two of them fill a machine that also commits.
const READERS: usize = 4;
/// Reads that wait for a reader; beyond it their callers wait in turn.
const READS_WAITING_MAX: usize = 1024;
/// Reads that a reader takes at once. They share a snapshot: after each commit of the writer's a reader's pages are of no use any more
/// and are read again, and so they are that for many reads and not for each.
const READS_TOGETHER: usize = 32;
/// Batches that wait for the writer: the group commit sends one at a time, the rest is the sweeper's.
const BATCHES_WAITING_MAX: usize = 16;

/// Who waits for an answer.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreFault>>;

/// What the writer does.
pub(crate) enum Job {
    /// One batch, one transaction.
    Commit { batch: Arc<Vec<Change>>, reply: Reply<Vec<Outcome>> },
    /// One transaction that removes.
    Forget { table: Table, now: Moment, limit: usize, reply: Reply<usize> },
    /// Opens the file if it could not be opened again, for somebody who wants to read.
    Open { reply: Reply<()> },
}

/// A read, told whether there is a connection.
type Read = Box<dyn FnOnce(Option<&Connection>) + Send>;

/// Does reads that were all asked for before: each sees what was committed by then, and all see the same. Should the snapshot not
/// begin, or end early, each has its own.
fn read_together(connection: Option<&Connection>, reads: &mut Vec<Read>) {
    let snapshot = connection.map(Snapshot::begin);
    reads.drain(..).for_each(|read| read(connection));
    if let Some(Ok(snapshot)) = snapshot
        && let Err(error) = snapshot.end()
    {
        tracing::warn!(%error, "a snapshot could not be ended, and is given up");
    }
}

/// A reader's connection; none while the file could not be opened again.
type Slot = Mutex<Option<Connection>>;

/// The running threads. Dropping them lets what was taken finish, then closes the file.
pub(crate) struct Threads {
    jobs: Option<mpsc::Sender<Job>>,
    reads: Option<mpsc::Sender<Read>>,
    /// Whether there are connections. Only a hint: the slots tell.
    open: Arc<AtomicBool>,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Opens the connections and starts their threads.
    pub(crate) fn start(place: Place) -> Result<Threads, OpenError> {
        let writer = place.writer()?;
        let mut slots = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            slots.push(Mutex::new(Some(place.reader()?)));
        }
        let slots: Arc<[Slot]> = slots.into();
        let path = place.path().to_owned();
        let spawn = |name: String, body: Box<dyn FnOnce() + Send>| {
            let spawned = thread::Builder::new().name(name).spawn(body);
            spawned.map_err(|source| OpenError::Io { path: path.clone(), source })
        };

        let (jobs, waiting_jobs) = mpsc::channel(BATCHES_WAITING_MAX);
        let (reads, waiting_reads) = mpsc::channel::<Read>(READS_WAITING_MAX);
        let open = Arc::new(AtomicBool::new(true));
        let mut write = Writer { place, connection: Some(writer), slots: slots.clone(), open: open.clone() };
        let mut threads = Threads { jobs: Some(jobs), reads: Some(reads), open, running: Vec::new() };
        threads.running.push(spawn("store-write".into(), Box::new(move || write.run(waiting_jobs)))?);
        let waiting = Arc::new(Mutex::new(waiting_reads));
        for at in 0..READERS {
            let (slots, waiting) = (slots.clone(), waiting.clone());
            let body = Box::new(move || {
                let mut reads = Vec::with_capacity(READS_TOGETHER);
                loop {
                    if held(&waiting).blocking_recv_many(&mut reads, READS_TOGETHER) == 0 {
                        return;
                    }
                    read_together(held(&slots[at]).as_ref(), &mut reads);
                }
            });
            threads.running.push(spawn(format!("store-read-{at}"), body)?);
        }
        Ok(threads)
    }

    /// Runs a read on one of the readers.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreFault> {
        if !self.open.load(Ordering::Relaxed) {
            self.write(|reply| Job::Open { reply }).await?;
        }
        let closed = |_| StoreFault::Unavailable(format!("{doing}: the store is closed"));
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            let found = match connection {
                Some(connection) => query(connection).map_err(|error| of_reading(doing, &error)),
                None => Err(StoreFault::Unavailable(format!("{doing}: {NOT_OPEN}"))),
            };
            // A caller that has gone needs no answer.
            drop(reply.send(found));
        });
        let reads = self.reads.as_ref().ok_or_else(|| closed(()))?;
        reads.send(read).await.map_err(|_| closed(()))?;
        answer.await.map_err(|_| closed(()))?
    }

    /// Hands the writer a job and waits for its answer. A caller that goes away does not stop a job that was handed in.
    pub(crate) async fn write<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreFault> {
        let closed = || StoreFault::Unavailable("the store is closed".into());
        let (reply, answer) = oneshot::channel();
        self.jobs.as_ref().ok_or_else(closed)?.send(job(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| StoreFault::Unknown("the writer ended before it answered".into()))?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.jobs = None;
        self.reads = None;
        for thread in self.running.drain(..) {
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}

const NOT_OPEN: &str = "the store's file could not be opened again after a failed commit: see the log";

struct Writer {
    place: Place,
    connection: Option<Connection>,
    slots: Arc<[Slot]>,
    open: Arc<AtomicBool>,
}

impl Writer {
    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            // Callers that went away are not asked for: what was handed in is done.
            match job {
                Job::Commit { batch, reply } => {
                    let done = self.write(|connection| apply::batch(connection, &batch));
                    // Whoever keeps the batch drops its changes, on the thread that made them.
                    drop(batch);
                    drop(reply.send(done));
                }
                Job::Forget { table, now, limit, reply } => {
                    drop(reply.send(self.write(|connection| apply::forget(connection, table, now, limit))));
                }
                Job::Open { reply } => drop(reply.send(self.write(|_| Ok(())))),
            }
        }
    }

    fn write<T>(
        &mut self,
        transact: impl FnOnce(&mut Connection) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        if self.connection.is_none() {
            self.reopen();
        }
        let Some(connection) = &mut self.connection else {
            return Err(StoreFault::Unavailable(NOT_OPEN.into()));
        };
        let done = transact(connection);
        // A statement's error has rolled back when the transaction was dropped; if even that failed, start afresh.
        let stuck = !connection.is_autocommit();
        if stuck || matches!(done, Err(StoreFault::Unknown(_))) {
            if let Err(fault) = &done {
                tracing::error!(%fault, "closing the store's connections and opening them again");
            }
            self.reopen();
        }
        done
    }

    /// Closes every connection, so that the next one opened recovers the log from the disk.
    fn reopen(&mut self) {
        let mut slots: Vec<MutexGuard<'_, Option<Connection>>> = self.slots.iter().map(held).collect();
        slots.iter_mut().for_each(|slot| **slot = None);
        self.connection = None;
        let opened = self.place.writer().and_then(|writer| {
            let readers: Result<Vec<_>, _> = slots.iter().map(|_| self.place.reader()).collect();
            Ok((writer, readers?))
        });
        match opened {
            Ok((writer, readers)) => {
                self.connection = Some(writer);
                for (slot, reader) in slots.iter_mut().zip(readers) {
                    **slot = Some(reader);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the store's file cannot be opened; whoever comes next tries again")
            }
        }
        self.open.store(self.connection.is_some(), Ordering::Relaxed);
    }
}

/// A lock whose holder panicked holds a connection that is as good as before: a read has no half-done state.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::query;
    use super::*;

    /// A setting that only lasts as long as its connection.
    fn mark(connection: &Connection) {
        connection.execute_batch("PRAGMA busy_timeout = 7").unwrap();
    }

    fn is_marked(connection: &Connection) -> bool {
        connection.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, i64>(0)).unwrap() == 7
    }

    fn writer(folder: &TempDir) -> Writer {
        let place = Place::take(&folder.path().join("s.db")).unwrap();
        let connection = Some(place.writer().unwrap());
        let slots = (0..READERS).map(|_| Mutex::new(Some(place.reader().unwrap()))).collect();
        Writer { place, connection, slots, open: Arc::new(AtomicBool::new(true)) }
    }

    fn mark_all(writer: &Writer) {
        mark(writer.connection.as_ref().unwrap());
        writer.slots.iter().for_each(|slot| mark(held(slot).as_ref().unwrap()));
    }

    /// How many of writer and readers are the connections that were marked.
    fn marked(writer: &Writer) -> usize {
        let readers = writer.slots.iter().filter(|slot| is_marked(held(slot).as_ref().unwrap())).count();
        readers + usize::from(is_marked(writer.connection.as_ref().unwrap()))
    }

    #[test]
    fn reads_that_waited_together_see_one_instant_and_the_next_ones_a_later_one() {
        let folder = TempDir::new().unwrap();
        let place = Place::take(&folder.path().join("s.db")).unwrap();
        let (mut writer, reader) = (place.writer().unwrap(), place.reader().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let look = || -> Read {
            let seen = Arc::clone(&seen);
            Box::new(move |connection| {
                let row = query::row(connection.unwrap(), Table::Card, b"a").unwrap();
                held(&seen).push(row.is_some());
            })
        };
        let fail: Read = Box::new(|connection| {
            assert!(connection.unwrap().execute_batch("SELECT * FROM nothing").is_err())
        });
        let write: Read = Box::new(move |_| {
            let outcomes = apply::batch(&mut writer, &[inserted()]).unwrap();
            assert_eq!(outcomes, [Outcome::Won]);
        });
        read_together(Some(&reader), &mut vec![look(), fail, write, look()]);
        assert!(reader.is_autocommit());
        read_together(Some(&reader), &mut vec![look(), look()]);
        assert_eq!(*held(&seen), [false, false, true, true]);
    }

    fn inserted() -> Change {
        Change::Swap(crate::Swap {
            table: Table::Card,
            key: b"a".to_vec(),
            expected: None,
            body: vec![1],
            sealed: Vec::new(),
            head: crate::Head::EMPTY,
            journal: Vec::new(),
            outbox: Vec::new(),
            due: None,
            forget_after: None,
        })
    }

    #[test]
    fn an_unknown_commit_opens_every_connection_again_before_it_is_answered() {
        let folder = TempDir::new().unwrap();
        let mut writer = writer(&folder);
        mark_all(&writer);
        let done: Result<(), _> = writer.write(|_| Err(StoreFault::Unknown("fsync".into())));
        assert!(matches!(done, Err(StoreFault::Unknown(_))));
        assert_eq!(marked(&writer), 0);
    }

    #[test]
    fn a_statements_error_keeps_the_connections() {
        let folder = TempDir::new().unwrap();
        let mut writer = writer(&folder);
        mark_all(&writer);
        let done: Result<(), _> = writer.write(|_| Err(StoreFault::Statement("poisoned".into())));
        assert!(matches!(done, Err(StoreFault::Statement(_))));
        assert_eq!(marked(&writer), READERS + 1);
    }

    #[test]
    fn a_transaction_that_cannot_be_ended_is_left_behind() {
        let folder = TempDir::new().unwrap();
        let mut writer = writer(&folder);
        mark_all(&writer);
        let done: Result<(), _> = writer.write(|connection| {
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            Err(StoreFault::Statement("poisoned".into()))
        });
        assert!(matches!(done, Err(StoreFault::Statement(_))));
        assert_eq!(marked(&writer), 0);
        writer.write(|connection| apply::batch(connection, &[])).unwrap();
    }

    #[test]
    fn a_file_that_does_not_open_again_is_tried_again_by_whoever_comes_next() {
        let folder = TempDir::new().unwrap();
        let mut writer = writer(&folder);
        let (file, away) = (folder.path().join("s.db"), folder.path().join("away.db"));
        let done: Result<(), _> = writer.write(|_| {
            std::fs::rename(&file, &away).unwrap();
            Err(StoreFault::Unknown("the disk went away".into()))
        });
        assert!(matches!(done, Err(StoreFault::Unknown(_))));
        assert!(writer.slots.iter().all(|slot| held(slot).is_none()), "nobody reads a file in doubt");
        assert!(!writer.open.load(Ordering::Relaxed));
        let refused = writer.write(|connection| apply::batch(connection, &[]));
        assert!(matches!(refused, Err(StoreFault::Unavailable(_))));
        std::fs::rename(&away, &file).unwrap();
        writer.write(|connection| apply::batch(connection, &[])).unwrap();
        assert!(writer.open.load(Ordering::Relaxed));
        assert!(writer.slots.iter().all(|slot| held(slot).is_some()));
    }
}
