//! A bank whose SMSC is written by hand, over memory and under a clock that does not wait.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use ramz_api::{
    net::{BoxStream, Connector},
    tap::NoTap,
};
use ramz_domain::{Clock, Entropy, Moment, Phone};
use ramz_sms::{
    port::{Accepted, Given, Outgoing, SendError, Sender as _, SmsText},
    smpp::{
        SmppConfig, SmppSender, Surroundings,
        pdu::{self, Frame, FrameCodec},
    },
};
use rusmpp::{CommandId, CommandStatus, Pdu, pdus::BindTransceiverResp};
use tokio::{
    io::{AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::{codec::FramedRead, sync::CancellationToken};

pub(crate) const LIFE: Duration = Duration::from_secs(120);

#[derive(Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(Ordering::SeqCst))
    }
}

struct Half;

impl Entropy for Half {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x80);
    }
}

/// Connections in memory; `None` refuses them.
pub(crate) struct Memory {
    pub(crate) to: Option<mpsc::UnboundedSender<DuplexStream>>,
    pub(crate) asked: AtomicU64,
    pub(crate) buffer: usize,
}

#[async_trait]
impl Connector for Memory {
    async fn connect(&self, _: &str, _: u16) -> io::Result<BoxStream> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (here, there) = tokio::io::duplex(self.buffer);
        let to = self.to.as_ref().ok_or(io::ErrorKind::ConnectionRefused)?;
        to.send(there).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Box::pin(here))
    }
}

pub(crate) struct Bank {
    pub(crate) sender: Arc<SmppSender>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) connections: mpsc::UnboundedReceiver<DuplexStream>,
    pub(crate) shutdown: CancellationToken,
}

pub(crate) fn config() -> SmppConfig {
    SmppConfig::new("bank", "smsc:2775", "mellat", String::from("secret").into(), "Bank").unwrap()
}

impl Bank {
    pub(crate) fn start(config: SmppConfig, buffer: usize) -> Bank {
        Bank::start_all(vec![config], buffer)
    }

    pub(crate) fn start_all(binds: Vec<SmppConfig>, buffer: usize) -> Bank {
        let (to, connections) = mpsc::unbounded_channel();
        Bank::with(binds, Memory { to: Some(to), asked: AtomicU64::new(0), buffer }, connections)
    }

    pub(crate) fn with(
        binds: Vec<SmppConfig>,
        memory: Memory,
        connections: mpsc::UnboundedReceiver<DuplexStream>,
    ) -> Bank {
        let (clock, memory) = (Arc::new(HandClock::default()), Arc::new(memory));
        let shutdown = CancellationToken::new();
        let around = Surroundings {
            connector: memory.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Half),
            tap: Arc::new(NoTap),
        };
        let sender = SmppSender::start(binds, &around, shutdown.clone());
        Bank { sender, clock, memory, connections, shutdown }
    }

    /// The next connection, at the SMSC's end.
    pub(crate) async fn peer(&mut self) -> Peer {
        let stream = timeout(Duration::from_secs(600), self.connections.recv()).await.unwrap().unwrap();
        let (read, write) = tokio::io::split(stream);
        Peer { frames: FramedRead::new(read, FrameCodec), write }
    }

    /// The next connection, bound.
    pub(crate) async fn bound(&mut self) -> Peer {
        let mut peer = self.peer().await;
        let bind = peer.read().await;
        assert_eq!(bind.id, CommandId::BindTransceiver);
        peer.put(&pdu::encode(CommandStatus::EsmeRok, bind.sequence, BindTransceiverResp::default())).await;
        while !self.sender.is_up() {
            sleep(Duration::from_millis(1)).await;
        }
        peer
    }

    pub(crate) fn sms(&self, text: &str) -> Outgoing {
        Outgoing {
            to: Phone::parse("09121234567").unwrap(),
            text: SmsText::new(text.into()),
            not_after: self.clock.now().plus(LIFE),
        }
    }

    pub(crate) fn send(&self, text: &str) -> tokio::task::JoinHandle<Result<Accepted, SendError>> {
        let (sender, sms) = (self.sender.clone(), self.sms(text));
        tokio::spawn(async move { sender.send(sms, &mut Given::default()).await })
    }
}

pub(crate) struct Peer {
    frames: FramedRead<ReadHalf<DuplexStream>, FrameCodec>,
    write: WriteHalf<DuplexStream>,
}

impl Peer {
    pub(crate) async fn read(&mut self) -> Frame {
        timeout(Duration::from_secs(600), self.frames.next()).await.unwrap().unwrap().unwrap()
    }

    /// The next PDU that is no enquire_link; those are answered.
    pub(crate) async fn read_request(&mut self) -> Frame {
        loop {
            let frame = self.read().await;
            if frame.id != CommandId::EnquireLink {
                return frame;
            }
            self.put(&pdu::encode(CommandStatus::EsmeRok, frame.sequence, Pdu::EnquireLinkResp)).await;
        }
    }

    pub(crate) async fn put(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.unwrap();
    }
}
