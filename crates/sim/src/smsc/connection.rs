//! One connection: binding, and what comes over it.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use ramz_api::net::BoxStream;
use ramz_sms::smpp::pdu::{self, Frame, FrameCodec};
use rusmpp::{
    CommandId, CommandStatus, Pdu,
    pdus::{BindReceiverResp, BindTransceiverResp, BindTransmitterResp},
    types::COctetString,
    values::InterfaceVersion,
};
use tokio::{
    io::{AsyncWriteExt as _, WriteHalf},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{codec::FramedRead, sync::CancellationToken};

use super::{Bound, Bytes, CONNECTIONS_MAX, Line, Smsc, broken};

/// PDUs that wait to be written on one connection.
const QUEUED_MAX: usize = 256;
/// Bytes that go out in one write, about.
const GATHERED_MAX: usize = 64 * 1024;
/// A connection that does not bind by then is closed.
const BIND_WITHIN: Duration = Duration::from_secs(10);
/// What is queued at the end may take so long to be written.
const DRAIN: Duration = Duration::from_secs(1);

/// Whether the conversation goes on.
enum Next {
    Read,
    Close,
}

impl Smsc {
    /// Converses until the peer goes, unbinds or breaks the framing, or `closed`.
    pub(super) async fn converse(self: Arc<Smsc>, stream: BoxStream, closed: CancellationToken) {
        let (read, write) = tokio::io::split(stream);
        let (to_write, queue) = mpsc::channel(QUEUED_MAX);
        let mut line = Line { bound: None, to_write, closed: closed.clone(), silent: Arc::default() };
        if self.state().moods.away {
            return;
        }
        let Some(number) = self.enter(&line) else {
            tracing::warn!("too many connections to the SMSC; one more is closed");
            return;
        };
        let writer = tokio::spawn(write_queue(write, queue, closed.clone()));
        let mut frames = FramedRead::new(read, FrameCodec);
        let bind_until = Instant::now() + BIND_WITHIN;
        loop {
            let frame = tokio::select! {
                frame = frames.next() => frame,
                () = sleep_until(bind_until), if line.bound.is_none() => None,
                () = closed.cancelled() => None,
            };
            let next = match frame {
                Some(Ok(frame)) => self.take(&mut line, number, &frame),
                Some(Err(error)) => {
                    if let Some(status) = broken(&error) {
                        line.put(pdu::encode(status, 0, Pdu::GenericNack));
                    }
                    Next::Close
                }
                None => Next::Close,
            };
            if matches!(next, Next::Close) {
                break;
            }
        }
        self.state().connections.remove(&number);
        drop(line);
        if timeout(DRAIN, writer).await.is_err() {
            closed.cancel();
        }
    }

    fn enter(&self, line: &Line) -> Option<u64> {
        let mut state = self.state();
        if state.connections.len() >= CONNECTIONS_MAX {
            return None;
        }
        state.last_connection += 1;
        let number = state.last_connection;
        state.connections.insert(number, line.clone());
        Some(number)
    }

    fn take(&self, line: &mut Line, number: u64, frame: &Frame) -> Next {
        if line.silent.load(std::sync::atomic::Ordering::SeqCst) {
            return Next::Read;
        }
        let answer = |pdu: Pdu| line.put(pdu::encode(CommandStatus::EsmeRok, frame.sequence, pdu));
        match frame.id {
            CommandId::BindTransceiver | CommandId::BindTransmitter | CommandId::BindReceiver => {
                self.bind(line, number, frame);
            }
            CommandId::EnquireLink => answer(Pdu::EnquireLinkResp),
            CommandId::Unbind => {
                answer(Pdu::UnbindResp);
                return Next::Close;
            }
            CommandId::SubmitSm => match line.bound {
                Some(bound) if bound.sends => self.submit(line, bound, frame),
                _ => line.put(pdu::encode_refusal(frame.id, CommandStatus::EsmeRinvbndsts, frame.sequence)),
            },
            CommandId::DeliverSmResp => self.told(frame),
            // Other answers are not waited for.
            id if id.is_response() => {}
            id => {
                tracing::debug!(command = pdu::command_name(id), "the SMSC does not serve this");
                line.put(pdu::encode(CommandStatus::EsmeRinvcmdid, frame.sequence, Pdu::GenericNack));
            }
        }
        Next::Read
    }

    fn bind(&self, line: &mut Line, number: u64, frame: &Frame) {
        let refuse = |status| line.put(pdu::encode_refusal(frame.id, status, frame.sequence));
        if line.bound.is_some() {
            return refuse(CommandStatus::EsmeRalybnd);
        }
        let (system_id, password) = match frame.pdu() {
            Ok(Pdu::BindTransceiver(bind)) => (bind.system_id, bind.password),
            Ok(Pdu::BindTransmitter(bind)) => (bind.system_id, bind.password),
            Ok(Pdu::BindReceiver(bind)) => (bind.system_id, bind.password),
            _ => return refuse(CommandStatus::EsmeRinvcmdlen),
        };
        let Some(account) = self.accounts.iter().position(|account| account.system_id == system_id.as_str())
        else {
            self.binds_refused.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            return refuse(CommandStatus::EsmeRinvsysid);
        };
        if self.accounts[account].password.as_str() != password.as_str() {
            self.binds_refused.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            return refuse(CommandStatus::EsmeRinvpaswd);
        }
        let bound = Bound {
            account,
            sends: frame.id != CommandId::BindReceiver,
            receives: frame.id != CommandId::BindTransmitter,
        };
        line.bound = Some(bound);
        self.binds_seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if let Some(entered) = self.state().connections.get_mut(&number) {
            entered.bound = line.bound;
        }
        let smsc = COctetString::from_static_slice(b"ramz-smsc\0").unwrap_or_default();
        let version = Some(InterfaceVersion::Smpp3_4);
        let resp: Pdu = match frame.id {
            CommandId::BindTransmitter => BindTransmitterResp::new(smsc, version).into(),
            CommandId::BindReceiver => BindReceiverResp::new(smsc, version).into(),
            _ => BindTransceiverResp::new(smsc, version).into(),
        };
        line.put(pdu::encode(CommandStatus::EsmeRok, frame.sequence, resp));
        tracing::info!(bank = self.accounts[account].name, "bound to the SMSC");
    }
}

/// Writes what is queued until nobody can queue any more, or `closed`.
async fn write_queue(
    mut to: WriteHalf<BoxStream>,
    mut queue: mpsc::Receiver<Bytes>,
    closed: CancellationToken,
) {
    let write = async {
        let mut gathered = Vec::new();
        while let Some(bytes) = queue.recv().await {
            gathered.clear();
            gathered.extend_from_slice(&bytes);
            // What waits goes out with it, as an operator's SMSC does it.
            while gathered.len() < GATHERED_MAX
                && let Ok(more) = queue.try_recv()
            {
                gathered.extend_from_slice(&more);
            }
            if to.write_all(&gathered).await.is_err() || to.flush().await.is_err() {
                break;
            }
        }
        // The peer may be gone; then there is nobody to tell.
        let _ = to.shutdown().await;
    };
    closed.run_until_cancelled(write).await;
    closed.cancel();
}
