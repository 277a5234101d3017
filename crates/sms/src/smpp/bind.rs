//! One bind: a connection that is made again whenever it ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ramz_domain::{Entropy, ambient::random_bytes, limits};
use rusmpp::CommandStatus;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Context, LinkState,
    line::{BindError, Connection},
    pdu,
    session::Session,
};
use crate::port;

/// A bind, kept up.
pub(super) struct Bind {
    pub(super) context: Arc<Context>,
    link: Arc<LinkCell>,
}

#[derive(Clone)]
enum Link {
    Bound(Arc<Session>),
    Down(String),
}

/// The state of a bind, and whom to tell when it changes.
struct LinkCell {
    link: Mutex<Link>,
    changed: Arc<watch::Sender<()>>,
}

impl LinkCell {
    fn set(&self, link: Link) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
        self.changed.send_replace(());
    }

    fn get(&self) -> Link {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Bind {
    /// Starts to bind. Every change of its state is told to `changed`.
    pub(super) fn start(
        context: Context,
        changed: Arc<watch::Sender<()>>,
        shutdown: CancellationToken,
    ) -> Bind {
        let context = Arc::new(context);
        let link = Arc::new(LinkCell { link: Mutex::new(Link::Down("not bound yet".into())), changed });
        tokio::spawn(supervise(context.clone(), link.clone(), shutdown));
        Bind { context, link }
    }

    /// The session, if there is one that still takes submits.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        match self.link.get() {
            Link::Bound(session) if !session.has_ended() => Some(session),
            _ => None,
        }
    }

    pub(super) fn state(&self) -> LinkState {
        match self.link.get() {
            Link::Bound(_) => LinkState::Bound,
            Link::Down(reason) => LinkState::Down(reason),
        }
    }

    /// As the metrics show it.
    pub(super) fn line(&self) -> port::Line {
        let Context { config, counts, .. } = &*self.context;
        let (down, in_window) = match self.link.get() {
            Link::Bound(session) => (None, session.in_window()),
            Link::Down(reason) => (Some(reason), 0),
        };
        port::Line {
            name: config.bind.clone(),
            down,
            in_window,
            window: config.window,
            submitted: counts.by_outcome(),
            receipts: counts.by_receipt(),
            texts: counts.by_text(),
        }
    }
}

/// How a try to be bound ended.
enum Ended {
    /// It was bound, for so long.
    After(Duration, String),
    /// It never was; trying again soon may help.
    Unbound(String),
    /// The SMSC does not know us; trying again soon will not help.
    Unknown(String),
}

/// Binds, again and again, until the shutdown.
async fn supervise(context: Arc<Context>, link: Arc<LinkCell>, shutdown: CancellationToken) {
    let (bank, bind) = (&context.config.name, &context.config.bind);
    let mut pause = limits::RECONNECT_FIRST;
    loop {
        let ended = attempt(&context, &link, &shutdown).await;
        if shutdown.is_cancelled() {
            break;
        }
        let reason = match ended {
            Ended::After(lasted, reason) => {
                if lasted > limits::RECONNECT_LAST {
                    pause = limits::RECONNECT_FIRST;
                }
                reason
            }
            Ended::Unbound(reason) => reason,
            Ended::Unknown(reason) => {
                pause = limits::RECONNECT_LAST;
                reason
            }
        };
        tracing::warn!(bank, bind, reason, "not bound to the SMSC");
        link.set(Link::Down(reason));
        let pause_now = pause.mul_f64(0.5 + jitter(&*context.entropy) / 2.0);
        pause = (pause * 2).min(limits::RECONNECT_LAST);
        tokio::select! {
            () = sleep(pause_now) => {}
            () = shutdown.cancelled() => break,
        }
    }
    link.set(Link::Down("shutting down".into()));
    tracing::info!(bank, bind, "unbound from the SMSC");
}

/// One try: connects, binds, and works until it ends.
async fn attempt(context: &Context, link: &LinkCell, shutdown: &CancellationToken) -> Ended {
    let config = &context.config;
    let place = format!("{}:{}", config.host, config.port);
    let connect = async {
        let stream = match timeout(
            config.response_timeout,
            context.connector.connect(&config.host, config.port),
        )
        .await
        {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Err(Ended::Unbound(format!("no connection to the SMSC at {place}: {error}")));
            }
            Err(_) => return Err(Ended::Unbound(format!("no connection to the SMSC at {place}: timed out"))),
        };
        let mut connection = Connection::new(stream);
        match timeout(config.response_timeout, connection.bind(context)).await {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(BindError::Refused(status))) => Err(refused(status, &place)),
            Ok(Err(BindError::Line(reason))) => {
                Err(Ended::Unbound(format!("the SMSC at {place} did not answer the bind: {reason}")))
            }
            Err(_) => Err(Ended::Unbound(format!("the SMSC at {place} did not answer the bind in time"))),
        }
    };
    let connection = tokio::select! {
        connection = connect => connection,
        () = shutdown.cancelled() => return Ended::Unbound("shutting down".into()),
    };
    let connection = match connection {
        Ok(connection) => connection,
        Err(ended) => return ended,
    };
    let (session, jobs) = Session::new(config);
    let session = Arc::new(session);
    let since = Instant::now();
    tracing::info!(bank = config.name, bind = config.bind, smsc = place, "bound to the SMSC");
    link.set(Link::Bound(session.clone()));
    let reason = connection.run(session.clone(), jobs, context, shutdown).await;
    link.set(Link::Down(reason.clone()));
    // Whoever waits for room in its window looks for another session instead.
    session.window.close();
    Ended::After(since.elapsed(), reason)
}

/// What a refused bind means, and what to do about it.
fn refused(status: CommandStatus, place: &str) -> Ended {
    let name = pdu::status_name(status);
    match status {
        CommandStatus::EsmeRinvpaswd => Ended::Unknown(format!(
            "the SMSC at {place} refused the password ({name}): check the password file"
        )),
        CommandStatus::EsmeRinvsysid | CommandStatus::EsmeRbindfail => Ended::Unknown(format!(
            "the SMSC at {place} refused the bind ({name}): check system_id and password"
        )),
        CommandStatus::EsmeRalybnd => Ended::Unbound(format!(
            "the SMSC at {place} says that this system_id is bound already ({name}): is another node using it?"
        )),
        _ => Ended::Unbound(format!("the SMSC at {place} refused the bind: {name}")),
    }
}

/// A fraction from 0 to 1, so that many binds do not come back at the same instant.
pub(super) fn jitter(entropy: &dyn Entropy) -> f64 {
    f64::from(u16::from_be_bytes(random_bytes(entropy))) / f64::from(u16::MAX)
}
