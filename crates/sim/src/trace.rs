//! The live trace: a tap that keeps the last facts in memory and streams new ones to whoever watches.
//!
//! * `GET /trace?after=n` — what is kept after number *n*, as JSON;
//! * `GET /trace/stream?after=n` — the same and then every new fact, as server-sent events (WHATWG HTML, 9.2).
//!   A browser that reconnects names the last number it saw in `Last-Event-ID`, and misses nothing that is still kept.
//!
//! Not here: masking. A fact is masked by the room that tells it; this room only bounds how much of it is kept.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_util::{Stream, stream};
use ramz_api::{
    problem::{FieldError, Problem},
    tap::{Fact, Tap},
};
use ramz_domain::Clock;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Facts kept: about thirty payments.
pub const FACTS_MAX: usize = 500;
/// Fields kept of one fact: ISO 8583 has 128.
pub const FIELDS_MAX: usize = 128;
/// Characters kept of one title, name or value.
pub const TEXT_CHARS_MAX: usize = 400;
/// News a slow watcher may be behind before it reads from what is kept instead.
const NEWS_MAX: usize = 64;
/// A silent stream says that it lives this often, so that a dead one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A fact as it is kept: numbered from 1 without gaps, with the instant it was told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Seen {
    /// Its number.
    pub seq: u64,
    /// When it was told, milliseconds since the Unix epoch by the lab's clock.
    pub at_ms: u64,
    /// What was seen.
    #[serde(flatten)]
    pub fact: Fact,
}

/// The last [`FACTS_MAX`] facts, and a stream of new ones.
pub struct Trace {
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
    news: broadcast::Sender<u64>,
    ended: CancellationToken,
}

#[derive(Default)]
struct Kept {
    last: u64,
    facts: VecDeque<Arc<Seen>>,
}

impl Trace {
    /// An empty trace whose facts are dated by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Trace> {
        Arc::new(Trace {
            clock,
            kept: Mutex::default(),
            news: broadcast::Sender::new(NEWS_MAX),
            ended: CancellationToken::new(),
        })
    }

    /// What is kept and has a number above `seq`, oldest first.
    pub fn after(&self, seq: u64) -> Vec<Arc<Seen>> {
        self.kept().facts.iter().filter(|seen| seen.seq > seq).cloned().collect()
    }

    /// The number of the newest fact; 0 before the first.
    pub fn last(&self) -> u64 {
        self.kept().last
    }

    /// Ends every stream, now and later. A server that drains before it stops would wait for them.
    pub fn end_streams(&self) {
        self.ended.cancel();
    }

    /// Every fact above `seq`: those kept at once, then each new one. A watcher slower than the news jumps to what
    /// is still kept; a step of more than one in the numbers shows it what it missed.
    pub fn watch(self: Arc<Trace>, seq: u64) -> impl Stream<Item = Arc<Seen>> + Send + use<> {
        let news = self.news.subscribe();
        let ready = VecDeque::from(self.after(seq));
        stream::unfold((self, news, ready, seq), |(trace, mut news, mut ready, mut seq)| async move {
            loop {
                if let Some(seen) = ready.pop_front() {
                    seq = seen.seq;
                    return Some((seen, (trace, news, ready, seq)));
                }
                match trace.ended.run_until_cancelled(news.recv()).await? {
                    Ok(told) if told <= seq => {}
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => ready = trace.after(seq).into(),
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
    }

    /// A thread that panicked while it held the lock left a whole ring behind: each change below is complete.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Trace {
    fn tell(&self, fact: Fact) {
        let fact = bounded(fact);
        let mut kept = self.kept();
        kept.last += 1;
        let seen = Seen { seq: kept.last, at_ms: self.clock.now().unix_ms(), fact };
        if kept.facts.len() == FACTS_MAX {
            kept.facts.pop_front();
        }
        kept.facts.push_back(Arc::new(seen));
        // Nobody listening is no error; sending under the lock keeps the news in order.
        let _ = self.news.send(kept.last);
    }
}

fn bounded(mut fact: Fact) -> Fact {
    fact.fields.truncate(FIELDS_MAX);
    let texts = fact.fields.iter_mut().flat_map(|(name, value)| [name, value]);
    for text in texts.chain([&mut fact.from, &mut fact.to, &mut fact.title]) {
        if let Some((at, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
            text.truncate(at);
            text.push('…');
        }
    }
    fact
}

/// The routes `/trace` and `/trace/stream`.
pub fn router(trace: Arc<Trace>) -> Router {
    Router::new().route("/trace", get(list)).route("/trace/stream", get(follow)).with_state(trace)
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

impl After {
    /// The number to start after. A watcher that knows a number not given yet saw an earlier lab: it gets everything.
    fn of(query: Result<Query<After>, QueryRejection>, trace: &Trace) -> Result<u64, Problem> {
        let expected = "Write `after` as the number of the last fact you have: a whole number from 0.";
        let Query(After { after }) =
            query.map_err(|_| Problem::malformed(vec![FieldError::new("/after", expected)]))?;
        Ok(if after > trace.last() { 0 } else { after })
    }
}

async fn list(
    State(trace): State<Arc<Trace>>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Response, Problem> {
    let after = After::of(query, &trace)?;
    let facts = trace.after(after);
    let last = facts.last().map_or(after, |seen| seen.seq);
    let facts: Vec<&Seen> = facts.iter().map(AsRef::as_ref).collect();
    let body = Json(serde_json::json!({ "last": last, "facts": facts }));
    Ok(([(header::CACHE_CONTROL, "no-store")], body).into_response())
}

async fn follow(
    State(trace): State<Arc<Trace>>,
    headers: HeaderMap,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Response, Problem> {
    let last_event = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let query = last_event.map_or(query, |after| Ok(Query(After { after })));
    let facts = trace.clone().watch(After::of(query, &trace)?);
    let events = futures_util::StreamExt::map(facts, |seen| Ok::<_, Infallible>(event(&seen)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn event(seen: &Seen) -> Event {
    let event = Event::default().id(seen.seq.to_string());
    event.json_data(seen).expect("strings and numbers are always JSON")
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use futures_util::{FutureExt, StreamExt};
    use ramz_domain::Moment;

    use super::*;
    use crate::portal::tests::{StillClock, get_json, send};

    fn trace() -> Arc<Trace> {
        Trace::new(Arc::new(StillClock(Moment::from_unix_ms(1_000))))
    }

    fn fact(title: &str) -> Fact {
        Fact {
            from: "page".into(),
            to: "router".into(),
            wire: "HTTP",
            title: title.into(),
            fields: vec![("kind".into(), "purchase".into())],
        }
    }

    #[test]
    fn only_the_last_facts_are_kept_and_their_numbers_go_on() {
        let trace = trace();
        (0..FACTS_MAX + 7).for_each(|i| trace.tell(fact(&i.to_string())));
        let kept = trace.after(0);
        assert_eq!((kept.len(), kept[0].seq, trace.last()), (FACTS_MAX, 8, 507));
        assert_eq!(trace.after(505).iter().map(|s| s.seq).collect::<Vec<_>>(), [506, 507]);
    }

    #[test]
    fn an_oversized_fact_is_cut() {
        let trace = trace();
        let long = "ر".repeat(TEXT_CHARS_MAX + 1);
        trace.tell(Fact { fields: vec![(long.clone(), long.clone()); 200], ..fact(&long) });
        let fact = &trace.after(0)[0].fact;
        assert_eq!(fact.fields.len(), FIELDS_MAX);
        for text in [&fact.title, &fact.fields[0].0, &fact.fields[0].1] {
            assert_eq!((text.chars().count(), text.ends_with('…')), (TEXT_CHARS_MAX + 1, true));
        }
    }

    #[tokio::test]
    async fn a_watcher_gets_what_is_kept_and_then_what_is_new() {
        let trace = trace();
        trace.tell(fact("one"));
        trace.tell(fact("two"));
        let mut watch = Box::pin(trace.clone().watch(1));
        assert_eq!(watch.next().await.unwrap().fact.title, "two");
        assert!(watch.next().now_or_never().is_none());
        trace.tell(fact("three"));
        assert_eq!(watch.next().await.unwrap().fact.title, "three");
    }

    #[tokio::test]
    async fn a_slow_watcher_misses_nothing_that_is_kept() {
        let trace = trace();
        let mut watch = Box::pin(trace.clone().watch(0));
        (0..NEWS_MAX * 3).for_each(|i| trace.tell(fact(&i.to_string())));
        for seq in 1..=(NEWS_MAX as u64) * 3 {
            assert_eq!(watch.next().await.unwrap().seq, seq);
        }
        assert!(watch.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_list_starts_after_a_number() {
        let trace = trace();
        trace.tell(fact("one"));
        trace.tell(fact("two"));
        let (status, json) = get_json(&router(trace.clone()), "/trace?after=1").await;
        assert_eq!(status, 200);
        assert_eq!(
            json,
            serde_json::json!({ "last": 2, "facts": [{ "seq": 2, "at_ms": 1000, "from": "page", "to": "router",
                "wire": "HTTP", "title": "two", "fields": [["kind", "purchase"]] }] })
        );
        let (status, json) = get_json(&router(trace), "/trace?after=-1").await;
        assert_eq!((status.as_u16(), &json["type"]), (400, &"/problems/malformed".into()));
    }

    #[tokio::test]
    async fn a_watcher_of_an_earlier_lab_starts_anew() {
        let trace = trace();
        trace.tell(fact("one"));
        let (_, json) = get_json(&router(trace), "/trace?after=300").await;
        assert_eq!((&json["last"], &json["facts"][0]["title"]), (&1.into(), &"one".into()));
    }

    #[tokio::test]
    async fn streams_end_when_they_are_told_to() {
        let trace = trace();
        let mut watch = Box::pin(trace.clone().watch(0));
        assert!(watch.next().now_or_never().is_none());
        trace.end_streams();
        assert_eq!(watch.next().await, None);
    }

    #[tokio::test]
    async fn a_stream_that_reconnects_goes_on_where_it_was() {
        let trace = trace();
        for title in ["one", "two", "three"] {
            trace.tell(fact(title));
        }
        let request = Request::get("/trace/stream").header("last-event-id", "2").body(Body::empty()).unwrap();
        let response = send(&router(trace), request).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let first = response.into_body().into_data_stream().next().await.unwrap().unwrap();
        let text = String::from_utf8(first.to_vec()).unwrap();
        assert!(text.contains("id: 3\n") && text.contains("\"title\":\"three\""), "{text}");
    }
}
