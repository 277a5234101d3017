//! A line that does to what goes over it what bad networks do: delay, cut, half-open, duplicate, reorder.
//!
//! It knows only where a message ends (ISO 8583: two bytes of length before it; SMPP: four, which count themselves). Of TLS it
//! knows nothing, so that line can only be late, cut, or dead without saying so.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::seeded::Seeded;

/// What comes first on a connection (sign-on, bind) passes: a line that never comes up shows nothing.
const SPARED: usize = 2;
/// A message that is held back for another to overtake it waits no longer.
const HELD_MAX: Duration = Duration::from_millis(300);

/// Where a message ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Iso8583,
    Smpp,
    /// Whatever was read at once.
    Bytes,
}

/// One line.
pub(crate) struct Proxy {
    name: &'static str,
    framing: Framing,
    /// One message in so many meets a fault.
    one_in: u64,
    storms: AtomicBool,
    seeded: Seeded,
    faults: [AtomicUsize; 5],
}

#[derive(Clone, Copy)]
enum Fault {
    Late = 0,
    Twice = 1,
    Overtaken = 2,
    Cut = 3,
    HalfOpen = 4,
}

impl Proxy {
    /// Takes connections at `port` and passes them on to `to`, until the shutdown.
    pub(crate) async fn start(
        name: &'static str,
        framing: Framing,
        one_in: u64,
        port: u16,
        to: u16,
        seeded: &Seeded,
        shutdown: &CancellationToken,
    ) -> Arc<Proxy> {
        let (storms, faults) = (AtomicBool::new(false), Default::default());
        let proxy = Arc::new(Proxy { name, framing, one_in, storms, seeded: seeded.clone(), faults });
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (this, shutdown) = (proxy.clone(), shutdown.clone());
        tokio::spawn(async move {
            while let Some(Ok((near, _))) = shutdown.run_until_cancelled(listener.accept()).await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                tokio::spawn(this.clone().carry(near, far, shutdown.clone()));
            }
        });
        proxy
    }

    /// From now on faults happen, or no more.
    pub(crate) fn storm(&self, storms: bool) {
        self.storms.store(storms, Ordering::SeqCst);
    }

    /// How many faults happened, of all kinds.
    pub(crate) fn faults(&self) -> usize {
        self.faults.iter().map(|count| count.load(Ordering::SeqCst)).sum()
    }

    /// How often each fault happened.
    pub(crate) fn told(&self) -> String {
        let [late, twice, overtaken, cut, half_open] =
            [0, 1, 2, 3, 4].map(|at: usize| self.faults[at].load(Ordering::SeqCst));
        let name = self.name;
        format!("{name}: {late} late, {twice} twice, {overtaken} overtaken, {cut} cut, {half_open} half-open")
    }

    /// Both directions of one connection; what ends one ends both.
    async fn carry(self: Arc<Proxy>, near: TcpStream, far: TcpStream, shutdown: CancellationToken) {
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        // Cancelled when the line is dead, though nobody closes it.
        let dead = CancellationToken::new();
        let ended = async {
            tokio::select! {
                _ = self.pump(near_read, far_write, &dead) => {}
                _ = self.pump(far_read, near_write, &dead) => {}
            }
        };
        shutdown.run_until_cancelled(ended).await;
    }

    async fn pump(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        dead: &CancellationToken,
    ) -> io::Result<()> {
        let mut held: Option<Vec<u8>> = None;
        for passed in 0.. {
            let next = match &held {
                None => self.message(&mut from).await.map(Some)?,
                Some(_) => timeout(HELD_MAX, from.readable()).await.ok().map(|_| Vec::new()),
            };
            let message = match (next, held.take()) {
                // Something follows the held one: it goes first.
                (Some(empty), Some(late)) if empty.is_empty() => {
                    let first = self.message(&mut from).await?;
                    to.write_all(&first).await?;
                    late
                }
                (None, Some(late)) => late,
                (Some(message), _) => message,
                (None, None) => continue,
            };
            if dead.is_cancelled() {
                // Swallowed: neither side hears anything until somebody gives the line up.
                continue;
            }
            let Some(fault) = self.fault(passed) else {
                to.write_all(&message).await?;
                continue;
            };
            self.faults[fault as usize].fetch_add(1, Ordering::SeqCst);
            match fault {
                Fault::Late => {
                    sleep(Duration::from_millis(50 + self.seeded.below(700))).await;
                    to.write_all(&message).await?;
                }
                Fault::Twice => {
                    to.write_all(&message).await?;
                    to.write_all(&message).await?;
                }
                Fault::Overtaken => held = Some(message),
                Fault::Cut => return Ok(()),
                Fault::HalfOpen => {
                    dead.cancel();
                    let until = Instant::now() + Duration::from_millis(1_000 + self.seeded.below(4_000));
                    tokio::time::sleep_until(until).await;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn fault(&self, passed: usize) -> Option<Fault> {
        if passed < SPARED || !self.storms.load(Ordering::SeqCst) || !self.seeded.one_in(self.one_in) {
            return None;
        }
        Some(match (self.seeded.below(20), self.framing) {
            (0..=7, _) | (8..=15, Framing::Bytes) => Fault::Late,
            (8..=11, _) => Fault::Twice,
            (12..=15, _) => Fault::Overtaken,
            (16..=18, _) => Fault::Cut,
            _ => Fault::HalfOpen,
        })
    }

    async fn message(&self, from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
        let prefix = match self.framing {
            Framing::Iso8583 => 2,
            Framing::Smpp => 4,
            Framing::Bytes => {
                let mut bytes = vec![0; 16 * 1024];
                let read = from.read(&mut bytes).await?;
                bytes.truncate(read);
                return if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) };
            }
        };
        let mut bytes = vec![0; prefix];
        from.read_exact(&mut bytes).await?;
        let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let whole = if self.framing == Framing::Smpp { length } else { prefix + length };
        bytes.resize(whole.max(prefix), 0);
        from.read_exact(&mut bytes[prefix..]).await?;
        Ok(bytes)
    }
}
