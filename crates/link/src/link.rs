//! The asking side: one connection that is kept up, and requests pipelined over it.
//!
//! ```text
//!                                    ┌─ the other side signs off: takes no transactions until it, or we, sign on, or on a new connection
//!   away ──connected──▶ signing on ──00──▶ up ──shutdown──▶ draining ──▶ closed
//!    ▲                      │              │
//!    └──────── back-off ◀───┴── any error, echo unanswered or refused
//! ```
//! Three loops share a connection: the writer, the reader, and the watch (sign-on, echo, draining). When the first of them
//! ends, the connection ends and every request in flight learns it at once. Not here: the answering side (`listen`).

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ramz_api::net::{BoxStream, Connector};
use ramz_api::tap::{Fact, SharedTap};
use ramz_domain::ambient::random_bytes;
use ramz_domain::{Clock, Entropy, limits};
use ramz_iso8583::{Layout, Message, MtiClass, decode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use zeroize::Zeroizing;

use crate::flights::{AskError, Flights};
use crate::frame::{self, FrameReader};
use crate::line::{Ended, Line, Outgoing, QUEUE_MAX, State};
use crate::{GARBLED_IN_A_ROW_MAX, Names, WRITE_TIMEOUT, fact, network};

/// Bytes that the writer gathers into one write.
const WRITE_BYTES: usize = 32 * 1024;

/// Where a link leads and how it is spoken.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// What logs call it.
    pub name: String,
    /// `host:port`; an IPv6 address in brackets.
    pub address: String,
    /// How messages look.
    pub layout: Arc<Layout>,
    /// Bytes between length and message; on input as many are passed over. Mostly empty.
    pub header: Vec<u8>,
    /// Whether the other side wants a sign-on (0800, field 70 = 001) before anything else.
    pub sign_on: bool,
    /// A link on which nothing was received for so long is tried with an echo: `limits::LINK_ECHO_EVERY`.
    pub echo_every: Duration,
    /// How long connecting, a sign-on and an echo may take each. A link that takes longer is connected anew.
    pub answer_timeout: Duration,
}

/// One link to a host, kept up until its shutdown token is cancelled or the last owner drops it.
pub struct Link {
    inner: Arc<Inner>,
    _stop: DropGuard,
}

struct Inner {
    config: LinkConfig,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tap: SharedTap,
    names: Names,
    shutdown: CancellationToken,
    closed: CancellationToken,
    state: Mutex<State>,
    up: watch::Sender<bool>,
    /// Told whenever the last flight has landed, and nobody keeps a place.
    calm: Notify,
    trace: AtomicU32,
}

impl Link {
    /// Starts connecting, in a task of its own, and keeps at it. `names` are the ends as the tap calls them.
    ///
    /// Once `shutdown` is cancelled, new requests are [`AskError::Down`]; those in flight, and whoever has a [`Place`], may finish
    /// within `limits::HOST_TIMEOUT`, then the link signs off and closes.
    pub fn start(
        config: LinkConfig,
        connector: Arc<dyn Connector>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tap: SharedTap,
        names: Names,
        shutdown: CancellationToken,
    ) -> Arc<Link> {
        let shutdown = shutdown.child_token();
        let inner = Arc::new(Inner {
            trace: AtomicU32::new(u32::from_be_bytes(random_bytes(&*entropy))),
            config,
            clock,
            entropy,
            tap,
            names,
            shutdown: shutdown.clone(),
            closed: CancellationToken::new(),
            state: Mutex::default(),
            up: watch::Sender::new(false),
            calm: Notify::new(),
        });
        tokio::spawn(Arc::clone(&inner).run(connector));
        Arc::new(Link { inner, _stop: shutdown.drop_guard() })
    }

    /// Connected, signed on, the last echo answered, and not about to be closed.
    pub fn is_up(&self) -> bool {
        let open = self.inner.state().line.as_ref().is_some_and(Line::is_open);
        open && !self.inner.shutdown.is_cancelled()
    }

    /// A place for a transaction that is no reversal, kept until it is asked with or dropped; `None` while the link is down or as full
    /// as payments may make it.
    pub fn place(&self) -> Option<Place> {
        let mut state = self.inner.state();
        if self.inner.shutdown.is_cancelled() || !state.takes_payment() {
            return None;
        }
        state.kept += 1;
        Some(Place { inner: Arc::clone(&self.inner) })
    }

    /// Waits until the link is up; for ever, if it never is.
    pub async fn came_up(&self) {
        let _ = self.inner.up.subscribe().wait_for(|up| *up).await;
    }

    /// Waits until the link is closed for good, after its shutdown.
    pub async fn closed(&self) {
        self.inner.closed.cancelled().await;
    }

    /// Sends a request and waits for its answer, at most `timeout`.
    ///
    /// The answer is the one of the response type with the same field 11, and the same fields 32, 37 and 41 as far as the
    /// request has them. May be dropped: a request not yet written is then never written. The last `limits::LINK_ROOM_KEPT` places
    /// are for reversals.
    ///
    /// # Errors
    /// [`AskError::was_sent`] says whether the other side may have got the request.
    pub async fn ask(&self, request: Message, timeout: Duration) -> Result<Message, AskError> {
        let reversal = request.mti().class() == MtiClass::Reversal;
        let traffic = if reversal { Traffic::Reversal } else { Traffic::Payment };
        self.inner.ask(request, timeout, traffic, None).await
    }
}

/// A place among what is in flight, from [`Link::place`]: whoever has one is not turned away because others were faster.
///
/// It is of the link and not of a connection: one that ends takes what is in flight with it, and this is good on the next.
pub struct Place {
    inner: Arc<Inner>,
}

impl Place {
    /// As [`Link::ask`], in this place: never [`AskError::Full`], and also while the link shuts down.
    ///
    /// # Errors
    /// As there.
    pub async fn ask(self, request: Message, timeout: Duration) -> Result<Message, AskError> {
        let inner = Arc::clone(&self.inner);
        inner.ask(request, timeout, Traffic::Kept, Some(self)).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.kept -= 1;
        self.inner.tell_if_calm(&state);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Traffic {
    /// Leaves the last places to reversals.
    Payment,
    Reversal,
    /// Has its place.
    Kept,
    /// The link's own: passes before the link is open, and beyond the bound of transactions.
    Network,
}

/// Takes a request back when its asker goes away.
struct TakeBack<'a> {
    inner: &'a Inner,
    id: u64,
}

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        self.inner.take_back(self.id);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics; if it did, the table is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(
        &self,
        request: Message,
        patience: Duration,
        traffic: Traffic,
        place: Option<Place>,
    ) -> Result<Message, AskError> {
        let frame = frame::write(&self.config.layout, &self.config.header, &request)?;
        let fact = self.tap.watches().then(|| self.names.sent(&request));
        let boarded = self.board(&request, frame, fact, traffic);
        // Its place is taken now, or not needed any more.
        drop((request, place));
        let (id, mut outcome) = boarded?;
        let back = TakeBack { inner: self, id };
        let in_time = timeout(patience, &mut outcome).await;
        match in_time {
            Ok(Ok(outcome)) => outcome,
            // Every flight is told its outcome; if one were not, the careful answer is that it was sent.
            Ok(Err(_)) => Err(AskError::Lost),
            Err(_) => match back.inner.take_back(id) {
                Some(true) => Err(AskError::TimedOut),
                Some(false) => Err(AskError::Down),
                // Decided at the same instant.
                None => outcome.try_recv().unwrap_or(Err(AskError::Lost)),
            },
        }
    }

    fn board(
        &self,
        request: &Message,
        frame: Zeroizing<Vec<u8>>,
        fact: Option<Fact>,
        traffic: Traffic,
    ) -> Result<(u64, tokio::sync::oneshot::Receiver<Result<Message, AskError>>), AskError> {
        let mut state = self.state();
        let room = match traffic {
            Traffic::Payment => state.takes_payment(),
            Traffic::Reversal => state.takes_reversal(),
            Traffic::Kept => true,
            Traffic::Network => state.takes_network(),
        };
        // What has its place was begun before the shutdown.
        let closing = matches!(traffic, Traffic::Payment | Traffic::Reversal) && self.shutdown.is_cancelled();
        let id = state.last_id + 1;
        let line = state.line.as_mut().ok_or(AskError::Down)?;
        if closing || (traffic != Traffic::Network && !line.is_open()) {
            return Err(AskError::Down);
        }
        // What is in flight already is a duplicate, however full the line is.
        let outcome = line.flights.board(id, request)?;
        let queued =
            if room { line.queue.try_send(Outgoing { flight: Some(id), frame, fact }) } else { Ok(()) };
        if !room || queued.is_err() {
            line.flights.take_back(id);
            let gone = matches!(queued, Err(mpsc::error::TrySendError::Closed(_)));
            return Err(if gone { AskError::Down } else { AskError::Full });
        }
        state.last_id = id;
        Ok((id, outcome))
    }

    fn take_back(&self, id: u64) -> Option<bool> {
        let mut state = self.state();
        let taken = state.line.as_mut()?.flights.take_back(id);
        self.tell_if_calm(&state);
        taken
    }

    fn tell_if_calm(&self, state: &State) {
        if state.is_calm() {
            self.calm.notify_one();
        }
    }

    /// Connects, and connects again, until the shutdown.
    async fn run(self: Arc<Self>, connector: Arc<dyn Connector>) {
        let mut pause = limits::RECONNECT_FIRST;
        while !self.shutdown.is_cancelled() {
            let (ended, was_up) = match self.connect(&*connector).await {
                Ok(stream) => self.serve(stream).await,
                Err(ended) => (ended, false),
            };
            // Whatever else it ended by in the shutdown: it does not come again.
            if self.shutdown.is_cancelled() {
                tracing::info!(link = self.config.name, reason = %ended, "link closed");
                break;
            }
            if was_up {
                pause = limits::RECONNECT_FIRST;
            }
            let wait = self.jittered(pause);
            pause = (pause * 2).min(limits::RECONNECT_LAST);
            let (link, address) = (&self.config.name, &self.config.address);
            tracing::warn!(link, address, reason = %ended, again_in_ms = wait.as_millis(), "link down");
            tokio::select! {
                () = sleep(wait) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
        self.closed.cancel();
    }

    async fn connect(&self, connector: &dyn Connector) -> Result<BoxStream, Ended> {
        let (host, port) = host_and_port(&self.config.address).map_err(Ended::NotConnected)?;
        let connecting = timeout(self.config.answer_timeout, connector.connect(host, port));
        tokio::select! {
            connected = connecting => match connected {
                Ok(connected) => connected.map_err(Ended::NotConnected),
                Err(_) => Err(Ended::NotConnected(io::ErrorKind::TimedOut.into())),
            },
            () = self.shutdown.cancelled() => Err(Ended::ShutDown),
        }
    }

    /// Between half and all of a pause, so that many links that went down together do not come back together.
    fn jittered(&self, pause: Duration) -> Duration {
        let part = u32::from(u16::from_be_bytes(random_bytes(&*self.entropy)));
        pause / 2 + pause / 2 * part / u32::from(u16::MAX)
    }

    /// One connection, from its first byte to its last: why it ended, and whether it was up.
    async fn serve(&self, stream: BoxStream) -> (Ended, bool) {
        let (read, write) = tokio::io::split(stream);
        let (queue, queued) = mpsc::channel(QUEUE_MAX);
        let (flights, heard) = (Flights::default(), Instant::now());
        let line = Line { flights, queue, ready: false, signed_off: None, heard };
        self.state().line = Some(line);
        let ended = tokio::select! {
            // The reader first: what was answered before the end counts.
            biased;
            ended = self.read(FrameReader::new(read, self.config.header.len(), None)) => ended,
            ended = self.write(write, queued) => ended,
            ended = self.watch() => ended,
        };
        let line = self.state().line.take();
        // Down first, then the bad news: whoever hears it and waits for the link must not find it up.
        let was_up = self.up.send_replace(false);
        if let Some(line) = line {
            line.flights.end();
        }
        (ended, was_up)
    }

    async fn write<W: AsyncWrite + Unpin>(&self, mut to: W, mut queued: mpsc::Receiver<Outgoing>) -> Ended {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * WRITE_BYTES));
        while let Some(first) = queued.recv().await {
            // Whoever is about to ask as well comes into the same write.
            yield_now().await;
            let mut next = Some(first);
            while let Some(Outgoing { flight, frame, fact }) = next {
                if flight.is_none_or(|id| self.claim(id)) {
                    fact.into_iter().for_each(|fact| self.tap.tell(fact));
                    bytes.extend_from_slice(&frame);
                }
                next = if bytes.len() < WRITE_BYTES { queued.try_recv().ok() } else { None };
            }
            let written = async {
                to.write_all(&bytes).await?;
                to.flush().await
            };
            match timeout(WRITE_TIMEOUT, written).await {
                Ok(Ok(())) => bytes.clear(),
                Ok(Err(error)) => return Ended::Writing(error),
                Err(_) => return Ended::NothingTaken,
            }
        }
        Ended::ShutDown
    }

    fn claim(&self, id: u64) -> bool {
        self.state().line.as_mut().is_some_and(|line| line.flights.claim(id))
    }

    async fn read<R: AsyncRead + Unpin>(&self, mut from: FrameReader<R>) -> Ended {
        let mut garbled = 0;
        loop {
            let frame = match from.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ended::ByPeer,
                Err(error) => return error.into(),
            };
            match decode(&self.config.layout, &frame) {
                Ok(message) => {
                    garbled = 0;
                    self.receive(message);
                }
                Err(error) => {
                    tracing::warn!(link = self.config.name, %error, "unreadable message");
                    self.tap.tell(self.names.garbled(&error));
                    garbled += 1;
                    if garbled == GARBLED_IN_A_ROW_MAX {
                        return Ended::Garbled;
                    }
                }
            }
        }
    }

    fn receive(&self, message: Message) {
        if message.mti().is_response() {
            let fact = self.tap.watches().then(|| self.names.received(&message));
            let late = {
                let mut state = self.state();
                let Some(line) = state.line.as_mut() else { return };
                let landed = line.flights.land(message);
                if landed.is_ok() {
                    line.heard = Instant::now();
                }
                self.tell_if_calm(&state);
                landed.err()
            };
            match late {
                None => fact.into_iter().for_each(|fact| self.tap.tell(fact)),
                Some(late) => {
                    tracing::info!(
                        link = self.config.name,
                        title = fact::title(&late),
                        "late answer dropped"
                    );
                    self.tap.tell(self.names.dropped(&late, "late, dropped"));
                }
            }
            return;
        }
        let answer = match network::answer(&message) {
            Some(answer) => answer,
            None if message.mti().class() == MtiClass::Network => network::reply(&message, "12"),
            None => {
                tracing::warn!(link = self.config.name, title = fact::title(&message), "request ignored");
                self.tap.tell(self.names.dropped(&message, "not asked here, ignored"));
                return;
            }
        };
        self.tap.tell(self.names.received(&message));
        match message.get(70) {
            Some(network::SIGN_OFF) => {
                tracing::warn!(link = self.config.name, "the other side signed off, and is asked nothing");
                self.change(|line| line.signed_off = Some(Instant::now()));
            }
            Some(network::SIGN_ON) => self.change(|line| line.signed_off = None),
            _ => {}
        }
        let frame = match frame::write(&self.config.layout, &self.config.header, &answer) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::warn!(link = self.config.name, %error, "network message cannot be answered");
                return;
            }
        };
        let fact = self.tap.watches().then(|| self.names.sent(&answer));
        let state = self.state();
        let room = state.takes_network();
        if let Some(line) = &state.line {
            // A full queue: the other side floods us with echoes and does not read. It will ask again.
            if room {
                let _ = line.queue.try_send(Outgoing { flight: None, frame, fact });
            }
        }
    }

    /// Signs on, tries the line with echoes, and at the shutdown drains it.
    async fn watch(&self) -> Ended {
        // Without a sign-on an echo: a tunnel or a balancer takes connections for a host that is away.
        let first = if self.config.sign_on { network::SIGN_ON } else { network::ECHO };
        if let Err(ended) = self.agreed(first).await {
            return ended;
        }
        self.change(|line| line.ready = true);
        tracing::info!(link = self.config.name, address = self.config.address, "link up");
        loop {
            let line = self.state().line.as_ref().map(|line| (line.heard, line.signed_off));
            let Some((heard, signed_off)) = line else { return Ended::ShutDown };
            if self.shutdown.is_cancelled() {
                return self.drain().await;
            }
            // Who signed off is asked whether it is back, in case that it waits to be: also if it is heard meanwhile. Where we do not
            // sign on, a new connection is what asks; by then what was in flight is answered or given up.
            let back = signed_off.filter(|_| self.config.sign_on);
            let patience = self.config.echo_every.max(limits::HOST_TIMEOUT);
            let gone_at = signed_off.filter(|_| !self.config.sign_on).map(|at| at + patience);
            if gone_at.is_some_and(|at| at <= Instant::now()) {
                return Ended::SignedOff;
            }
            let idle_at = back.unwrap_or(heard) + self.config.echo_every;
            let wake_at = gone_at.map_or(idle_at, |at| at.min(idle_at));
            if Instant::now() < wake_at {
                tokio::select! {
                    () = self.shutdown.cancelled() => {}
                    () = sleep_until(wake_at) => {}
                }
                continue;
            }
            let kind = if back.is_some() { network::SIGN_ON } else { network::ECHO };
            if let Err(ended) = self.agreed(kind).await {
                return ended;
            }
            // Only of the sign-off that it was asked about: another may have come right behind the answer.
            if back.is_some() {
                self.change(|line| line.signed_off = line.signed_off.filter(|at| Some(*at) != back));
            }
        }
    }

    /// Asks, and is told 00. An echo may be answered without a code.
    async fn agreed(&self, kind: &str) -> Result<(), Ended> {
        let (name, default) = if kind == network::ECHO { ("echo", "00") } else { ("sign-on", "") };
        let answer = self.network(kind).await.map_err(|error| Ended::Unanswered(name, error))?;
        match answer.get(39).unwrap_or(default) {
            "00" => Ok(()),
            code => Err(Ended::Refused(name, code.to_owned())),
        }
    }

    /// Changes the line, and tells whoever waits whether it is up.
    fn change(&self, how: impl FnOnce(&mut Line)) {
        let mut state = self.state();
        let Some(line) = &mut state.line else { return };
        how(line);
        let open = line.is_open() && !self.shutdown.is_cancelled();
        drop(state);
        self.up.send_replace(open);
    }

    async fn network(&self, kind: &str) -> Result<Message, AskError> {
        let trace = self.trace.fetch_add(1, Ordering::Relaxed) % 999_999 + 1;
        let request = network::request(kind, trace, self.clock.now());
        self.ask(request, self.config.answer_timeout, Traffic::Network, None).await
    }

    async fn drain(&self) -> Ended {
        self.up.send_replace(false);
        let deadline = Instant::now() + limits::HOST_TIMEOUT;
        loop {
            let calm = self.calm.notified();
            if self.state().is_calm() {
                break;
            }
            tokio::select! {
                () = calm => {}
                () = sleep_until(deadline) => break,
            }
        }
        if self.config.sign_on {
            // Politeness: whether it is answered changes nothing.
            let _ = self.network(network::SIGN_OFF).await;
        }
        Ended::ShutDown
    }
}

fn host_and_port(address: &str) -> io::Result<(&str, u16)> {
    let parsed = address.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok()?;
        (!host.is_empty()).then_some((host, port))
    });
    parsed.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the address is not host:port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(host_and_port("localhost:8721").unwrap(), ("localhost", 8721));
        assert_eq!(host_and_port("[::1]:8721").unwrap(), ("::1", 8721));
        for wrong in ["localhost", "localhost:", ":1", "localhost:99999", ""] {
            assert!(host_and_port(wrong).is_err(), "{wrong:?}");
        }
    }
}
