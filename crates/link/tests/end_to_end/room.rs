//! Who finds room on a line: payments, what has its place, reversals.

use std::sync::Arc;
use std::time::Duration;

use ramz_domain::limits;
use ramz_iso8583::Message;
use ramz_link::{AskError, LinkConfig, Place};
use tokio::task::{JoinHandle, JoinSet, yield_now};

use crate::loopback::{
    Asking, Hand, Hold, PATIENCE, Pipes, answer, approved, ask, ask_over, bind, config, nowhere, purchase,
    reversal, until,
};

/// What payments may be at once.
const PAYMENTS: usize = limits::LINK_IN_FLIGHT_MAX - limits::LINK_ROOM_KEPT;

/// Begins to ask.
fn asking(asking: &Asking, request: Message) -> JoinHandle<Result<Message, AskError>> {
    let link = asking.link.clone();
    tokio::spawn(async move { link.ask(request, PATIENCE).await })
}

/// All the places that there are.
fn all_places(asking: &Asking) -> Vec<Place> {
    std::iter::from_fn(|| asking.link.place()).take(2 * PAYMENTS).collect()
}

#[tokio::test]
async fn payments_leave_the_last_places_to_reversals() {
    let host = Arc::new(Hold::default());
    let listening = answer(host.clone(), b"").await;
    let asked = ask(config(listening.address));
    asked.link.came_up().await;
    let mut tasks = JoinSet::new();
    let (payments, most) =
        (u32::try_from(PAYMENTS).unwrap(), u32::try_from(limits::LINK_IN_FLIGHT_MAX).unwrap());
    for trace in 1..=payments {
        let link = asked.link.clone();
        tasks.spawn(async move { link.ask(purchase(trace), PATIENCE).await });
    }
    until("all are asked", || host.len() == PAYMENTS).await;
    assert_eq!(asked.link.ask(purchase(most), PATIENCE).await, Err(AskError::Full));
    assert_eq!(asked.link.ask(purchase(1), PATIENCE).await, Err(AskError::Duplicate), "it is there already");
    for trace in 1..=most - payments {
        let link = asked.link.clone();
        tasks.spawn(async move { link.ask(reversal(trace), PATIENCE).await });
    }
    until("reversals are asked", || host.len() == limits::LINK_IN_FLIGHT_MAX).await;
    assert_eq!(asked.link.ask(reversal(most), PATIENCE).await, Err(AskError::Full));
    host.release();
    while let Some(done) = tasks.join_next().await {
        assert!(done.unwrap().is_ok());
    }
    let next = asking(&asked, purchase(most));
    until("the next is asked", || host.len() == 1).await;
    host.release();
    assert!(next.await.unwrap().is_ok(), "there is room again");
}

#[tokio::test]
async fn a_place_is_kept_until_it_is_asked_with_or_dropped() {
    let (listener, address) = bind().await;
    let asked = ask(config(address));
    assert!(asked.link.place().is_none(), "not before it is up");
    let mut host = Hand::signed_on(&listener).await;
    asked.link.came_up().await;
    let mut places = all_places(&asked);
    assert_eq!(places.len(), PAYMENTS);
    assert_eq!(asked.link.ask(purchase(1), PATIENCE).await, Err(AskError::Full), "the places are kept");
    let undo = asking(&asked, reversal(1));
    assert_eq!(host.read().await, reversal(1));
    host.write(&approved(&reversal(1))).await;
    assert!(undo.await.unwrap().is_ok());

    // Asked with: it is the flight's, until that is answered.
    let place = places.pop().unwrap();
    let paid = tokio::spawn(place.ask(purchase(2), PATIENCE));
    assert_eq!(host.read().await, purchase(2));
    assert!(asked.link.place().is_none());
    host.write(&approved(&purchase(2))).await;
    assert!(paid.await.unwrap().is_ok());
    places.push(asked.link.place().expect("the answer gave it back"));
    assert!(asked.link.place().is_none());

    // Dropped: as it is, before it is polled, while it waits for the answer, and where it cannot be sent.
    drop(places.pop());
    places.push(asked.link.place().expect("dropped"));
    drop(places.pop().unwrap().ask(purchase(3), PATIENCE));
    places.push(asked.link.place().expect("never polled"));
    let given_up = tokio::spawn(places.pop().unwrap().ask(purchase(4), PATIENCE));
    assert_eq!(host.read().await, purchase(4));
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    places.push(asked.link.place().expect("given up"));
    let mut unwritable = purchase(5);
    unwritable.set(4, "12");
    assert!(places.pop().unwrap().ask(unwritable, PATIENCE).await.is_err());
    places.push(asked.link.place().expect("it cannot be written"));
    assert!(asked.link.place().is_none(), "each was given back once");
}

#[tokio::test]
async fn a_line_that_ends_takes_what_is_in_flight_with_it_and_no_place() {
    let (listener, address) = bind().await;
    let asked = ask(config(address));
    let mut host = Hand::signed_on(&listener).await;
    asked.link.came_up().await;
    let mut places = all_places(&asked);
    let in_flight: Vec<_> = (1..=10)
        .zip(places.split_off(PAYMENTS - 10))
        .map(|(trace, place)| tokio::spawn(place.ask(purchase(trace), PATIENCE)))
        .collect();
    for _ in 1..=10 {
        host.read().await;
    }
    drop(host);
    for lost in in_flight {
        assert_eq!(lost.await.unwrap(), Err(AskError::Lost));
    }
    assert!(asked.link.place().is_none(), "down");
    let mut host = Hand::signed_on(&listener).await;
    asked.link.came_up().await;
    let more = all_places(&asked);
    assert_eq!((places.len(), more.len()), (PAYMENTS - 10, 10), "kept over the end, and free again");
    assert_eq!(asked.link.ask(purchase(11), PATIENCE).await, Err(AskError::Full));
    let paid = tokio::spawn(places.pop().unwrap().ask(purchase(12), PATIENCE));
    assert_eq!(host.read().await, purchase(12));
    host.write(&approved(&purchase(12))).await;
    assert!(paid.await.unwrap().is_ok(), "a place of the line before is one on this");
}

#[tokio::test]
async fn who_has_a_place_is_asked_while_the_link_shuts_down() {
    let (listener, address) = bind().await;
    let asked = ask(config(address));
    let mut host = Hand::signed_on(&listener).await;
    asked.link.came_up().await;
    let (place, unused) = (asked.link.place().unwrap(), asked.link.place().unwrap());
    asked.shutdown.cancel();
    assert!(!asked.link.is_up() && asked.link.place().is_none());
    assert_eq!(asked.link.ask(purchase(1), PATIENCE).await, Err(AskError::Down), "nothing new");
    let paid = tokio::spawn(place.ask(purchase(2), PATIENCE));
    assert_eq!(host.read().await, purchase(2));
    host.write(&approved(&purchase(2))).await;
    assert!(paid.await.unwrap().is_ok());
    drop(unused);
    host.agrees_to("002").await;
    host.ended().await;
    asked.link.closed().await;
}

/// A host that stops reading: what was given up on waits for the writer all the same.
#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_move_is_no_room() {
    let (pipes, mut hosts) = Pipes::new();
    let far = Duration::from_secs(3600);
    let asked = ask_over(
        pipes,
        LinkConfig { sign_on: false, echo_every: far, answer_timeout: far, ..config(nowhere()) },
    );
    let mut host = Hand(hosts.recv().await.unwrap());
    host.agrees_to("301").await;
    asked.link.came_up().await;
    let place = asked.link.place().unwrap();
    let mut trace = 0;
    let short = Duration::from_millis(1);
    while asked.link.place().is_some() {
        trace += 1;
        assert!(trace < 10_000, "it is never full");
        assert!(asked.link.ask(purchase(trace), short).await.is_err());
    }
    assert!(trace > 800, "only {trace} were taken");
    assert_eq!(asked.link.ask(purchase(trace + 1), short).await, Err(AskError::Full));
    let kept = tokio::spawn(place.ask(purchase(999_999), PATIENCE));
    yield_now().await;
    loop {
        let request = host.read().await;
        if request.get(11) == Some("999999") {
            host.write(&approved(&request)).await;
            break;
        }
    }
    assert!(kept.await.unwrap().is_ok());
}
