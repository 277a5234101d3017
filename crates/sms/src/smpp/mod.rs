//! An SMPP 3.4 ESME: one or more transceiver binds, each kept up, as one [`Sender`].
//!
//! ```text
//!             connect, bind_transceiver                       line lost, unbind, no enquire_link_resp
//!   Down ───────────────────────────────▶ Bound ───────────────────────────────────────────▶ Down
//!    │ ▲                                                                                       │
//!    └─┘ refused or unreachable: again after 200 ms, doubling to 10 s, with jitter ◀──────────┘
//!        (at once 10 s for a password or id that the SMSC does not know)
//! ```
//!
//! **Which bind.** The one with the smallest share of its window in use; among equals the first in the configuration. So a
//! quiet service uses its first bind, and a busy one spills over to the others; one that throttles, or is at its agreed rate,
//! is passed over until it may go on. A bind whose answer did not come in time is the last choice until something comes from
//! it. The parts of one text stay on the bind of the first part while it is bound and is not throttled.
//!
//! **Fail-over.** What was not written when a session ends, or when its line takes no more, goes to another bind at once, with
//! its expiry looked at again. What was written and is not answered is [`SendError::Unknown`]: the caller decides.
//!
//! Deliberately not here: what a texted request means (receipts and texts are passed on). TLS would be inside the connector; today's speak plain TCP.

mod bind;
mod config;
mod counts;
mod inbound;
mod lenient;
mod line;
pub mod pdu;
mod session;
mod submit;
mod texted;
mod trace;
mod write;

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::{FutureExt as _, pending, select_all};
use ramz_api::{net::Connector, tap::SharedTap};
use ramz_domain::{Clock, Entropy, Moment, ambient::random_bytes, limits};
use rusmpp::CommandStatus;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use bind::{Bind, jitter};
pub use config::{SmppConfig, SmppConfigError};
use counts::Counts;
use session::{Part, Session, Submitted};
use submit::{Submit, lives};

use crate::{
    coding,
    port::{self, Accepted, Given, Outgoing, Receipt, SendError, Sender, Texted},
};

/// While something is waited for, the wall clock is looked at this often: it may be moved by hand.
const CLOCK_LOOK: Duration = Duration::from_millis(100);

/// A line that could not take a submit is full for the moment.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A line that has not taken a submit by then is stuck: its sender looks for another bind.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// The state of a bind, or of all.
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
    counts: Counts,
    receipts: mpsc::Sender<Receipt>,
    texts: ToTexts,
}

/// Whoever takes texts up, once somebody does.
type ToTexts = Arc<OnceLock<mpsc::Sender<Texted>>>;

/// What the binds of a bank's service are given.
#[derive(Clone)]
pub struct Surroundings {
    /// The way to the SMSCs.
    pub connector: Arc<dyn Connector>,
    /// The time, as PINs run out by it.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for jitter and references.
    pub entropy: Arc<dyn Entropy>,
    /// Who watches.
    pub tap: SharedTap,
}

/// The binds of one service. See the module.
pub struct SmppSender {
    binds: Vec<Bind>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Told whenever a bind comes or goes.
    changed: Arc<watch::Sender<()>>,
    receipts: Mutex<Option<mpsc::Receiver<Receipt>>>,
    texts: ToTexts,
    shutdown: CancellationToken,
    /// The next text's reference, so that the parts of two texts to one phone are not mixed.
    reference: AtomicU8,
}

/// A place in a bind's window.
struct Place {
    bind: usize,
    session: Arc<Session>,
    permit: OwnedSemaphorePermit,
}

/// How long a part may wait.
#[derive(Clone, Copy)]
struct Terms {
    not_after: Moment,
    give_up: Instant,
}

impl SmppSender {
    /// Starts to bind, and keeps bound until `shutdown`; then what is in flight is waited for, briefly, and unbound.
    /// `binds` are in order of preference. Must be called within a tokio runtime.
    pub fn start(
        binds: Vec<SmppConfig>,
        around: &Surroundings,
        shutdown: CancellationToken,
    ) -> Arc<SmppSender> {
        let Surroundings { connector, clock, entropy, tap } = around;
        let [reference] = random_bytes(&**entropy);
        let changed = Arc::new(watch::Sender::new(()));
        let (to_receipts, receipts) = mpsc::channel(limits::RECEIPTS_QUEUED_MAX);
        let texts = ToTexts::default();
        let wanted = binds.iter().any(|bind| bind.receipts);
        let start = |config| {
            let context = Context {
                config,
                connector: connector.clone(),
                clock: clock.clone(),
                entropy: entropy.clone(),
                tap: tap.clone(),
                counts: Counts::default(),
                receipts: to_receipts.clone(),
                texts: texts.clone(),
            };
            Bind::start(context, changed.clone(), shutdown.clone())
        };
        Arc::new(SmppSender {
            binds: binds.into_iter().map(start).collect(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            changed,
            receipts: Mutex::new(wanted.then_some(receipts)),
            texts,
            shutdown,
            reference: AtomicU8::new(reference),
        })
    }

    /// Whether any bind is bound, and if not, why.
    pub fn state(&self) -> LinkState {
        let mut reasons = Vec::new();
        for (name, state) in self.states() {
            match state {
                LinkState::Bound => return LinkState::Bound,
                LinkState::Down(reason) if self.binds.len() == 1 => reasons.push(reason),
                LinkState::Down(reason) => reasons.push(format!("{name}: {reason}")),
            }
        }
        LinkState::Down(reasons.join("; "))
    }

    /// Each bind's name and state, in order of preference.
    pub fn states(&self) -> Vec<(String, LinkState)> {
        self.binds.iter().map(|bind| (bind.context.config.bind.clone(), bind.state())).collect()
    }

    /// Submits one part until it is taken, refused, or the time is up. `keep` is the bind to stay on, and then the one that
    /// took the part.
    async fn submit(
        &self,
        submit: &Submit,
        told: Option<&trace::Told>,
        terms: Terms,
        keep: &mut Option<usize>,
    ) -> Result<String, SendError> {
        let mut failed = Vec::new();
        loop {
            let Place { bind: at, session, permit } = self.place(terms, *keep, &failed).await?;
            let Context { config, counts, .. } = &*self.binds[at].context;
            let part = Part { submit: submit.clone(), told: told.cloned(), not_after: terms.not_after };
            let submitted = session.submit(part, terms.give_up, STUCK_AFTER, config.response_timeout).await;
            drop(permit);
            counts.submitted(&submitted);
            match submitted {
                Submitted::Accepted(id) => {
                    session.at_ease();
                    *keep = Some(at);
                    return Ok(id);
                }
                Submitted::Status(CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful) => {
                    session.slow_down(jitter(&*self.entropy));
                }
                // Not a word about this message: another bind may take it.
                Submitted::Status(status) if is_the_smscs_own(status) => {
                    failed.push(at);
                    if self.bound(&failed).is_empty() {
                        return Err(SendError::Failed { status: pdu::status_name(status) });
                    }
                }
                Submitted::Status(status) => {
                    return Err(SendError::Refused { status: pdu::status_name(status) });
                }
                Submitted::Expired => return Err(SendError::Expired),
                Submitted::Unknown => return Err(SendError::Unknown),
                Submitted::NotSent if Instant::now() >= terms.give_up => {
                    return Err(SendError::Down("the SMSC does not read".into()));
                }
                // To another bind at once, or to the next session of this one.
                Submitted::NotSent if session.has_ended() => {}
                Submitted::NotSent => {
                    session.doubt();
                    sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    /// A place in a window, as soon as there is one; none of those that failed.
    async fn place(&self, terms: Terms, keep: Option<usize>, failed: &[usize]) -> Result<Place, SendError> {
        loop {
            // Before looking, so that no change is missed.
            let mut changed = self.changed.subscribe();
            if self.shutdown.is_cancelled() {
                return Err(SendError::Down("shutting down".into()));
            }
            if !lives(self.clock.now(), terms.not_after) {
                return Err(SendError::Expired);
            }
            let now = Instant::now();
            let bound = self.bound(failed);
            let ready = ready(&bound, now, keep);
            for (bind, session) in &ready {
                if let Ok(permit) = session.window.clone().try_acquire_owned()
                    && session.take_turn()
                {
                    return Ok(Place { bind: *bind, session: session.clone(), permit });
                }
            }
            let resume = bound.iter().map(|(_, session)| session.resume()).filter(|at| *at > now).min();
            let all_pause = !bound.is_empty() && ready.is_empty();
            if now >= terms.give_up || (all_pause && resume.is_some_and(|at| at > terms.give_up)) {
                return Err(self.why_not(&bound, &ready));
            }
            let look_again = resume.map_or(terms.give_up, |at| at.min(terms.give_up));
            // Places are given in the order in which they were asked for, so this goes on asking until something else changes.
            let mut room = std::pin::pin!(room(ready));
            loop {
                let look_at_clock = look_again.min(Instant::now() + CLOCK_LOOK);
                tokio::select! {
                    place = &mut room => match place {
                        Some(place) if place.session.take_turn() => return Ok(place),
                        _ => break,
                    },
                    _ = changed.changed() => break,
                    () = self.shutdown.cancelled() => break,
                    () = sleep_until(look_at_clock) => {
                        if look_at_clock == look_again || !lives(self.clock.now(), terms.not_after) {
                            break;
                        }
                    }
                }
            }
        }
    }

    fn bound(&self, but: &[usize]) -> Vec<(usize, Arc<Session>)> {
        let sessions = self.binds.iter().map(Bind::session).enumerate();
        let sessions = sessions.filter(|(at, _)| !but.contains(at));
        sessions.filter_map(|(at, session)| session.map(|session| (at, session))).collect()
    }

    fn why_not(&self, bound: &[(usize, Arc<Session>)], ready: &[(usize, Arc<Session>)]) -> SendError {
        if bound.is_empty() {
            return match self.state() {
                LinkState::Bound => SendError::Down("the bind was lost".into()),
                LinkState::Down(reason) => SendError::Down(reason),
            };
        }
        if ready.is_empty() {
            return SendError::Throttled;
        }
        SendError::Down("the SMSC leaves every submit_sm unanswered".into())
    }
}

/// Whether a refusal is about the SMSC or the bind: SMPP 3.4, 5.1.3.
fn is_the_smscs_own(status: CommandStatus) -> bool {
    use CommandStatus::{EsmeRinvbndsts, EsmeRsubmitfail, EsmeRsyserr, EsmeRxTAppn};
    matches!(status, EsmeRsyserr | EsmeRsubmitfail | EsmeRinvbndsts | EsmeRxTAppn)
}

/// The sessions that may be handed something now, the best first. `keep` alone, if it is bound and does not throttle: for its turn at the
/// agreed rate it is waited, for less than a text whose parts come by different ways is late.
fn ready(bound: &[(usize, Arc<Session>)], now: Instant, keep: Option<usize>) -> Vec<(usize, Arc<Session>)> {
    let kept = bound.iter().find(|(at, session)| Some(*at) == keep && !session.is_throttled(now));
    let may = |session: &Session| session.resume() <= now;
    if let Some(kept) = kept {
        return if may(&kept.1) { vec![kept.clone()] } else { Vec::new() };
    }
    let mut ready: Vec<_> = bound.iter().filter(|(_, session)| may(session)).cloned().collect();
    // Stable: among equals the order of the configuration.
    ready.sort_by_key(|(_, session)| session.reluctance());
    ready
}

/// A place in whichever window has one first; `None` if a session ended. Never, if there is none to wait for.
async fn room(ready: Vec<(usize, Arc<Session>)>) -> Option<Place> {
    if ready.is_empty() {
        return pending().await;
    }
    let each = ready.into_iter().map(|(bind, session)| {
        async move {
            let permit = session.window.clone().acquire_owned().await.ok()?;
            Some(Place { bind, session, permit })
        }
        .boxed()
    });
    select_all(each).await.0
}

#[async_trait]
impl Sender for SmppSender {
    async fn send(&self, sms: Outgoing, given: &mut Given) -> Result<Accepted, SendError> {
        let impossible = |what: &str| SendError::Refused { status: what.to_owned() };
        let Some(Context { config, tap, .. }) = self.binds.first().map(|bind| &*bind.context) else {
            return Err(SendError::Down("no bind is configured".into()));
        };
        let reference = given.begin(&sms.text, || self.reference.fetch_add(1, Ordering::Relaxed));
        let cut = coding::cut(sms.text.expose(), reference);
        let cut = cut.map_err(|error| impossible(&error.to_string()))?;
        let of = cut.parts.len();
        let terms = Terms { not_after: sms.not_after, give_up: Instant::now() + config.patience };
        let mut keep = None;
        for part in cut.parts.iter().skip(given.message_ids().len()) {
            let submit = Submit::new(&config.source, &sms.to, cut.alphabet, part, of, config.receipts)
                .ok_or_else(|| impossible("the part does not fit a submit_sm"))?;
            let told = tap.watches().then(|| {
                let good_for = sms.not_after.since(self.clock.now());
                trace::Told::new(&sms.to, cut.alphabet, part, of, good_for)
            });
            given.took(self.submit(&submit, told.as_ref(), terms, &mut keep).await?);
        }
        Ok(Accepted { parts: of, message_ids: given.message_ids().to_vec() })
    }

    fn longest(&self) -> Duration {
        // The parts are all placed within the patience.
        let of = |bind: &Bind| bind.context.config.patience + bind.context.config.response_timeout;
        self.binds.iter().map(of).max().unwrap_or_default()
    }

    fn is_up(&self) -> bool {
        !self.shutdown.is_cancelled() && self.binds.iter().any(|bind| bind.session().is_some())
    }

    fn lines(&self) -> Vec<port::Line> {
        self.binds.iter().map(Bind::line).collect()
    }

    fn receipts(&self) -> Option<mpsc::Receiver<Receipt>> {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn texts(&self) -> Option<mpsc::Receiver<Texted>> {
        let (to_texts, texts) = mpsc::channel(port::TEXTS_QUEUED_MAX);
        self.texts.set(to_texts).ok().map(|()| texts)
    }
}
