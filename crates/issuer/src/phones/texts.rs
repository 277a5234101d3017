//! Texts from phones: "1234" to the short code, and a PIN comes back.
//!
//! ```text
//!   deliver_sm ─▶ phone's row: known? repeated? too often? ─committed─▶ deliver_sm_resp
//!                      └─▶ cards of this phone that end so ─▶ one: the card decides ─▶ PIN or help, to its phone
//!                                                          └─▶ none, several: help, to this phone
//! ```
//!
//! Taken is what is durable: a text whose work is cut off by a crash is taken up again, as long as somebody waits for it. From
//! who is no card's phone comes no answer: a short code that answers strangers can be made to flood them.

use std::sync::Arc;

use minicbor::bytes::ByteVec;
use ramz_api::hop;
use ramz_domain::card::{Answer, Command, Mark, NotSent, Requested, TextRequest};
use ramz_domain::mobile::{Heard, Waiting};
use ramz_domain::{AdmissionId, CardId, ChallengeId, Moment, Phone, ambient, limits};
use ramz_keys::{IndexPurpose, Place};
use ramz_sms::port::{SmsText, Taken, Texted};
use ramz_sms::texts::{Asked, asked};
use ramz_store::{Change, OutboxNew, Outcome, Row, Table};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Known, NUMBER_COLUMN, PhoneKey, find, read, swap};
use crate::counts::Counts;
use crate::engine::{Dispatch, Engine, EngineFault, Job, Outgoing};

/// The sealed digits' associated data.
const ASKED_COLUMN: &str = "phone.asked";
/// Texts that are worked on at once.
const AT_ONCE: usize = 256;

/// What takes the texts up.
pub struct Texts {
    engine: Arc<Engine>,
    counts: Arc<Counts>,
    work: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What is told of a text: to the metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// A PIN, or words from the card itself.
    Card(Requested),
    /// Words of help.
    Help(NotSent),
    /// Nothing.
    Silence(&'static str),
}

impl Texts {
    /// What takes texts up for an engine.
    pub(crate) fn new(engine: Arc<Engine>, counts: Arc<Counts>) -> Arc<Texts> {
        Arc::new(Texts { engine, counts, work: Arc::new(Semaphore::new(AT_ONCE)), tasks: TaskTracker::new() })
    }

    /// Takes texts until `shutdown`, then finishes what is in hand.
    pub(crate) async fn run(self: Arc<Self>, mut texts: mpsc::Receiver<Texted>, shutdown: CancellationToken) {
        while let Some(Some(text)) = shutdown.run_until_cancelled(texts.recv()).await {
            let Ok(slot) = Arc::clone(&self.work).acquire_owned().await else { break };
            let this = Arc::clone(&self);
            self.tasks.spawn(async move {
                this.take(text).await;
                drop(slot);
            });
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn take(&self, text: Texted) {
        let Texted { from, to, words, reference, taken } = text;
        let began = Instant::now();
        let asked = asked(&words);
        match self.hear(&from, &to, asked, reference, &taken).await {
            Ok(Ok((key, waiting, asked))) => {
                taken.accept();
                self.answer(key, waiting, asked, began).await;
            }
            Ok(Err(told)) => {
                taken.accept();
                self.tell(told, began);
            }
            Err(fault) => {
                tracing::error!(%fault, "a text could not be taken; its operator delivers it again");
                taken.later();
            }
        }
    }

    /// Commits that the text is taken. What is to be worked on, or what was told.
    async fn hear(
        &self,
        from: &Phone,
        to: &str,
        asked: Option<Asked>,
        reference: Option<u16>,
        taken: &Taken,
    ) -> Result<Result<(PhoneKey, Waiting, Asked), Told>, EngineFault> {
        let engine = &self.engine;
        engine.may_decide()?;
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            let Some(known) = find(engine, from).await? else {
                return Ok(Err(Told::Silence("unknown_sender")));
            };
            let key = known.key;
            let digits = asked.as_ref().map_or("", Asked::digits);
            let (mark, within) = self.mark(&key, to, digits, reference)?;
            let waiting = Waiting {
                admission: AdmissionId::random(engine.entropy.as_ref()),
                at: engine.clock.now(),
                asked: ByteVec::from(
                    engine.keys.seal(Place { row: &key, column: ASKED_COLUMN }, digits.as_bytes())?,
                ),
            };
            let mut mobile = known.mobile.clone();
            let help = match (mobile.hear(mark, within, waiting.clone()), &asked) {
                (Heard::Repeated, _) => return Ok(Err(Told::Silence("repeated"))),
                (Heard::Unheard, _) => return Ok(Err(Told::Silence("too_often"))),
                (Heard::TooOften, _) => Some(NotSent::TextLimit),
                (Heard::New, None) => {
                    mobile.answered(waiting.admission);
                    Some(NotSent::NoDigits)
                }
                (Heard::New, Some(_)) => None,
            };
            // It comes again, perhaps after so long that it would be taken for another one.
            if taken.came_too_late() {
                return Ok(Err(Told::Silence("too_late")));
            }
            if self.commit(&known, &mobile, help).await? {
                return Ok(match (help, asked) {
                    (None, Some(asked)) => Ok((key, waiting, asked)),
                    (help, _) => Err(Told::Help(help.unwrap_or(NotSent::NoDigits))),
                });
            }
        }
        Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
    }

    /// What makes it this text, and for how long the same one is a repeated delivery. Keyed: four digits could be tried out.
    fn mark(
        &self,
        key: &PhoneKey,
        to: &str,
        digits: &str,
        reference: Option<u16>,
    ) -> Result<(Mark, std::time::Duration), EngineFault> {
        let number = reference.map_or([0; 2], u16::to_be_bytes);
        let tag =
            self.engine.keys.index(IndexPurpose::Text, &[key, to.as_bytes(), digits.as_bytes(), &number])?;
        let within = match reference {
            Some(_) => limits::TEXT_REFERENCE_WITHIN,
            None => limits::TEXT_REPEATED_WITHIN,
        };
        Ok((Mark::of(&[&tag.bytes]), within))
    }

    /// Takes up what was cut off: for the sweeper. Says how many.
    pub(crate) async fn resume(self: &Arc<Self>) -> Result<usize, EngineFault> {
        let now = self.engine.clock.now();
        let mut taken = 0;
        for (key, row) in self.engine.store.due(Table::Phone, now, limits::SWEEP_ROWS).await? {
            // One row that cannot be taken up must not hold up the others.
            match self.take_up(&key, &row).await {
                Ok(texts) => taken += texts,
                Err(fault) => tracing::error!(%fault, "texts could not be taken up; trying again"),
            }
        }
        Ok(taken)
    }

    async fn take_up(self: &Arc<Self>, key: &[u8], row: &Row) -> Result<usize, EngineFault> {
        let key = key.try_into().map_err(|_| EngineFault::Row("a phone's key has 16 bytes".into()))?;
        let known = Known::of(key, row)?;
        // The lease: another node that found the row too loses here.
        if !self.commit(&known, &known.mobile, None).await? {
            return Ok(0);
        }
        let mut taken = 0;
        for waiting in known.mobile.waiting().to_vec() {
            let asked = match self.asked_by(&key, &waiting) {
                Ok(asked) => asked,
                // It must not hold up the phone's others, nor come back for ever.
                Err(fault) => {
                    tracing::error!(%fault, "a waiting text cannot be read; it is given up");
                    self.finish(key, waiting.admission, None).await?;
                    continue;
                }
            };
            taken += 1;
            let this = Arc::clone(self);
            self.tasks.spawn(async move { this.answer(key, waiting, asked, Instant::now()).await });
        }
        Ok(taken)
    }

    fn asked_by(&self, key: &PhoneKey, waiting: &Waiting) -> Result<Asked, EngineFault> {
        let digits = self.engine.keys.open(Place { row: key, column: ASKED_COLUMN }, &waiting.asked)?;
        let digits = String::from_utf8_lossy(&digits).into_owned();
        asked(&SmsText::new(digits)).ok_or_else(|| EngineFault::Row("a waiting text has no digits".into()))
    }

    /// The card's work, and the end of the waiting.
    async fn answer(&self, key: PhoneKey, waiting: Waiting, asked: Asked, began: Instant) {
        let answered = async {
            let told = self.work_on(key, &waiting, &asked).await?;
            let help = if let Told::Help(why) = told { Some(why) } else { None };
            self.finish(key, waiting.admission, help).await.map(|()| told)
        };
        match answered.await {
            Ok(told) => self.tell(told, began),
            Err(fault) => tracing::error!(%fault, "a text was not answered; it will be taken up again"),
        }
    }

    async fn work_on(&self, key: PhoneKey, waiting: &Waiting, asked: &Asked) -> Result<Told, EngineFault> {
        let not_after = waiting.at.plus(limits::TEXT_ANSWERED_WITHIN);
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            if self.engine.clock.now() > not_after {
                return Ok(Told::Silence("out_of_date"));
            }
            let (card, version) = match self.cards(key, asked).await?.as_slice() {
                [] => return Ok(Told::Help(NotSent::NoSuchCard)),
                [one] => *one,
                _ => return Ok(Told::Help(NotSent::Ambiguous)),
            };
            match self.ask(card, version, waiting.admission, not_after).await {
                Ok(requested) => return Ok(Told::Card(requested)),
                // The phone may be another one's by now.
                Err(EngineFault::Changed) => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
    }

    /// The phone's cards that end so, each with the version of the row that says that this is its phone.
    async fn cards(&self, key: PhoneKey, asked: &Asked) -> Result<Vec<(CardId, u64)>, EngineFault> {
        let engine = &self.engine;
        let Some(known) = read(engine, key).await? else { return Ok(Vec::new()) };
        let Some(phone) = self.number(key).await? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for card in known.mobile.cards() {
            let columns = match engine.open(*card).await {
                Ok(Some((_, columns))) => columns,
                Ok(None) => continue,
                // One card that cannot be read must not keep the others from their holder.
                Err(fault @ (EngineFault::Row(_) | EngineFault::Keys(_))) => {
                    tracing::error!(%card, %fault, "a card of a phone that texted cannot be read");
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let ends_so = columns.pan.as_ref().is_some_and(|pan| pan.expose().ends_with(asked.digits()));
            if ends_so && columns.phone.as_ref() == Some(&phone) {
                found.push((*card, columns.version));
            }
        }
        Ok(found)
    }

    async fn number(&self, key: PhoneKey) -> Result<Option<Phone>, EngineFault> {
        let Some(row) = self.engine.store.read(Table::Phone, &key).await? else { return Ok(None) };
        let sealed = row.sealed.iter().find(|(column, _)| column == NUMBER_COLUMN);
        let Some((column, sealed)) = sealed else { return Ok(None) };
        let clear = self.engine.keys.open(Place { row: &key, column }, sealed)?;
        Ok(std::str::from_utf8(&clear).ok().and_then(|text| Phone::parse(text).ok()))
    }

    async fn ask(
        &self,
        card: CardId,
        version: u64,
        admission: AdmissionId,
        not_after: Moment,
    ) -> Result<Requested, EngineFault> {
        let engine = &self.engine;
        let command = Command::Text(TextRequest {
            admission,
            fresh: ChallengeId::random(engine.entropy.as_ref()),
            key_version: engine.keys.pin_version(),
            not_after,
        });
        let job = Job { made_from: Some(version), ..Job::from(command) };
        match engine.tell(card, job).await? {
            Answer::Requested(requested) => Ok(requested),
            other => Err(EngineFault::Row(format!("a text was answered {other:?}"))),
        }
    }

    async fn finish(
        &self,
        key: PhoneKey,
        admission: AdmissionId,
        help: Option<NotSent>,
    ) -> Result<(), EngineFault> {
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            let Some(known) = read(&self.engine, key).await? else { return Ok(()) };
            let mut mobile = known.mobile.clone();
            if !mobile.answered(admission) || self.commit(&known, &mobile, help).await? {
                return Ok(());
            }
        }
        Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
    }

    /// Puts a phone's row in place of the one that was read, with words of help; false if another was first.
    async fn commit(
        &self,
        known: &Known,
        mobile: &ramz_domain::mobile::Mobile,
        help: Option<NotSent>,
    ) -> Result<bool, EngineFault> {
        let engine = &self.engine;
        let (now, mut outbox) = (engine.clock.now(), Vec::new());
        let (expires, leased_until) = (now.plus(limits::HELP_KEPT), now.plus(limits::LEASE));
        if let Some(why) = help {
            let body = Outgoing::Help { why }.encode()?;
            outbox.push(OutboxNew {
                id: ambient::name_in_order(now, engine.entropy.as_ref()),
                body,
                expires,
                leased_until,
            });
        }
        let dispatches: Vec<_> = outbox.iter().map(|new| Dispatch::of(CardId(known.key), new)).collect();
        let swap = swap(engine, known, mobile, outbox)?;
        let won = engine.committer.commit(Change::Swap(swap)).await? == Outcome::Won;
        if won {
            dispatches.into_iter().for_each(|dispatch| engine.dispatch(dispatch));
        }
        Ok(won)
    }

    fn tell(&self, told: Told, began: Instant) {
        let word = match told {
            Told::Card(Requested::Sent(_)) => "sent",
            Told::Card(Requested::AlreadyServed) => "served_before",
            Told::Card(Requested::NotSent(why)) | Told::Help(why) => why.code(),
            Told::Silence(why) => why,
        };
        self.counts.texted(word);
        tracing::info!(outcome = word, ms = hop::ms_since(began), "a text from a phone");
    }
}
