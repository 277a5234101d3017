//! Banks that do not answer, or not at once.

use std::sync::atomic::Ordering;

use ramz_sim::terminal::{Patience, Service, Unanswered};

use crate::issuer::{Branch, CARD, PIN, RECEIPT_HALF, SHORT};

#[tokio::test]
async fn an_answer_that_was_lost_is_had_by_the_repeat() {
    let patience = Patience { answer: SHORT.answer, ..Patience::default() };
    for layout in ["ascii", "bcd"] {
        let branch = Branch::open(layout, patience).await;
        branch.issuer.silent_for.store(1, Ordering::SeqCst);
        let answer = branch.ask(CARD, PIN, Service::ActivateApp, None).await.unwrap();
        assert_eq!(answer.receipt_half.as_deref(), Some(RECEIPT_HALF));
        let asked = branch.issuer.asked();
        assert_eq!([&asked[0][0], &asked[1][0]], ["0600", "0601"]);
        assert_eq!(asked[0][1..], asked[1][1..], "the repeat is the same request");
    }
}

#[tokio::test]
async fn a_bank_that_is_silent_twice_does_not_answer_and_may_have_done_it() {
    let branch = Branch::open("ascii", SHORT).await;
    branch.issuer.silent_for.store(u64::MAX, Ordering::SeqCst);
    let silence = branch.ask(CARD, PIN, Service::Unlock, None).await.unwrap_err();
    assert!(matches!(silence, Unanswered::NoAnswer(_)), "{silence:?}");
    assert!(silence.to_string().starts_with("the bank does not answer: it was asked twice"), "{silence}");
    assert_eq!(branch.issuer.asked().len(), 2);
}

#[tokio::test]
async fn a_bank_that_cannot_be_reached_was_not_asked() {
    let branch = Branch::open("ascii", SHORT).await;
    branch.issuer_goes.cancel();
    // The link learns it when its connection ends; until then it may still be asked.
    loop {
        match branch.ask(CARD, PIN, Service::Unlock, None).await {
            Err(down @ Unanswered::NotAsked(_)) => {
                assert!(
                    down.to_string().starts_with("the bank does not answer: it cannot be reached"),
                    "{down}"
                );
                return;
            }
            Ok(_) | Err(Unanswered::NoAnswer(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}
