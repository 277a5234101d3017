//! Payments with the card in the machine: answered, refused, and undone when they are not answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ramz_iso8583::Message;
use ramz_sim::terminal::{Machine, Patience, Payment, Reversal, Unanswered};

use crate::issuer::{
    BALANCE, Branch, IN_PART, OTHER_AMOUNT, PIN, SHORT, TOO_LATE, UNREADABLE, WITH_IDENTIFICATION, pay_at,
};

/// A bank that takes its time, and does not: repeats and reversals are quick.
const QUICK_AGAIN: Patience = SHORT;

fn types(seen: &[Message]) -> Vec<String> {
    seen.iter().map(|message| message.mti().to_string()).collect()
}

#[tokio::test]
async fn cash_goods_and_balance_are_asked_for_over_both_layouts() {
    for layout in ["ascii", "bcd"] {
        for (machine, payment, amount, code, category) in [
            (Machine::Atm, Payment::Withdrawal, Some(1_000_000), "010000", "6011"),
            (Machine::Atm, Payment::Balance, None, "310000", "6011"),
            (Machine::Pos, Payment::Purchase, Some(12_345), "000000", "5411"),
        ] {
            let branch = Branch::with(layout, Patience::default(), machine).await;
            let paid = pay_at(&branch.terminal, PIN, payment, amount).await.unwrap();
            assert!(paid.is_done() && paid.reversal.is_none(), "{paid:?}");
            assert_eq!(paid.amount, amount.unwrap_or(0));
            let told = (payment == Payment::Balance).then_some(i64::try_from(BALANCE).unwrap());
            assert_eq!(paid.balance, told);
            let seen = branch.issuer.seen.lock().unwrap();
            assert_eq!(types(&seen), ["0200"], "{layout} {payment:?}");
            let (de3, de18, de22) = (seen[0].get(3), seen[0].get(18), seen[0].get(22));
            assert_eq!((de3, de18, de22), (Some(code), Some(category), Some("051")));
            assert_eq!(seen[0].get(4), Some(format!("{:012}", amount.unwrap_or(0)).as_str()));
            assert_eq!(seen[0].get(37), Some(paid.rrn.as_str()));
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_the_banks_words_and_nothing_is_undone() {
    let branch = Branch::with("ascii", Patience::default(), Machine::Pos).await;
    let wrong = pay_at(&branch.terminal, "4321", Payment::Purchase, Some(1)).await.unwrap();
    assert_eq!((wrong.response_code.as_deref(), wrong.refusal.as_deref()), (Some("55"), Some("wrong_pin")));
    assert_eq!(wrong.show.as_deref(), Some("رمز را از برنامه بخوانید."));
    let poor = pay_at(&branch.terminal, PIN, Payment::Purchase, Some(BALANCE + 1)).await.unwrap();
    assert_eq!(
        (poor.response_code.as_deref(), poor.reason),
        (Some("51"), "There is not enough on the card.")
    );
    // A dynamic first PIN has seven digits: as many as it has go out.
    let dynamic = pay_at(&branch.terminal, "1234567", Payment::Purchase, Some(1)).await.unwrap();
    assert_eq!(dynamic.response_code.as_deref(), Some("55"));
    assert_eq!(types(&branch.issuer.seen.lock().unwrap()), ["0200"; 3]);
}

#[tokio::test]
async fn a_payment_without_an_answer_is_reversed_and_never_repeated() {
    for layout in ["ascii", "bcd"] {
        let branch = Branch::with(layout, QUICK_AGAIN, Machine::Atm).await;
        branch.issuer.silent_for.store(1, Ordering::SeqCst);
        let paid = pay_at(&branch.terminal, PIN, Payment::Withdrawal, Some(500_000)).await.unwrap();
        assert_eq!((paid.response_code.as_deref(), paid.reversal), (None, Some(Reversal::Acknowledged)));
        assert!(paid.reason.contains("Nothing was taken"), "{}", paid.reason);
        let seen = branch.issuer.seen.lock().unwrap();
        assert_eq!(types(&seen), ["0200", "0420"]);
        let (payment, reversal) = (&seen[0], &seen[1]);
        let part = |field: u8| payment.get(field).unwrap();
        let named = format!("0200{}{}00581672061{:0>11}", part(11), part(7), "");
        assert_eq!(reversal.get(90), Some(named.as_str()));
        assert_ne!(reversal.get(11), payment.get(11));
        for field in [2, 3, 4, 37, 41] {
            assert_eq!(reversal.get(field), payment.get(field), "field {field}");
        }
        assert!(!reversal.has(52));
    }
}

#[tokio::test]
async fn a_reversal_that_is_not_acknowledged_is_sent_again_as_the_same() {
    let branch = Branch::with("ascii", QUICK_AGAIN, Machine::Pos).await;
    branch.issuer.silent_for.store(3, Ordering::SeqCst);
    let paid = pay_at(&branch.terminal, PIN, Payment::Purchase, Some(12_345)).await.unwrap();
    assert_eq!(paid.reversal, Some(Reversal::Acknowledged));
    let seen = branch.issuer.seen.lock().unwrap();
    assert_eq!(types(&seen), ["0200", "0420", "0421", "0421"]);
    assert_eq!((seen[1].get(11), seen[1].get(90)), (seen[3].get(11), seen[3].get(90)));
}

#[tokio::test]
async fn a_customer_is_told_that_the_reversal_is_pending_and_it_goes_on_beside() {
    let branch = Branch::with("ascii", QUICK_AGAIN, Machine::Pos).await;
    branch.issuer.silent_for.store(u64::MAX, Ordering::SeqCst);
    let paid = pay_at(&branch.terminal, PIN, Payment::Purchase, Some(12_345)).await.unwrap();
    assert_eq!((paid.response_code.as_deref(), paid.reversal), (None, Some(Reversal::Pending)));
    assert!(paid.reason.contains("has not acknowledged the reversal"), "{}", paid.reason);
    branch.issuer.has_seen(6).await;
    branch.issuer.silent_for.store(0, Ordering::SeqCst);
    let seen = types(&branch.issuer.seen.lock().unwrap());
    assert_eq!(seen[..4], ["0200", "0420", "0421", "0421"]);
}

#[tokio::test]
async fn an_answer_that_is_neither_yes_nor_no_is_undone() {
    for amount in [UNREADABLE, IN_PART, WITH_IDENTIFICATION, OTHER_AMOUNT, TOO_LATE] {
        let branch = Branch::with("ascii", QUICK_AGAIN, Machine::Atm).await;
        let paid = pay_at(&branch.terminal, PIN, Payment::Withdrawal, Some(amount)).await.unwrap();
        let told = (paid.response_code.as_deref(), paid.reversal);
        assert_eq!(told, (None, Some(Reversal::Acknowledged)), "{amount}");
        assert_eq!(types(&branch.issuer.seen.lock().unwrap()), ["0200", "0420"], "{amount}");
    }
}

#[tokio::test]
async fn an_approval_that_nobody_waits_for_is_undone() {
    let branch = Branch::with("ascii", Patience::default(), Machine::Atm).await;
    branch.issuer.held.send_replace(true);
    let terminal = Arc::clone(&branch.terminal);
    let customer =
        tokio::spawn(
            async move { pay_at(&terminal, PIN, Payment::Withdrawal, Some(500_000)).await.map(|_| ()) },
        );
    branch.issuer.has_seen(1).await;
    customer.abort();
    assert!(customer.await.unwrap_err().is_cancelled());
    branch.issuer.held.send_replace(false);
    branch.issuer.has_seen(2).await;
    assert_eq!(types(&branch.issuer.seen.lock().unwrap()), ["0200", "0420"]);
}

#[tokio::test]
async fn a_balance_moves_nothing_and_is_not_reversed() {
    let branch = Branch::with("ascii", SHORT, Machine::Atm).await;
    branch.issuer.silent_for.store(1, Ordering::SeqCst);
    let told = pay_at(&branch.terminal, PIN, Payment::Balance, None).await.unwrap();
    assert_eq!((told.response_code.as_deref(), told.reversal, told.balance), (None, None, None));
    // Were something sent after it, it would have come before this.
    pay_at(&branch.terminal, PIN, Payment::Balance, None).await.unwrap();
    assert_eq!(types(&branch.issuer.seen.lock().unwrap()), ["0200", "0200"]);
}

#[tokio::test]
async fn what_was_not_sent_is_not_reversed() {
    let branch = Branch::with("ascii", SHORT, Machine::Pos).await;
    branch.issuer_goes.cancel();
    // The link learns it when its connection ends; until then it may still be asked.
    loop {
        match pay_at(&branch.terminal, PIN, Payment::Purchase, Some(1)).await {
            Err(Unanswered::NotAsked(_)) => break,
            Ok(_) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}
