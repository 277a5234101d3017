//! The answering side: persistent connections, each request answered in a task of its own, in any order.
//!
//! Bounded everywhere: connections, requests worked on for one connection, answers waiting for a peer that does not read,
//! frames begun and not finished. What a peer started is finished also when the peer has gone: a decision may be
//! half made. Not here: the asking side (`link`), and what a transaction means.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Door, Peer};
use ramz_api::tap::SharedTap;
use ramz_domain::{is_approval, limits};
use ramz_iso8583::{DecodeError, Layout, Message, decode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::frame::{self, FrameError, FrameReader};
use crate::salvage::salvage;
use crate::{GARBLED_IN_A_ROW_MAX, Names, WRITE_TIMEOUT, fact, network};

/// Connections to one listener: switches and hosts have a handful each.
const CONNECTIONS_MAX: usize = 256;
/// After an error of the listening socket (mostly: no file handles left), the next try waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A connection has so long for its first message: who asks signs on, or echoes every few minutes, and a place is not for nothing.
const FIRST_WITHIN: Duration = Duration::from_secs(5 * 60);
/// How often it is said, at most, that no place is free.
const FULL_SAID_EVERY: Duration = Duration::from_secs(60);
/// A connection on which nothing comes for so long is taken for dead: the asking side echoes far more often.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// Bytes that are gathered into one write, with one answer more.
const WRITE_BYTES: usize = 16 * 1024;
/// At a shutdown, what is in flight may take as long as a host may, and a little more to be written.
const DRAIN_MAX: Duration = Duration::from_secs(limits::HOST_TIMEOUT.as_secs() + 2);

/// Whoever answers requests.
#[async_trait]
pub trait Answer: Send + Sync + 'static {
    /// The answer to a request; `None` is silence. Called for everything that asks but sign-on, sign-off and echo, for many
    /// requests at a time, and run to its end also when the peer goes away meanwhile.
    async fn answer(&self, request: Message, from: &Peer) -> Option<Message>;
}

struct Listener {
    layout: Arc<Layout>,
    header: Vec<u8>,
    answer: Arc<dyn Answer>,
    tap: SharedTap,
    names: Names,
    shutdown: CancellationToken,
}

type Frame = Zeroizing<Vec<u8>>;

/// Answers at a door until `shutdown` is cancelled; then takes nothing new and returns when all in flight is answered, at
/// the latest two seconds after `limits::HOST_TIMEOUT`. `header` is as in [`LinkConfig`](crate::LinkConfig).
pub async fn listen(
    door: Arc<dyn Door>,
    layout: Arc<Layout>,
    header: Vec<u8>,
    answer: Arc<dyn Answer>,
    tap: SharedTap,
    names: Names,
    shutdown: CancellationToken,
) {
    let listener = Arc::new(Listener { layout, header, answer, tap, names, shutdown: shutdown.clone() });
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut full_said: Option<Instant> = None;
    let accepting = async {
        loop {
            if room.available_permits() == 0 && full_said.is_none_or(|at| at.elapsed() >= FULL_SAID_EVERY) {
                let address = door.address();
                tracing::warn!(%address, connections = CONNECTIONS_MAX, "no more connections are taken until one ends");
                full_said = Some(Instant::now());
            }
            // Never closed.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            while let Some(ended) = connections.try_join_next() {
                report(ended);
            }
            match door.accept().await {
                Ok((stream, peer)) => {
                    let listener = Arc::clone(&listener);
                    connections.spawn(async move {
                        listener.converse(stream, peer).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(address = %door.address(), %error, "cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    let _ = shutdown.run_until_cancelled(accepting).await;
    drop(door);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if timeout(DRAIN_MAX, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests still in flight are given up");
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a task that answers panicked");
    }
}

impl Listener {
    async fn converse(self: Arc<Self>, stream: BoxStream, peer: Peer) {
        let peer = Arc::new(peer);
        let (from, name) = (peer.address, peer.name.clone().unwrap_or_default());
        tracing::info!(%from, name, "connected");
        let (read, write) = tokio::io::split(stream);
        let (queue, queued) = mpsc::channel(limits::LINK_IN_FLIGHT_MAX);
        let unwritable = CancellationToken::new();
        let reader = FrameReader::new(read, self.header.len(), Some(IDLE_MAX)).first_within(FIRST_WITHIN);
        let reading = Arc::clone(&self).read(reader, queue, peer, &unwritable);
        let ((), ()) = tokio::join!(reading, async {
            if let Err(reason) = write_all(write, queued).await {
                tracing::warn!(%from, name, reason, "connection cannot be written to");
                unwritable.cancel();
            }
        });
        tracing::info!(%from, name, "disconnected");
    }

    /// Reads until the end, then waits for what is still being answered.
    async fn read<R: AsyncRead + Unpin>(
        self: Arc<Self>,
        mut reader: FrameReader<R>,
        queue: mpsc::Sender<Frame>,
        peer: Arc<Peer>,
        unwritable: &CancellationToken,
    ) {
        let room = Arc::new(Semaphore::new(limits::LINK_IN_FLIGHT_MAX));
        let mut answering = JoinSet::new();
        let mut garbled = 0;
        let reading = async {
            loop {
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
                while let Some(ended) = answering.try_join_next() {
                    report(ended);
                }
                let Some(frame) = reader.next().await? else { return Ok(()) };
                let request = match decode(&self.layout, &frame) {
                    Ok(request) => request,
                    Err(error) => {
                        garbled += 1;
                        let answer = self.garbled(&frame, &error, &peer);
                        if let Some(answer) = answer.and_then(|answer| self.framed(answer)) {
                            // An error here is the writer's to tell.
                            let _ = queue.send(answer).await;
                        }
                        if garbled == GARBLED_IN_A_ROW_MAX {
                            tracing::warn!(from = %peer.address, "closed: {garbled} unreadable messages in a row");
                            return Ok(());
                        }
                        continue;
                    }
                };
                garbled = 0;
                if request.mti().is_response() {
                    tracing::warn!(from = %peer.address, title = fact::title(&request), "answer ignored");
                    self.tap.tell(self.names.dropped(&request, "an answer nobody asked for, ignored"));
                    continue;
                }
                let (listener, queue, peer) = (Arc::clone(&self), queue.clone(), Arc::clone(&peer));
                answering.spawn(async move {
                    if let Some(answer) = listener.ask(request, &peer).await {
                        let _ = queue.send(answer).await;
                    }
                    drop(place);
                });
            }
        };
        let ended: Option<Result<(), FrameError>> = tokio::select! {
            ended = reading => Some(ended),
            () = self.shutdown.cancelled() => None,
            () = unwritable.cancelled() => None,
        };
        if let Some(Err(error)) = ended {
            tracing::warn!(from = %peer.address, reason = %error, "connection closed");
        }
        drop(queue);
        while let Some(ended) = answering.join_next().await {
            report(ended);
        }
    }

    async fn ask(&self, request: Message, peer: &Peer) -> Option<Frame> {
        if self.tap.watches() {
            self.tap.tell(self.names.received(&request));
        }
        if let Some(answer) = network::answer(&request) {
            return self.framed(answer);
        }
        // A copy costs less than the answer that may be made from it, which hardly ever is.
        let asked = request.clone();
        let answer = self.answer.answer(request, peer).await?;
        match frame::write(&self.layout, &self.header, &answer) {
            Ok(frame) => {
                if self.tap.watches() {
                    self.tap.tell(self.names.sent(&answer));
                }
                Some(frame)
            }
            Err(error) => {
                tracing::error!(%error, title = fact::title(&answer), "an answer that the layout cannot express");
                // What was approved must not look declined: silence lets the other side reverse it.
                if answer.get(39).is_some_and(is_approval) {
                    None
                } else {
                    self.framed(network::reply(&asked, "96"))
                }
            }
        }
    }

    fn framed(&self, answer: Message) -> Option<Frame> {
        match frame::write(&self.layout, &self.header, &answer) {
            Ok(frame) => {
                if self.tap.watches() {
                    self.tap.tell(self.names.sent(&answer));
                }
                Some(frame)
            }
            Err(error) => {
                tracing::error!(%error, title = fact::title(&answer), "no answer: the layout cannot express it");
                None
            }
        }
    }

    /// The answer to a message that does not decode, if enough of it can be had.
    fn garbled(&self, bytes: &[u8], error: &DecodeError, peer: &Peer) -> Option<Message> {
        tracing::warn!(from = %peer.address, %error, "unreadable message");
        self.tap.tell(self.names.garbled(error));
        let salvaged = salvage(&self.layout, bytes).filter(|found| !found.mti().is_better_unanswered())?;
        Some(network::format_error(&salvaged, error.field()))
    }
}

/// Writes frames until there are no more, as many at a time as wait.
async fn write_all<W: AsyncWrite + Unpin>(
    mut to: W,
    mut queued: mpsc::Receiver<Frame>,
) -> Result<(), String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * WRITE_BYTES));
    while let Some(first) = queued.recv().await {
        // Answers that are about to be ready come into the same write.
        yield_now().await;
        let mut next = Some(first);
        while let Some(frame) = next {
            bytes.extend_from_slice(&frame);
            next = if bytes.len() < WRITE_BYTES { queued.try_recv().ok() } else { None };
        }
        let written = timeout(WRITE_TIMEOUT, async {
            to.write_all(&bytes).await?;
            to.flush().await
        });
        match written.await {
            Ok(Ok(())) => bytes.clear(),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("the peer took nothing for {WRITE_TIMEOUT:?}")),
        }
    }
    // The peer may have gone first.
    let _ = timeout(WRITE_TIMEOUT, to.shutdown()).await;
    Ok(())
}
