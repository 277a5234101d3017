//! Requests in flight on one connection: how an answer finds its request, and what becomes of those that get none.
//!
//! A request is *queued* until the writer claims it, then *written*: from that moment the other side may have it. This
//! seam decides whether a payment may be taken back, so every step is taken under the owner's lock.

use std::collections::HashMap;

use ramz_iso8583::{EncodeError, Message, Mti, Place};
use tokio::sync::oneshot;

/// Why a request has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// Not sent: the link is not up, or the line could not take the request in the time given.
    #[error("not sent: the link is down")]
    Down,
    /// Not sent: as many requests are in flight as a link takes.
    #[error("not sent: too many requests in flight")]
    Full,
    /// Not sent: a request is in flight whose answer could not be told from this one's.
    #[error("not sent: a request with the same trace number and terminal is in flight")]
    Duplicate,
    /// Not sent: the layout cannot express it, or it has no field 11 to match an answer by.
    #[error("not sent: {0}")]
    Unsendable(#[from] EncodeError),
    /// Sent, and no answer within the time given. A later one is dropped.
    #[error("sent, but not answered in time")]
    TimedOut,
    /// Sent, and the connection ended before an answer.
    #[error("sent, but the connection ended before an answer")]
    Lost,
}

impl AskError {
    /// Whether the other side may have the request. `false` is certain: not one byte of it was written.
    pub fn was_sent(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Lost)
    }
}

/// What the answer of a request resolves to.
pub(crate) type Outcome = Result<Message, AskError>;

/// Fields besides the type and field 11 that an answer must repeat if the request has them.
const REPEATED: [u8; 3] = [32, 37, 41];

/// Response type and trace number: nearly always one flight, and the rest is told apart by [`REPEATED`].
type Key = (Mti, Box<[u8]>);

struct Flight {
    key: Key,
    repeated: [Option<Box<[u8]>>; REPEATED.len()],
    written: bool,
    outcome: oneshot::Sender<Outcome>,
}

/// The requests in flight on one connection.
#[derive(Default)]
pub(crate) struct Flights {
    flights: HashMap<u64, Flight>,
    by_key: HashMap<Key, Vec<u64>>,
}

impl Flights {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Takes a request in as queued, under an id that was never used before.
    pub(crate) fn board(
        &mut self,
        id: u64,
        request: &Message,
    ) -> Result<oneshot::Receiver<Outcome>, AskError> {
        let trace = request.bytes(11).ok_or_else(|| EncodeError {
            place: Place::Field(11),
            expected: "a trace number, to match the answer by".to_owned(),
            found: "nothing".to_owned(),
        })?;
        let key = (request.mti().response(), trace.into());
        let repeated = REPEATED.map(|field| request.bytes(field).map(Into::into));
        let alike = self.by_key.entry(key.clone()).or_default();
        if alike.iter().any(|other| could_share(&self.flights[other].repeated, &repeated)) {
            return Err(AskError::Duplicate);
        }
        alike.push(id);
        let (outcome, receiver) = oneshot::channel();
        self.flights.insert(id, Flight { key, repeated, written: false, outcome });
        Ok(receiver)
    }

    /// Marks a request as written, just before it is. `false`: it was taken back and must not be written.
    pub(crate) fn claim(&mut self, id: u64) -> bool {
        self.flights.get_mut(&id).is_some_and(|flight| {
            flight.written = true;
            true
        })
    }

    /// Hands an answer to whoever waits for it; gives it back if nobody does.
    pub(crate) fn land(&mut self, answer: Message) -> Result<(), Message> {
        let Some(trace) = answer.bytes(11) else { return Err(answer) };
        let key = (answer.mti().response(), trace.into());
        let found = self.by_key.get(&key).and_then(|alike| {
            let answers = |id: &&u64| {
                let flight = &self.flights[*id];
                flight.written
                    && REPEATED
                        .iter()
                        .zip(&flight.repeated)
                        .all(|(field, asked)| asked.is_none() || asked.as_deref() == answer.bytes(*field))
            };
            alike.iter().find(answers).copied()
        });
        match found.and_then(|id| self.remove(id)) {
            Some(flight) => {
                // If the asker has just gone, there is nobody to tell; the answer was on time.
                let _ = flight.outcome.send(Ok(answer));
                Ok(())
            }
            None => Err(answer),
        }
    }

    /// Takes a request back. `Some(true)`: it was written. `None`: it is no longer here, its outcome is decided.
    pub(crate) fn take_back(&mut self, id: u64) -> Option<bool> {
        self.remove(id).map(|flight| flight.written)
    }

    /// Tells every asker that the connection is gone.
    pub(crate) fn end(self) {
        for flight in self.flights.into_values() {
            let outcome = if flight.written { AskError::Lost } else { AskError::Down };
            let _ = flight.outcome.send(Err(outcome));
        }
    }

    fn remove(&mut self, id: u64) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        if let Some(alike) = self.by_key.get_mut(&flight.key) {
            alike.retain(|other| *other != id);
            if alike.is_empty() {
                self.by_key.remove(&flight.key);
            }
        }
        Some(flight)
    }
}

/// Whether one answer could repeat the fields of both.
fn could_share<const N: usize>(one: &[Option<Box<[u8]>>; N], other: &[Option<Box<[u8]>>; N]) -> bool {
    one.iter().zip(other).all(|pair| match pair {
        (Some(one), Some(other)) => one == other,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(mti: &str, fields: &[(u8, &str)]) -> Message {
        let mut message = Message::new(Mti::new(mti).unwrap());
        for (field, value) in fields {
            message.set(*field, *value);
        }
        message
    }

    /// Which of the requests, all written, the answer is given to.
    fn check(requests: &[Message], answer: &Message, expect: Option<usize>) {
        let mut flights = Flights::default();
        let mut receivers = Vec::new();
        for (request, id) in requests.iter().zip(0..) {
            receivers.push(flights.board(id, request).unwrap());
            assert!(flights.claim(id));
        }
        let landed = flights.land(answer.clone()).is_ok();
        let got = receivers.iter_mut().position(|receiver| receiver.try_recv() == Ok(Ok(answer.clone())));
        assert_eq!((landed, got), (expect.is_some(), expect));
        assert_eq!(flights.len(), requests.len() - usize::from(landed));
        assert_eq!(flights.by_key.values().map(Vec::len).sum::<usize>(), flights.len());
    }

    #[test]
    fn an_answer_finds_its_request_by_what_it_repeats() {
        let a = message("0200", &[(11, "000001"), (41, "TERMINAL")]);
        let b = message("0200", &[(11, "000001"), (41, "TERMINA2")]);
        let c = message("0100", &[(11, "000001")]);
        let all = [a, b, c];
        check(&all, &message("0210", &[(11, "000001"), (41, "TERMINA2")]), Some(1));
        check(&all, &message("0210", &[(11, "000001"), (37, "1"), (41, "TERMINAL")]), Some(0));
        check(&all, &message("0110", &[(11, "000001"), (41, "whatever")]), Some(2));
        check(&all, &message("0210", &[(11, "000001")]), None);
        check(&all, &message("0210", &[(11, "000002"), (41, "TERMINAL")]), None);
        check(&all, &message("0430", &[(11, "000001"), (41, "TERMINAL")]), None);
        check(&all, &message("0210", &[(41, "TERMINAL")]), None);
    }

    #[test]
    fn a_repeat_is_answered_as_its_first() {
        let repeat = [message("0201", &[(11, "000001")])];
        check(&repeat, &message("0210", &[(11, "000001")]), Some(0));
        check(&repeat, &message("0211", &[(11, "000001")]), Some(0));
    }

    #[test]
    fn requests_whose_answers_could_not_be_told_apart_do_not_fly_together() {
        let mut flights = Flights::default();
        let _first = flights.board(1, &message("0200", &[(11, "000001"), (41, "TERMINAL")])).unwrap();
        for (mti, fields, alike) in [
            ("0200", vec![(11, "000001"), (41, "TERMINAL")], true),
            ("0201", vec![(11, "000001"), (41, "TERMINAL")], true),
            ("0200", vec![(11, "000001")], true),
            ("0200", vec![(11, "000001"), (37, "000000000001")], true),
            ("0200", vec![(11, "000001"), (41, "TERMINA2")], false),
            ("0200", vec![(11, "000002"), (41, "TERMINAL")], false),
            ("0100", vec![(11, "000001"), (41, "TERMINAL")], false),
        ] {
            let outcome = flights.board(2, &message(mti, &fields)).err();
            assert_eq!(outcome, alike.then_some(AskError::Duplicate), "{mti} {fields:?}");
            flights.take_back(2);
        }
        assert!(matches!(flights.board(3, &message("0200", &[])), Err(AskError::Unsendable(_))));
    }

    #[test]
    fn what_was_not_written_was_not_sent() {
        let mut flights = Flights::default();
        let request = |trace: &str| message("0200", &[(11, trace)]);
        let mut queued = flights.board(1, &request("000001")).unwrap();
        let mut written = flights.board(2, &request("000002")).unwrap();
        let _back = flights.board(3, &request("000003")).unwrap();
        assert!(flights.claim(2));
        assert_eq!(flights.take_back(3), Some(false));
        assert!(!flights.claim(3), "taken back, so it must not be written");
        assert!(flights.land(message("0210", &[(11, "000001")])).is_err(), "not written, so not answered");
        flights.end();
        assert_eq!(queued.try_recv(), Ok(Err(AskError::Down)));
        assert_eq!(written.try_recv(), Ok(Err(AskError::Lost)));
    }

    #[test]
    fn only_two_errors_leave_it_open_whether_the_other_side_has_it() {
        let unsendable =
            AskError::from(EncodeError { place: Place::Mti, expected: String::new(), found: String::new() });
        for error in [AskError::Down, AskError::Full, AskError::Duplicate, unsendable] {
            assert!(!error.was_sent() && error.to_string().starts_with("not sent"));
        }
        assert!(AskError::TimedOut.was_sent() && AskError::Lost.was_sent());
    }
}
