//! The phone against a bank that is as strict with proofs and counters as the real one, and loses answers when it is told to.

mod bank;

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::Method;
use ramz_api::app::{Activate, AddCard, Slot};
use ramz_domain::{Moment, Pan, TokenId};

use self::bank::{EXPIRY, START, Scene, URL, code_of, pan, pin, step_of};
use super::*;

#[tokio::test]
async fn a_write_whose_answer_was_lost_never_lends_its_counter() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.lose(1);
    assert_eq!(phone.set_ceiling(card, Slot::Second, 1).await, Err(CallError::TimedOut.into()));
    // Also not after the process has ended there.
    let mut phone = scene.restarted();
    phone.set_ceiling(card, Slot::Second, 1).await.unwrap();
    let books = scene.bank.books();
    let counters: Vec<u64> = books.taken.iter().filter_map(|taken| taken.counter).collect();
    assert_eq!(counters, [1, 2, 3]);
    assert_eq!(books.taken.last().unwrap().method, Method::PUT);
}

#[tokio::test]
async fn what_is_sent_was_kept_before() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    phone.check(card).await.unwrap();
    phone.remove(card).await.unwrap();
    {
        let books = scene.bank.books();
        let counters: Vec<u64> = books.taken.iter().filter_map(|taken| taken.counter).collect();
        assert_eq!((counters.len(), &books.kept_at_arrival), (3, &counters));
    }
    // What cannot be kept is not sent.
    scene.full.store(1, Ordering::Relaxed);
    let asked = scene.bank.books().taken.len();
    assert!(matches!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::NotKept(_))));
    assert_eq!(scene.bank.books().taken.len(), asked);
}

#[tokio::test]
async fn a_card_whose_answer_was_lost_is_added_again_under_the_same_reference_and_seed() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    scene.lose(1);
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(CallError::TimedOut.into()));
    assert!(phone.state().cards().is_empty());
    // Also when the minutes in which it needs no proof have passed meanwhile: the bank has it.
    scene.advance(700);
    let mut phone = scene.restarted();
    phone.add_card(&pan(), EXPIRY).await.unwrap();
    assert_eq!((phone.state().cards().len(), scene.bank.books().tokens.len()), (1, 1));
    let sent = |n: usize| AddCard::parse(&scene.bank.books().taken[n].body).unwrap();
    assert_eq!(sent(1).reference, sent(2).reference);
    assert_ne!(sent(1).seed, sent(2).seed, "sealed anew");
}

#[tokio::test]
async fn a_card_whose_answer_was_lost_comes_with_the_list() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    scene.lose(1);
    phone.add_card(&pan(), EXPIRY).await.unwrap_err();
    phone.cards().await.unwrap();
    let card = phone.state().cards()[0].reference;
    phone.check(card).await.unwrap();
    // And what the bank has no more goes with the list.
    scene.bank.books().tokens.clear();
    phone.cards().await.unwrap();
    assert!(phone.state().cards().is_empty());
}

/// The key of the activation is one that the bank has given up since: a rotation must reach phones that are there.
#[tokio::test]
async fn a_phone_takes_the_banks_newest_receive_key_with_its_cards() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    let activated = phone.state.activated.as_mut().unwrap();
    let newest = (activated.receive_version, activated.receive_key.clone());
    (activated.receive_version, activated.receive_key) = (newest.0 + 7, vec![0; 65]);
    assert!(matches!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::ReceiveKey(_))));
    phone.cards().await.unwrap();
    // It is kept, too.
    let mut phone = scene.restarted();
    let activated = phone.state.activated.as_ref().unwrap();
    assert_eq!((activated.receive_version, activated.receive_key.clone()), newest);
    phone.add_card(&pan(), EXPIRY).await.unwrap();
}

#[tokio::test]
async fn a_card_that_was_refused_begins_anew_the_next_time() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    scene.refuse(Problem::card_not_accepted());
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(Problem::card_not_accepted().into()));
    phone.add_card(&pan(), EXPIRY).await.unwrap();
    let sent = |n: usize| AddCard::parse(&scene.bank.books().taken[n].body).unwrap().reference;
    assert_ne!(sent(1), sent(2));
    // Of one whose first answer was lost a later no says nothing.
    scene.lose(1);
    let other = Pan::parse("6104337000000024").unwrap();
    phone.add_card(&other, EXPIRY).await.unwrap_err();
    scene.refuse(Problem::too_many_requests(3));
    phone.add_card(&other, EXPIRY).await.unwrap_err();
    phone.add_card(&other, EXPIRY).await.unwrap();
    assert_eq!((sent(3), sent(4)), (sent(4), sent(5)));
}

#[tokio::test]
async fn after_ten_minutes_a_card_is_added_with_another_ones_control_code() {
    let scene = Scene::new();
    let (mut phone, first) = scene.with_card().await;
    scene.advance(700);
    let other = Pan::parse("6104337000000024").unwrap();
    phone.add_card(&other, EXPIRY).await.unwrap();
    let sent = AddCard::parse(&scene.bank.books().taken.last().unwrap().body).unwrap();
    let control = sent.control.unwrap();
    let now = scene.bank.clock.now();
    let seed = scene.bank.books().tokens[0].1.clone();
    assert_eq!((control.card, control.code.expose()), (first, &*code_of(&seed, "90000000", step_of(now))));
    // Without any card there is nothing to prove by, and nothing is sent.
    let alone = Scene::new();
    let mut phone = alone.activated().await;
    alone.advance(700);
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::NoControl));
    assert_eq!(alone.bank.books().taken.len(), 1);
}

#[tokio::test]
async fn codes_are_those_of_the_suite_for_slot_ceiling_and_minute() {
    let scene = Scene::new();
    let (phone, card) = scene.with_card().await;
    let seed = scene.bank.books().tokens[0].1.clone();
    for minute in [0, 1, 60 * 24 * 365] {
        let now = START.plus(Duration::from_secs(60 * minute));
        for (slot, ceiling, question) in [
            (Slot::First, 0, "10000000"),
            (Slot::First, 2, "10020000"),
            (Slot::Second, 0, "20000000"),
            (Slot::Second, 1, "20010000"),
        ] {
            let code = phone.code(card, slot, ceiling, now).unwrap();
            assert_eq!(code.pin.expose(), code_of(&seed, question, step_of(now)));
        }
        let control = phone.control_code(card, now).unwrap();
        assert_eq!(control.pin.expose(), code_of(&seed, "90000000", step_of(now)));
    }
    assert_eq!(phone.code(card, Slot::First, 3, START).unwrap_err(), PhoneError::NoStep { step: 3, most: 2 });
    assert_eq!(phone.code(TokenId([0; 16]), Slot::First, 0, START).unwrap_err(), PhoneError::NoCard);
}

#[tokio::test]
async fn a_code_says_how_long_it_is_shown() {
    let (phone, card) = Scene::new().with_card().await;
    // START is the 0th second of a minute.
    for (after_ms, left_s) in [(0, 60), (1, 60), (1_000, 59), (59_001, 1), (59_999, 1), (60_000, 60)] {
        let code = phone.code(card, Slot::Second, 0, START.plus(Duration::from_millis(after_ms))).unwrap();
        assert_eq!(code.left_s, left_s, "after {after_ms} ms");
        assert_eq!(code.until.unix_ms() % 60_000, 0);
    }
}

#[tokio::test]
async fn a_phone_whose_clock_is_wrong_goes_by_the_banks() {
    for phone_s_off in [-86_400 * 30, -600, 45, 3600] {
        let wrong = Moment::from_unix_ms(START.unix_ms().saturating_add_signed(phone_s_off * 1000));
        let scene = Scene::with_clocks(START, wrong);
        let (mut phone, card) = scene.with_card().await;
        phone.check(card).await.unwrap();
        // Its clock is put right, and it does not know: the next request is not of the bank's time.
        let ahead = Duration::from_secs(7200);
        scene.clock.advance(ahead);
        scene.bank.clock.advance(Duration::from_secs(60));
        assert_eq!(phone.check(card).await, Err(Problem::clock_is_off().into()));
        phone.sync_time().await.unwrap();
        let mut phone = scene.restarted();
        phone.resync(card).await.unwrap_err();
        scene.advance(60);
        phone.check(card).await.unwrap();
    }
}

#[tokio::test]
async fn a_phone_that_slept_over_an_answer_asks_once_more_and_learns_nothing_from_the_first() {
    for asleep in [2400, -3600] {
        let scene = Scene::new();
        let (mut phone, card) = scene.with_card().await;
        scene.bank.books().sleeps = vec![asleep];
        phone.sync_time().await.unwrap();
        scene.bank.clock.advance(Duration::from_secs(60));
        scene.clock.advance(Duration::from_secs(60));
        phone.check(card).await.unwrap();
        // One that sleeps over both is as one without a network, and what it knew stays.
        let known = scene.restarted().bank_time();
        scene.bank.books().sleeps = vec![-asleep, asleep];
        assert_eq!(phone.sync_time().await, Err(CallError::TimedOut.into()), "{asleep}");
        assert_eq!(scene.restarted().bank_time(), known);
        scene.bank.books().sleeps = vec![asleep];
        phone.cards().await.unwrap();
        assert!(
            scene.restarted().bank_time() != known,
            "its clock was turned, and a list that took so long says nothing of it"
        );
    }
    let scene = Scene::new();
    scene.bank.books().sleeps = vec![2400];
    let mut phone = scene.activated().await;
    phone.add_card(&pan(), EXPIRY).await.unwrap();
    scene.advance(60);
    let card = phone.state().cards()[0].reference;
    phone.check(card).await.unwrap();
}

#[tokio::test]
async fn additions_that_came_nowhere_are_over_with_the_list() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    for n in 0..16 {
        scene.bank.books().block = 1;
        let other = (0..10).find_map(|last| Pan::parse(&format!("6104337000001{n:02}{last}")).ok()).unwrap();
        assert_eq!(phone.add_card(&other, EXPIRY).await, Err(CallError::TimedOut.into()));
    }
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::TooManyPending));
    phone.cards().await.unwrap();
    phone.add_card(&pan(), EXPIRY).await.unwrap();
    // One that comes there after the list was asked for has no seed here: it goes, and can be added.
    scene.bank.books().tokens.push((TokenId([9; 16]), vec![0; 32]));
    assert_eq!(phone.cards().await.unwrap().cards.len(), 1);
    assert_eq!(scene.bank.books().tokens.len(), 1);
}

#[tokio::test]
async fn a_control_code_is_sent_once() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.advance(20);
    scene.lose(1);
    phone.check(card).await.unwrap_err();
    // Perhaps it arrived. The bank is not asked with the same one again.
    let mut phone = scene.restarted();
    assert_eq!(phone.check(card).await, Err(PhoneError::CodeUsed { again_in_s: 40 }));
    // Two in a row need two unused ones.
    scene.advance(40);
    assert_eq!(phone.resync(card).await, Err(PhoneError::CodeUsed { again_in_s: 60 }));
    scene.advance(60);
    phone.resync(card).await.unwrap();
    assert_eq!(phone.check(card).await, Err(PhoneError::CodeUsed { again_in_s: 60 }));
}

#[tokio::test]
async fn a_ceiling_is_lowered_without_a_control_code_and_raised_with_one() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    phone.set_ceiling(card, Slot::Second, 1).await.unwrap();
    assert!(scene.bank.books().controls.is_empty());
    phone.set_ceiling(card, Slot::Second, 2).await.unwrap();
    assert_eq!(scene.bank.books().controls.len(), 1);
    assert_eq!(phone.state().card(card).unwrap().second, SlotTold { on: true, ceiling: 2 });
    let too_high = phone.set_ceiling(card, Slot::Second, 3).await;
    assert_eq!(too_high, Err(PhoneError::NoStep { step: 3, most: 2 }));
}

#[tokio::test]
async fn a_card_that_the_bank_has_no_more_is_taken_off_all_the_same() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.lose(1);
    phone.remove(card).await.unwrap_err();
    assert_eq!(phone.state().cards().len(), 1);
    phone.remove(card).await.unwrap();
    assert!(phone.state().cards().is_empty() && scene.restarted().state().cards().is_empty());
}

#[tokio::test]
async fn an_activation_is_repeated_with_the_same_key() {
    let scene = Scene::new();
    let mut phone = scene.phone(PhoneState::new(URL, scene.entropy.as_ref()));
    scene.lose(1);
    phone.activate(&pin("12345678"), &pin("87654321"), "test").await.unwrap_err();
    let mut phone = scene.restarted();
    phone.activate(&pin("12345678"), &pin("87654321"), "test").await.unwrap();
    let key = |n: usize| Activate::parse(&scene.bank.books().taken[n].body).unwrap().device_key;
    assert_eq!(key(0), key(1));
    let again = phone.activate(&pin("12345678"), &pin("87654321"), "test").await.map(drop);
    assert_eq!(again, Err(PhoneError::AlreadyActivated));
}

#[tokio::test]
async fn what_a_phone_knows_comes_back_and_nothing_of_it_is_printed() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.lose(1);
    phone.add_card(&Pan::parse("6104337000000024").unwrap(), EXPIRY).await.unwrap_err();
    let state = PhoneState::decode(&phone.state().encode()).unwrap();
    assert_eq!(*state.encode(), *phone.state().encode());
    assert_eq!((state.cards().len(), state.card(card).unwrap().ending.as_str()), (1, "0016"));
    let shown = format!("{phone:?} {state:?} {:?} {:?}", state.cards(), state.cards()[0].seed);
    assert_eq!(shown.matches("Secret(…)").count(), 1, "{shown}");
    let seed = &scene.bank.books().tokens[0].1;
    for secret in
        [format!("{seed:?}"), format!("{:?}", &seed[..4]), format!("{:02x}{:02x}", seed[0], seed[1])]
    {
        assert!(!shown.contains(secret.trim_matches(['[', ']'])), "{shown}");
    }
    let activated = state.activated().unwrap();
    assert_eq!(format!("{state:?}"), format!("PhoneState({}, 1 cards)", activated.device));
    // Bytes that are none.
    let bytes = phone.state().encode();
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(PhoneState::decode(&bytes[..cut]), Err(StateError::Unreadable(_))), "{cut}");
    }
}

#[tokio::test]
async fn before_its_activation_a_phone_asks_for_nothing() {
    let scene = Scene::new();
    let mut phone = scene.phone(PhoneState::new(URL, scene.entropy.as_ref()));
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::NotActivated));
    assert_eq!(phone.cards().await, Err(PhoneError::NotActivated));
    assert!(scene.bank.books().taken.is_empty());
    assert_eq!(format!("{phone:?}"), "Phone(PhoneState(not activated))");
}
