//! The connection of one bind, from bind_transceiver to its end.
//!
//! Four loops share it: one writes ([`super::write`]), one reads, one answers texts ([`super::texted`]), one asks enquire_link.
//! The first that ends, ends the session, and with it everything that waits for an answer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use ramz_api::net::BoxStream;
use ramz_domain::Moment;
use rusmpp::{
    CommandId, CommandStatus, Pdu,
    pdus::{BindTransceiver, DeliverSm, DeliverSmResp},
    values::InterfaceVersion,
};
use tokio::{
    io::{AsyncWriteExt as _, ReadHalf, WriteHalf},
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::{codec::FramedRead, sync::CancellationToken};
use zeroize::Zeroizing;

use super::{
    Context,
    inbound::{self, Inbound},
    pdu,
    pdu::Frame,
    session::{Jobs, Session, Submitted},
    texted::{self, Awaited, Texts},
    trace, write,
};

/// Answers to the SMSC's requests that wait to be written: about what one read brings.
const ANSWERS_QUEUED_MAX: usize = 64;
/// How long a closing session waits for what is in flight, and then for unbind_resp.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A request of ours that waits for its answer.
pub(super) enum Pending {
    Submit(oneshot::Sender<Submitted>, Option<trace::Told>),
    EnquireLink(oneshot::Sender<()>),
    Unbind(oneshot::Sender<()>),
}

impl Pending {
    fn is_abandoned(&self) -> bool {
        match self {
            Pending::Submit(answer, _) => answer.is_closed(),
            Pending::EnquireLink(answer) | Pending::Unbind(answer) => answer.is_closed(),
        }
    }
}

/// A connection that is not bound yet.
pub(super) struct Connection {
    frames: FramedRead<ReadHalf<BoxStream>, pdu::FrameCodec>,
    write: WriteHalf<BoxStream>,
}

/// Why a bind did not come about.
pub(super) enum BindError {
    /// The SMSC said no.
    Refused(CommandStatus),
    /// The connection did not carry it.
    Line(String),
}

impl Connection {
    pub(super) fn new(stream: BoxStream) -> Connection {
        let (read, write) = tokio::io::split(stream);
        Connection { frames: FramedRead::new(read, pdu::FrameCodec), write }
    }

    /// Binds as a transceiver. Bound by the caller's time-out.
    pub(super) async fn bind(&mut self, context: &Context) -> Result<(), BindError> {
        let bind = BindTransceiver::builder()
            .system_id(context.config.system_id())
            .password(context.config.password())
            .interface_version(InterfaceVersion::Smpp3_4)
            .build();
        let bytes = pdu::encode(CommandStatus::EsmeRok, 1, bind);
        self.write.write_all(&bytes).await.map_err(|error| BindError::Line(error.to_string()))?;
        self.write.flush().await.map_err(|error| BindError::Line(error.to_string()))?;
        loop {
            let frame = match self.frames.next().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(BindError::Line(error.to_string())),
                None => return Err(BindError::Line("the SMSC closed the connection".into())),
            };
            match (frame.id, frame.status) {
                (CommandId::BindTransceiverResp, CommandStatus::EsmeRok) => return Ok(()),
                (CommandId::BindTransceiverResp | CommandId::GenericNack, status) => {
                    return Err(BindError::Refused(status));
                }
                (other, _) => tracing::debug!(
                    bank = context.config.name,
                    command = pdu::command_name(other),
                    "a PDU before the bind was answered"
                ),
            }
        }
    }

    /// Works until the connection ends, the SMSC unbinds or stops answering, or `shutdown`. Says why it ended.
    pub(super) async fn run(
        self,
        session: Arc<Session>,
        jobs: Jobs,
        context: &Context,
        shutdown: &CancellationToken,
    ) -> String {
        let (answers, queued_answers) = mpsc::channel(ANSWERS_QUEUED_MAX);
        let (texts, awaited) = Texts::new();
        let (pending, sequence) = (Mutex::default(), AtomicU32::new(2));
        let line = Line { context, session, pending, sequence, answers, texts };
        tokio::select! {
            ended = write::write(&line, self.write, queued_answers, jobs) => ended,
            ended = line.read(self.frames) => ended,
            ended = line.answer_texts(awaited) => ended,
            ended = line.enquire() => ended,
            () = line.close(shutdown) => "shutting down".into(),
        }
    }
}

type Bytes = Zeroizing<Vec<u8>>;

/// An answer to write, and why the session ends with it, if it does.
pub(super) type Queued = (Bytes, Option<&'static str>);

/// What the loops share.
pub(super) struct Line<'a> {
    pub(super) context: &'a Context,
    session: Arc<Session>,
    pending: Mutex<HashMap<u32, Pending>>,
    sequence: AtomicU32,
    answers: mpsc::Sender<Queued>,
    texts: Texts,
}

impl Line<'_> {
    /// The present instant.
    pub(super) fn now(&self) -> Moment {
        self.context.clock.now()
    }

    async fn read(&self, mut frames: FramedRead<ReadHalf<BoxStream>, pdu::FrameCodec>) -> String {
        while let Some(frame) = frames.next().await {
            self.session.heard();
            let ended = match frame {
                Ok(frame) if frame.is_request() => self.answer(&frame).await,
                Ok(frame) => {
                    self.resolve(&frame);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(reason) = ended {
                return reason;
            }
        }
        "the SMSC closed the connection".into()
    }

    /// Answers a request of the SMSC's, as soon as there is room for the answer: what is not answered is not read any further,
    /// but for texts that are handed on ([`Line::answer_texts`]). `Err` ends the session.
    async fn answer(&self, frame: &Frame) -> Result<(), String> {
        let ok = CommandStatus::EsmeRok;
        let (bytes, end) = match frame.id {
            CommandId::EnquireLink => (pdu::encode(ok, frame.sequence, Pdu::EnquireLinkResp), None),
            CommandId::Unbind => (pdu::encode(ok, frame.sequence, Pdu::UnbindResp), Some("the SMSC unbound")),
            CommandId::DeliverSm => {
                let status = match frame.deliver_sm() {
                    Ok(deliver) => self.delivered(&deliver, frame.sequence),
                    // It would be the same when delivered again.
                    Err(pdu::Malformed) => {
                        self.told("unreadable");
                        Some(ok)
                    }
                };
                let Some(status) = status else { return Ok(()) };
                (pdu::encode(status, frame.sequence, DeliverSmResp::default()), None)
            }
            // These ask for no answer.
            CommandId::AlertNotification | CommandId::Outbind => return Ok(()),
            other => {
                let command = pdu::command_name(other);
                tracing::info!(
                    bank = self.context.config.name,
                    command,
                    "the SMSC sent what we do not serve"
                );
                let status = CommandStatus::EsmeRinvcmdid;
                (pdu::encode(status, frame.sequence, Pdu::GenericNack), None)
            }
        };
        self.put(bytes, end).await
    }

    /// Queues an answer of ours, as soon as there is room. `Err` ends the session.
    async fn put(&self, bytes: Bytes, end: Option<&'static str>) -> Result<(), String> {
        match timeout(self.context.config.response_timeout, self.answers.send((bytes, end))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err("the SMSC does not read our answers".to_owned()),
        }
    }

    /// Receipts and texts are passed on if there is room for them: nothing here ever waits for whoever reads them. The answer, if
    /// it is known already.
    fn delivered(&self, deliver: &DeliverSm, sequence: u32) -> Option<CommandStatus> {
        let counts = &self.context.counts;
        match inbound::read(deliver, self.context.config.source.address()) {
            Inbound::Receipt(receipt) => {
                trace::receipt(self.context, deliver, Some(receipt.state.word()));
                counts.receipt(receipt.state.word());
                if self.context.receipts.try_send(receipt).is_err() {
                    counts.receipt("dropped");
                }
            }
            Inbound::OnTheWay => {
                trace::receipt(self.context, deliver, None);
                counts.receipt("on the way");
            }
            Inbound::Text => {
                trace::texted(self.context, deliver);
                return self.texted(deliver, sequence);
            }
        }
        Some(CommandStatus::EsmeRok)
    }

    /// A text is answered once its receiver has said what became of it. One that cannot be read is answered as if it were taken:
    /// it would be the same when delivered again.
    fn texted(&self, deliver: &DeliverSm, sequence: u32) -> Option<CommandStatus> {
        let Some(text) = texted::read(deliver) else {
            self.told("unreadable");
            return Some(CommandStatus::EsmeRok);
        };
        if self.texts.hand_on(text, sequence, self.context) {
            return None;
        }
        self.told("later");
        Some(texted::LATER)
    }

    fn told(&self, outcome: &'static str) {
        tracing::debug!(bank = self.context.config.name, outcome, "a text from a phone");
        self.context.counts.text(outcome);
    }

    /// Answers texts in the order in which it is said what became of them. Holds nothing else up.
    async fn answer_texts(&self, mut awaited: mpsc::Receiver<Awaited>) -> String {
        let mut waiting = FuturesUnordered::new();
        loop {
            let (sequence, accepted, place) = tokio::select! {
                Some(text) = awaited.recv() => {
                    waiting.push(text.answer());
                    continue;
                }
                Some(answer) = waiting.next() => answer,
                else => return "no text is handed on any more".into(),
            };
            let (status, outcome) =
                if accepted { (CommandStatus::EsmeRok, "taken") } else { (texted::LATER, "later") };
            let bytes = pdu::encode(status, sequence, DeliverSmResp::default());
            if let Err(reason) = self.put(bytes, None).await {
                return reason;
            }
            self.told(outcome);
            drop(place);
        }
    }

    /// Takes the answer to a request of ours.
    fn resolve(&self, frame: &Frame) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = match (pending.get(&frame.sequence), frame.id) {
            (None, _) => false,
            (Some(_), CommandId::GenericNack) => true,
            (Some(Pending::Submit(..)), id) => id == CommandId::SubmitSmResp,
            (Some(Pending::EnquireLink(_)), id) => id == CommandId::EnquireLinkResp,
            (Some(Pending::Unbind(_)), id) => id == CommandId::UnbindResp,
        };
        let asked = if fits { pending.remove(&frame.sequence) } else { None };
        drop(pending);
        match asked {
            Some(Pending::Submit(answer, told)) => {
                if let Some(told) = told {
                    told.answer(self.context, frame.status);
                }
                let submitted = match (frame.status, frame.id) {
                    (CommandStatus::EsmeRok, CommandId::SubmitSmResp) => {
                        Submitted::Accepted(message_id(frame))
                    }
                    // A generic_nack that says "fine" is a no all the same.
                    (CommandStatus::EsmeRok, _) => Submitted::Status(CommandStatus::EsmeRunknownerr),
                    (status, _) => Submitted::Status(status),
                };
                let _ = answer.send(submitted);
            }
            Some(Pending::EnquireLink(answer) | Pending::Unbind(answer)) => {
                let _ = answer.send(());
            }
            None => {
                let command = pdu::command_name(frame.id);
                tracing::debug!(bank = self.context.config.name, command, "an answer that nobody waits for");
            }
        }
    }

    /// Asks whether the SMSC is there, for as long as it is: every so often, and when an answer did not come in time.
    async fn enquire(&self) -> String {
        loop {
            tokio::select! {
                () = sleep(self.context.config.enquire_every) => {}
                () = self.session.ask_now.notified() => {}
            }
            if !self.ask(Pdu::EnquireLink, Pending::EnquireLink, self.context.config.response_timeout).await {
                return "the SMSC does not answer enquire_link".into();
            }
        }
    }

    /// Waits for the shutdown, then for what is in flight, and unbinds.
    async fn close(&self, shutdown: &CancellationToken) {
        shutdown.cancelled().await;
        let until = Instant::now() + CLOSE_WAIT;
        let in_flight = || {
            let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let submit =
                |pending: &Pending| matches!(pending, Pending::Submit(..)) && !pending.is_abandoned();
            self.texts.awaited() > 0 || pending.values().any(submit)
        };
        while in_flight() && Instant::now() < until {
            sleep(Duration::from_millis(20)).await;
        }
        self.ask(Pdu::Unbind, Pending::Unbind, CLOSE_WAIT).await;
    }

    /// Writes a request without a body; whether its answer came in time.
    async fn ask(&self, pdu: Pdu, pending: fn(oneshot::Sender<()>) -> Pending, patience: Duration) -> bool {
        let (answer, answered) = oneshot::channel();
        let sequence = self.fresh_sequence();
        self.expect(sequence, pending(answer));
        let bytes = pdu::encode(CommandStatus::EsmeRok, sequence, pdu);
        // It waits for its turn behind what the SMSC is answered: a flush of receipts is no sign that it is gone.
        let asked = async {
            self.answers.send((bytes, None)).await.ok()?;
            answered.await.ok()
        };
        timeout(patience, asked).await.ok().flatten().is_some()
    }

    /// A sequence number that nothing waits under.
    pub(super) fn fresh_sequence(&self) -> u32 {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) & 0x7FFF_FFFF;
            if sequence != 0 && !pending.contains_key(&sequence) {
                return sequence;
            }
        }
    }

    /// From now on the answer under this number is waited for.
    pub(super) fn expect(&self, sequence: u32, wait: Pending) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose callers gave up stay until here, so that their number is not used for another meanwhile.
        if pending.len() > 2 * self.context.config.window {
            pending.retain(|_, pending| !pending.is_abandoned());
        }
        pending.insert(sequence, wait);
    }
}

/// The SMSC's id of a message; empty if its answer holds none.
fn message_id(frame: &Frame) -> String {
    let id = frame.body().split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(id).unwrap_or_default().to_owned()
}
