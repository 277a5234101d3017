//! An SMPP 3.4 ESME: one transceiver bind to one SMSC, kept up, as a [`Sender`].
//!
//! ```text
//!             connect, bind_transceiver                       line lost, unbind, no enquire_link_resp
//!   Down ───────────────────────────────▶ Bound ───────────────────────────────────────────▶ Down
//!    │ ▲                                                                                       │
//!    └─┘ refused or unreachable: again after 200 ms, doubling to 10 s, with jitter ◀──────────┘
//!        (at once 10 s for a password or id that the SMSC does not know)
//! ```
//!
//! Deliberately not here: a second bind to fail over to, the inbox (a `deliver_sm` is acknowledged, and told to the tap), TLS
//! (inside the connector).

mod config;
pub mod pdu;
mod session;
mod submit;
mod trace;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ramz_api::{net::Connector, tap::SharedTap};
use ramz_domain::{Clock, Entropy, Moment, ambient::random_bytes, limits};
use rusmpp::{CommandStatus, pdus::SubmitSm};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use config::{SmppConfig, SmppConfigError};
use session::{BindError, Connection, Session, Submitted};

use crate::{
    coding,
    port::{Accepted, Outgoing, SendError, Sender},
};

/// While something is waited for, the wall clock is looked at this often: it may be moved by hand.
const CLOCK_LOOK: Duration = Duration::from_millis(100);

/// A session that could not take a submit is about to end, or full of submits that were given up.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The state of the bind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// Bound: an SMS can be handed over.
    Bound,
    /// Not bound, and why: what happened, and what to check where that is known.
    Down(String),
}

/// What every part of a bind works with.
struct Context {
    config: SmppConfig,
    connector: Arc<dyn Connector>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tap: SharedTap,
}

#[derive(Clone)]
enum Link {
    Bound(Arc<Session>),
    Down(String),
}

/// The bind to an SMSC. See the module.
pub struct SmppSender {
    context: Arc<Context>,
    link: watch::Receiver<Link>,
    shutdown: CancellationToken,
    /// The next text's reference, so that the parts of two texts to one phone are not mixed.
    reference: AtomicU8,
}

impl SmppSender {
    /// Starts to bind, and keeps bound until `shutdown`; then what is in flight is waited for, briefly, and unbound.
    /// Must be called within a tokio runtime.
    pub fn start(
        config: SmppConfig,
        connector: Arc<dyn Connector>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tap: SharedTap,
        shutdown: CancellationToken,
    ) -> Arc<SmppSender> {
        let [reference] = random_bytes(&*entropy);
        let context = Arc::new(Context { config, connector, clock, entropy, tap });
        let (links, link) = watch::channel(Link::Down("not bound yet".into()));
        tokio::spawn(supervise(context.clone(), links, shutdown.clone()));
        Arc::new(SmppSender { context, link, shutdown, reference: AtomicU8::new(reference) })
    }

    /// Whether it is bound, and if not, why.
    pub fn state(&self) -> LinkState {
        match &*self.link.borrow() {
            Link::Bound(_) => LinkState::Bound,
            Link::Down(reason) => LinkState::Down(reason.clone()),
        }
    }

    /// Submits one part until it is taken, refused, or the time is up.
    async fn submit(
        &self,
        pdu: &SubmitSm,
        told: &trace::Told,
        not_after: Moment,
        give_up: Instant,
    ) -> Result<String, SendError> {
        loop {
            let session = self.bound(not_after, give_up).await?;
            if session.resume() > give_up {
                return Err(SendError::Throttled);
            }
            self.before(not_after, give_up, tokio::time::sleep_until(session.resume())).await?;
            let Some(permit) =
                self.before(not_after, give_up, session.window.clone().acquire_owned()).await?
            else {
                return Err(SendError::Down("the SMSC leaves every submit_sm unanswered".into()));
            };
            let Ok(permit) = permit else {
                // The session ended meanwhile.
                continue;
            };
            if session.resume() > Instant::now() {
                // Throttled while this waited for the window.
                continue;
            }
            let response_timeout = self.context.config.response_timeout;
            let submitted =
                session.submit(pdu.clone(), told.clone(), not_after, give_up, response_timeout).await;
            drop(permit);
            match submitted {
                Submitted::Accepted(id) => {
                    session.at_ease();
                    return Ok(id);
                }
                Submitted::Status(CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful) => {
                    session.slow_down(jitter(&*self.context.entropy));
                }
                Submitted::Status(status) => {
                    return Err(SendError::Refused { status: pdu::status_name(status) });
                }
                Submitted::Expired => return Err(SendError::Expired),
                Submitted::Unknown => return Err(SendError::Unknown),
                // The session is over, or the time; the next round finds out which.
                Submitted::NotSent if Instant::now() >= give_up => {
                    return Err(SendError::Down("the SMSC does not read".into()));
                }
                Submitted::NotSent => sleep(AGAIN_AFTER).await,
            }
        }
    }

    /// The bound session, as soon as there is one.
    async fn bound(&self, not_after: Moment, give_up: Instant) -> Result<Arc<Session>, SendError> {
        let mut link = self.link.clone();
        let bound = async {
            // An error means that the supervisor is gone: there will be no bind.
            match link.wait_for(|link| matches!(link, Link::Bound(_))).await.as_deref() {
                Ok(Link::Bound(session)) => Some(session.clone()),
                _ => None,
            }
        };
        let bound = tokio::select! {
            bound = self.before(not_after, give_up, bound) => bound?.flatten(),
            () = self.shutdown.cancelled() => None,
        };
        bound.ok_or_else(|| match &*self.link.borrow() {
            _ if self.shutdown.is_cancelled() => SendError::Down("shutting down".into()),
            Link::Down(reason) => SendError::Down(reason.clone()),
            Link::Bound(_) => SendError::Down("the bind was lost".into()),
        })
    }

    /// Waits for something until `give_up` (then `None`), but not beyond the life of a PIN.
    async fn before<T>(
        &self,
        not_after: Moment,
        give_up: Instant,
        wait: impl Future<Output = T>,
    ) -> Result<Option<T>, SendError> {
        let mut wait = std::pin::pin!(wait);
        loop {
            if submit::validity_period(self.context.clock.now(), not_after).is_none() {
                return Err(SendError::Expired);
            }
            let now = Instant::now();
            match timeout(CLOCK_LOOK.min(give_up.saturating_duration_since(now)), &mut wait).await {
                Ok(came) => return Ok(Some(came)),
                Err(_) if now >= give_up => return Ok(None),
                Err(_) => {}
            }
        }
    }
}

#[async_trait]
impl Sender for SmppSender {
    async fn send(&self, sms: Outgoing) -> Result<Accepted, SendError> {
        let impossible = |what: &str| SendError::Refused { status: what.to_owned() };
        let reference = self.reference.fetch_add(1, Ordering::Relaxed);
        let cut =
            coding::cut(sms.text.expose(), reference).map_err(|error| impossible(&error.to_string()))?;
        let (of, give_up) = (cut.parts.len(), Instant::now() + self.context.config.patience);
        let mut message_ids = Vec::with_capacity(of);
        for part in &cut.parts {
            let pdu = submit::submit_sm(&self.context.config.source, &sms.to, cut.alphabet, part, of)
                .ok_or_else(|| impossible("the part does not fit a submit_sm"))?;
            let good_for = sms.not_after.since(self.context.clock.now());
            let told = trace::Told::new(&sms.to, cut.alphabet, part, of, good_for);
            message_ids.push(self.submit(&pdu, &told, sms.not_after, give_up).await?);
        }
        Ok(Accepted { parts: of, message_ids })
    }

    fn is_up(&self) -> bool {
        matches!(&*self.link.borrow(), Link::Bound(_)) && !self.shutdown.is_cancelled()
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
async fn supervise(context: Arc<Context>, links: watch::Sender<Link>, shutdown: CancellationToken) {
    let name = context.config.name.clone();
    let mut pause = limits::RECONNECT_FIRST;
    loop {
        let ended = attempt(&context, &links, &shutdown).await;
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
        tracing::warn!(bank = name, reason, "not bound to the SMSC");
        links.send_replace(Link::Down(reason));
        let pause_now = pause.mul_f64(0.5 + jitter(&*context.entropy) / 2.0);
        pause = (pause * 2).min(limits::RECONNECT_LAST);
        tokio::select! {
            () = sleep(pause_now) => {}
            () = shutdown.cancelled() => break,
        }
    }
    links.send_replace(Link::Down("shutting down".into()));
    tracing::info!(bank = name, "unbound from the SMSC");
}

/// One try: connects, binds, and works until it ends.
async fn attempt(context: &Context, links: &watch::Sender<Link>, shutdown: &CancellationToken) -> Ended {
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
    let (session, jobs) = Session::new(config.window.max(1));
    let session = Arc::new(session);
    let since = Instant::now();
    tracing::info!(bank = config.name, smsc = place, "bound to the SMSC");
    links.send_replace(Link::Bound(session.clone()));
    let reason = connection.run(jobs, context, shutdown).await;
    links.send_replace(Link::Down(reason.clone()));
    // Whoever waits for room in its window waits for the next session instead.
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
fn jitter(entropy: &dyn Entropy) -> f64 {
    f64::from(u16::from_be_bytes(random_bytes(entropy))) / f64::from(u16::MAX)
}
