//! One bind, from bind_transceiver to the end of its connection.
//!
//! Three loops share the connection: one writes, one reads, one asks enquire_link. The first that ends, ends the session,
//! and with it everything that waits for an answer. A submit is waiting, then handed (its bytes are being written), then
//! answered, and what is reported is what happened: the step from waiting to handed is one channel, which the caller closes
//! to give up; one of the two comes first, and a submit that was given up is never written.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use ramz_api::net::BoxStream;
use ramz_domain::{Moment, limits};
use rusmpp::{
    CommandId, CommandStatus, Pdu,
    pdus::{BindTransceiver, DeliverSm, DeliverSmResp, SubmitSm},
    values::{InterfaceVersion, MessageType},
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf},
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{codec::FramedRead, sync::CancellationToken};
use zeroize::Zeroizing;

use super::{Context, pdu, pdu::Frame, submit, trace};

/// Answers to the SMSC's requests that wait to be written. An SMSC that sends and does not read fills this.
const ANSWERS_QUEUED_MAX: usize = 64;
/// How long a closing session waits for what is in flight, and then for unbind_resp.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// What became of a submit.
pub(super) enum Submitted {
    /// The SMSC took it, under this id.
    Accepted(String),
    /// The SMSC said no.
    Status(CommandStatus),
    /// Not written: its PIN ran out first.
    Expired,
    /// Not written: the session ended first, or its time was up.
    NotSent,
    /// Written, and no answer came.
    Unknown,
}

/// The bound session, as senders see it.
pub(super) struct Session {
    jobs: mpsc::Sender<Job>,
    /// Submits that may be in flight.
    pub(super) window: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

/// How an SMSC that throttles is spared: everyone pauses, longer each time, until a submit is taken again.
struct Pace {
    resume: Instant,
    step: Duration,
}

struct Job {
    pdu: SubmitSm,
    told: trace::Told,
    not_after: Moment,
    handed: oneshot::Sender<()>,
    answer: oneshot::Sender<Submitted>,
}

enum Pending {
    Submit(oneshot::Sender<Submitted>, trace::Told),
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

impl Session {
    /// A session, and the queue that [`run`] works off.
    pub(super) fn new(window: usize) -> (Session, Jobs) {
        let (jobs, queue) = mpsc::channel(window);
        let pace = Pace { resume: Instant::now(), step: limits::RECONNECT_FIRST };
        (Session { jobs, window: Arc::new(Semaphore::new(window)), pace: Mutex::new(pace) }, Jobs(queue))
    }

    /// Submits a part. The caller holds a permit of the window. Waits until `give_up` for the line to take it, and then
    /// `response_timeout` for its answer.
    pub(super) async fn submit(
        &self,
        pdu: SubmitSm,
        told: trace::Told,
        not_after: Moment,
        give_up: Instant,
        response_timeout: Duration,
    ) -> Submitted {
        let (handed, mut was_handed) = oneshot::channel();
        let (answer, mut answered) = oneshot::channel();
        let job = Job { pdu, told, not_after, handed, answer };
        if self.jobs.try_send(job).is_err() {
            return Submitted::NotSent;
        }
        let handed = match timeout_at(give_up, &mut was_handed).await {
            Ok(handed) => handed.is_ok(),
            Err(_) => {
                was_handed.close();
                // Now it is decided: it was handed just before, or never will be.
                was_handed.try_recv().is_ok()
            }
        };
        if !handed {
            return answered.try_recv().unwrap_or(Submitted::NotSent);
        }
        match timeout(response_timeout, answered).await {
            Ok(Ok(submitted)) => submitted,
            Ok(Err(_)) | Err(_) => Submitted::Unknown,
        }
    }

    /// When the next submit may go.
    pub(super) fn resume(&self) -> Instant {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).resume
    }

    /// The SMSC throttles: pause, longer each time in a row. `jitter` is between 0 and 1.
    pub(super) fn slow_down(&self, jitter: f64) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.resume = pace.resume.max(Instant::now() + pace.step.mul_f64(0.5 + jitter / 2.0));
        pace.step = (pace.step * 2).min(limits::RECONNECT_LAST);
    }

    /// The SMSC takes submits.
    pub(super) fn at_ease(&self) {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).step = limits::RECONNECT_FIRST;
    }
}

/// What [`Session::submit`] queued.
pub(super) struct Jobs(mpsc::Receiver<Job>);

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
    pub(super) async fn run(self, jobs: Jobs, context: &Context, shutdown: &CancellationToken) -> String {
        let (answers, queued_answers) = mpsc::channel(ANSWERS_QUEUED_MAX);
        let line = Line { context, pending: Mutex::default(), sequence: AtomicU32::new(2), answers };
        tokio::select! {
            ended = line.write(self.write, queued_answers, jobs) => ended,
            ended = line.read(self.frames) => ended,
            ended = line.enquire() => ended,
            () = line.close(shutdown) => "shutting down".into(),
        }
    }
}

type Bytes = Zeroizing<Vec<u8>>;

/// An answer to write, and why the session ends with it, if it does.
type Queued = (Bytes, Option<&'static str>);

/// What the loops share.
struct Line<'a> {
    context: &'a Context,
    pending: Mutex<HashMap<u32, Pending>>,
    sequence: AtomicU32,
    answers: mpsc::Sender<Queued>,
}

impl Line<'_> {
    async fn write(
        &self,
        mut to: WriteHalf<BoxStream>,
        mut answers: mpsc::Receiver<Queued>,
        mut jobs: Jobs,
    ) -> String {
        loop {
            let written = tokio::select! {
                biased;
                Some((bytes, end)) = answers.recv() => match (put(&mut to, &bytes).await, end) {
                    (Ok(()), Some(reason)) => return reason.into(),
                    (written, _) => written,
                },
                Some(job) = jobs.0.recv() => self.write_job(&mut to, job).await,
                else => return "nobody sends any more".into(),
            };
            if let Err(error) = written {
                return format!("writing failed: {error}");
            }
        }
    }

    /// The clock is read here, where nothing stands between the question and the bytes: everything before was written.
    async fn write_job(&self, to: &mut WriteHalf<BoxStream>, job: Job) -> std::io::Result<()> {
        let Job { mut pdu, told, not_after, handed, answer } = job;
        let Some(period) = submit::validity_period(self.context.clock.now(), not_after) else {
            // Nobody hears it if the caller has given up; that is fine.
            let _ = answer.send(Submitted::Expired);
            return Ok(());
        };
        if handed.send(()).is_err() {
            return Ok(());
        }
        pdu.validity_period = period;
        told.submit(self.context);
        let sequence = self.expect(Pending::Submit(answer, told));
        put(to, &pdu::encode(CommandStatus::EsmeRok, sequence, pdu)).await
    }

    async fn read(&self, mut frames: FramedRead<ReadHalf<BoxStream>, pdu::FrameCodec>) -> String {
        while let Some(frame) = frames.next().await {
            let ended = match frame {
                Ok(frame) if frame.is_request() => self.answer(&frame),
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

    /// Answers a request of the SMSC's. `Err` ends the session.
    fn answer(&self, frame: &Frame) -> Result<(), String> {
        let ok = CommandStatus::EsmeRok;
        let (bytes, end) = match frame.id {
            CommandId::EnquireLink => (pdu::encode(ok, frame.sequence, Pdu::EnquireLinkResp), None),
            CommandId::Unbind => (pdu::encode(ok, frame.sequence, Pdu::UnbindResp), Some("the SMSC unbound")),
            CommandId::DeliverSm => match frame.pdu() {
                Ok(Pdu::DeliverSm(deliver)) => {
                    self.delivered(&deliver);
                    (pdu::encode(ok, frame.sequence, DeliverSmResp::default()), None)
                }
                _ => (pdu::encode_refusal(frame.id, CommandStatus::EsmeRinvcmdlen, frame.sequence), None),
            },
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
        self.answers.try_send((bytes, end)).map_err(|_| "the SMSC does not read our answers".to_owned())
    }

    fn delivered(&self, deliver: &DeliverSm) {
        if deliver.esm_class.message_type == MessageType::ShortMessageContainsMCDeliveryReceipt {
            trace::receipt(self.context, deliver);
        } else {
            tracing::debug!(
                bank = self.context.config.name,
                "a deliver_sm that is no receipt was acknowledged"
            );
            trace::texted(self.context, deliver);
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
                told.answer(self.context, frame.status);
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

    /// Asks whether the SMSC is there, for as long as it is.
    async fn enquire(&self) -> String {
        loop {
            tokio::time::sleep(self.context.config.enquire_every).await;
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
            pending.values().any(|pending| matches!(pending, Pending::Submit(..)) && !pending.is_abandoned())
        };
        while in_flight() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.ask(Pdu::Unbind, Pending::Unbind, CLOSE_WAIT).await;
    }

    /// Writes a request without a body; whether its answer came in time.
    async fn ask(&self, pdu: Pdu, pending: fn(oneshot::Sender<()>) -> Pending, patience: Duration) -> bool {
        let (answer, answered) = oneshot::channel();
        let sequence = self.expect(pending(answer));
        let bytes = pdu::encode(CommandStatus::EsmeRok, sequence, pdu);
        self.answers.try_send((bytes, None)).is_ok()
            && matches!(timeout(patience, answered).await, Ok(Ok(())))
    }

    /// A fresh sequence number whose answer is waited for.
    fn expect(&self, wait: Pending) -> u32 {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose callers gave up stay until here, so that their number is not used for another meanwhile.
        if pending.len() > 2 * self.context.config.window {
            pending.retain(|_, pending| !pending.is_abandoned());
        }
        let mut sequence = self.sequence.fetch_add(1, Ordering::Relaxed) & 0x7FFF_FFFF;
        while sequence == 0 || pending.contains_key(&sequence) {
            sequence = self.sequence.fetch_add(1, Ordering::Relaxed) & 0x7FFF_FFFF;
        }
        pending.insert(sequence, wait);
        sequence
    }
}

async fn put(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

/// The SMSC's id of a message; empty if its answer holds none.
fn message_id(frame: &Frame) -> String {
    match frame.pdu() {
        Ok(Pdu::SubmitSmResp(resp)) => resp.message_id().as_str().trim_end_matches('\0').to_owned(),
        _ => String::new(),
    }
}
