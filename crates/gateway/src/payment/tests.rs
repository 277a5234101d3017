//! The machine, state by state.

use super::*;

const NOW: Moment = Moment::from_unix_ms(1_800_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(20 * 60);

fn payment() -> Payment {
    payment_of(About::plain(PaymentKind::Purchase))
}

fn payment_of(about: About) -> Payment {
    let order = Order {
        merchant: "shop".into(),
        amount: Rial::new(1_250_000).unwrap(),
        order: "A-1".into(),
        description: "کتاب".into(),
        callback: "https://shop.example/back".into(),
        about,
    };
    Payment::new(order, NOW, WINDOW, [7; 16])
}

fn trace() -> Trace {
    Trace { link: "mellat".into(), stan: "000001".into(), rrn: "632800000001".into() }
}

fn receipt() -> Receipt {
    Receipt { trace: trace(), card: "610433******0016".into(), at: NOW, payee: None }
}

fn paid() -> Payment {
    let mut payment = payment();
    payment.begin(trace(), NOW).unwrap();
    payment.approve(receipt(), NOW, WINDOW);
    payment
}

fn press(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// How often the reversal was asked for that a sweeper took.
fn asked(taken: Option<Due>) -> Option<u32> {
    taken.map(|due| due.before)
}

/// One row of each state.
fn all() -> Vec<(&'static str, Payment)> {
    let with = |change: fn(&mut Payment)| {
        let mut payment = payment();
        change(&mut payment);
        payment
    };
    vec![
        ("open", payment()),
        ("authorising", with(|p| p.begin(trace(), NOW).unwrap())),
        ("paid", paid()),
        ("verified", {
            let mut payment = paid();
            payment.verify(payment.amount, NOW).unwrap();
            payment
        }),
        ("reversing", with(|p| p.doubt(trace(), false, NOW))),
        (
            "reversed",
            with(|p| {
                p.doubt(trace(), false, NOW);
                let due = p.sweep(NOW).unwrap();
                p.reversed(&due, NOW);
            }),
        ),
        ("failed", with(|p| p.cancel(NOW).unwrap())),
        ("expired", with(|p| assert_eq!(p.sweep(p.expires), None))),
    ]
}

#[test]
fn every_state_reads_back_and_owes_or_is_forgotten() {
    for (name, payment) in all() {
        assert_eq!(Payment::decode(&payment.encode()).as_ref(), Some(&payment), "{name}");
        assert_eq!(payment.due().is_none(), payment.forget_after().is_some(), "{name}");
    }
    let mut other = payment();
    other.format = 3;
    assert_eq!(Payment::decode(&other.encode()), None);
}

#[test]
fn an_authorisation_begins_in_an_open_payment_only() {
    for (name, mut payment) in all() {
        assert_eq!(payment.begin(trace(), NOW).is_ok(), name == "open", "{name}");
    }
    assert_eq!(payment().begin(trace(), NOW.plus(WINDOW)), Err(Standing::Expired));
}

#[test]
fn only_a_paid_payment_is_verified_and_twice_is_once() {
    let amount = payment().amount;
    for (name, mut payment) in all() {
        assert_eq!(payment.verify(amount, NOW).is_ok(), matches!(name, "paid" | "verified"), "{name}");
    }
    let mut late = paid();
    assert_eq!(late.verify(amount, NOW.plus(WINDOW)), Err(NoVerify::Standing(Standing::Reversing)));
    let mut other = paid();
    let before = other.clone();
    assert_eq!(other.verify(Rial::new(1_250_001).unwrap(), NOW), Err(NoVerify::Amount));
    assert_eq!(other, before);
}

#[test]
fn the_sweeper_reverses_what_is_in_doubt_or_unverified_and_nothing_else() {
    for (name, payment) in all() {
        let late = NOW.plus(WINDOW);
        let mut swept = payment.clone();
        let owed = matches!(name, "authorising" | "paid" | "reversing");
        assert_eq!(asked(swept.sweep(late)), owed.then_some(0), "{name}");
        // What nobody paid in time expires; else nothing changes.
        assert_eq!(swept == payment, !owed && name != "open", "{name}");
        if owed && name != "reversing" {
            let mut early = payment.clone();
            assert_eq!(early.sweep(NOW), None, "{name}");
        }
    }
}

#[test]
fn a_reversal_is_repeated_with_growing_pauses_until_it_is_answered() {
    let mut payment = payment();
    payment.doubt(trace(), false, NOW);
    let mut now = NOW;
    let (mut pauses, mut due) = (Vec::new(), Vec::new());
    for n in 0..9 {
        due.push(payment.sweep(now).unwrap());
        assert_eq!((&due[n].trace, due[n].before as usize), (&trace(), n));
        assert_eq!(payment.sweep(now), None, "leased");
        let next = payment.due().unwrap();
        pauses.push(next.since(now).as_secs());
        now = next;
    }
    assert_eq!(pauses, [15, 20, 30, 50, 90, 170, 310, 310, 310]);
    assert_eq!(payment.standing(now), Standing::Unknown);
    payment.reversed(&due[0], now);
    assert_eq!((payment.standing(now), payment.due()), (Standing::Reversed, None));
}

#[test]
fn a_reversal_that_was_not_sent_is_still_the_first() {
    let mut payment = payment();
    payment.doubt(trace(), false, NOW);
    let due = payment.sweep(NOW).unwrap();
    payment.not_reversed(&due, NOW);
    assert_eq!(payment.sweep(payment.due().unwrap()), Some(due));
}

#[test]
fn an_answer_to_a_reversal_does_not_end_the_one_that_was_begun_anew() {
    for acknowledged in [false, true] {
        let mut payment = payment();
        payment.begin(trace(), NOW).unwrap();
        let late = payment.due().unwrap();
        let first = payment.sweep(late).unwrap();
        if acknowledged {
            payment.reversed(&first, late);
        }
        assert!(payment.reverse_anew(&trace(), true, late));
        let anew = payment.sweep(late).unwrap();
        assert_eq!(anew.before, 0, "a first again, under another number");
        payment.reversed(&first, late);
        payment.not_reversed(&first, late);
        assert_eq!(payment.standing(late), Standing::Reversing, "acknowledged: {acknowledged}");
        assert_eq!(Payment::decode(&payment.encode()).as_ref(), Some(&payment));
        payment.reversed(&anew, late);
        assert_eq!(payment.standing(late), Standing::Reversed);
    }
}

#[test]
fn what_is_known_of_an_approval_is_kept_whoever_swept_it() {
    let begun = || {
        let mut payment = payment();
        payment.begin(trace(), NOW).unwrap();
        payment
    };
    for approved in [false, true] {
        let mut in_doubt = begun();
        in_doubt.doubt(trace(), approved, NOW);
        assert_eq!(in_doubt.was_approved(), approved);
        let mut not_kept = begun();
        assert!(not_kept.reverse_anew(&trace(), approved, NOW));
        assert_eq!(not_kept.was_approved(), approved);
        let mut swept = begun();
        let late = swept.due().unwrap();
        swept.sweep(late).unwrap();
        assert!(swept.reverse_anew(&trace(), approved, late));
        assert_eq!(swept.was_approved(), approved);
    }
    let other = Trace { rrn: "632800000002".into(), ..trace() };
    assert!(!begun().reverse_anew(&other, true, NOW));
    assert!(!paid().reverse_anew(&trace(), true, NOW), "kept after all");
}

#[test]
fn the_same_card_waits_another_need_not_and_five_are_enough() {
    let mut payment = payment();
    let wait = 2 * MINUTE;
    assert_eq!(payment.ask([1; 32], press(1), None, None, wait, NOW), Ok(false));
    for _ in 0..REPEATS_MAX {
        assert_eq!(payment.ask([1; 32], press(1), None, None, wait, NOW), Ok(true), "a repeat of the press");
    }
    let again = payment.ask([1; 32], press(1), None, None, wait, NOW);
    assert_eq!(again, Err(NoAsk::NewPress), "it has come often enough");
    assert_eq!(
        payment.ask([2; 32], press(1), None, None, wait, NOW),
        Err(NoAsk::NewPress),
        "a press is one card's"
    );
    let elsewhere = Some(Digest([7; 32]));
    assert_eq!(
        payment.ask([1; 32], press(1), elsewhere, None, wait, NOW),
        Err(NoAsk::NewPress),
        "or one destination's"
    );
    assert_eq!(payment.ask([1; 32], press(2), None, None, wait, NOW), Err(NoAsk::Wait(NOW.plus(wait))));
    assert_eq!(payment.ask([2; 32], press(3), None, None, wait, NOW), Ok(false));
    assert_eq!(payment.ask([1; 32], press(4), None, None, wait, NOW.plus(wait)), Ok(false));
    payment.not_asked(press(4));
    for n in 5..8 {
        assert_eq!(payment.ask([n; 32], press(n.into()), None, None, wait, NOW), Ok(false));
    }
    assert_eq!(payment.ask([9; 32], press(9), None, None, wait, NOW), Err(NoAsk::NoMore));
    assert_eq!(payment.presses, 6);
}

#[test]
fn refusals_leave_it_open_but_not_for_ever() {
    let mut payment = payment();
    for _ in 0..TRIES_MAX {
        payment.begin(trace(), NOW).unwrap();
        payment.reopen(NOW);
    }
    assert_eq!(payment.standing(NOW), Standing::Failed);
}

#[test]
fn what_is_paid_or_in_flight_cannot_be_cancelled() {
    for (name, mut payment) in all() {
        let may = matches!(name, "open" | "failed" | "expired");
        assert_eq!(payment.cancel(NOW).is_ok(), may, "{name}");
    }
}

#[test]
fn a_row_of_the_first_release_is_a_purchase_and_is_written_as_one() {
    // As the first release encoded it: no member 13, and receipts and presses without their last.
    let mut old = payment();
    old.ask([1; 32], press(1), None, None, MINUTE, NOW).unwrap();
    let encoded = old.encode();
    assert_eq!(encoded[..2], [0x8d, 0x01], "thirteen members, format 1");
    assert_eq!(Payment::decode(&encoded).unwrap().kind(), PaymentKind::Purchase);
    let other = payment_of(About::plain(PaymentKind::Transfer)).encode();
    assert_eq!(other[..2], [0x8e, 0x02], "the first release does not take a transfer for a purchase");
}

#[test]
fn every_kind_reads_back() {
    for kind in PaymentKind::ALL {
        let payment = payment_of(About::plain(kind));
        assert_eq!(Payment::decode(&payment.encode()).unwrap().kind(), kind);
    }
}

/// Through every way an authorisation may end: what moves money is undone, a balance never is.
#[test]
fn whatever_moves_money_is_undone_and_a_balance_never_is() {
    for kind in PaymentKind::ALL {
        let begun = || {
            let mut payment = payment_of(About::plain(kind));
            payment.begin(trace(), NOW).unwrap();
            payment
        };
        let moves = kind != PaymentKind::Balance;
        let mut in_doubt = begun();
        in_doubt.doubt(trace(), false, NOW);
        assert_eq!(in_doubt.sweep(NOW).is_some(), moves, "{kind:?} in doubt");

        let mut crashed = begun();
        let late = crashed.due().unwrap();
        assert_eq!(crashed.sweep(late).is_some(), moves, "{kind:?} after a crash");
        assert_eq!(crashed.standing(NOW) == Standing::Open, !moves, "{kind:?}: a balance may be asked again");

        let mut unverified = begun();
        unverified.approve(receipt(), NOW, WINDOW);
        assert_eq!(unverified.sweep(NOW.plus(WINDOW)).is_some(), moves, "{kind:?} unverified");
        assert_eq!(unverified.standing(NOW.plus(WINDOW)) == Standing::Paid, !moves, "{kind:?}");
    }
}
