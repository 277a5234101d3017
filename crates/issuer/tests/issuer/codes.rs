//! Codes of the app at the switch: in payments on the web, at cash machines and in shops, and at terminals.

use ramz_domain::card::{Purpose, step_at};
use ramz_iso8583::Message;
use ramz_iso8583::de48::{self, SHOW};

use crate::bank::{Bank, CARD, FIRST_PIN, Node, OTHER_CARD, Told, on_both_stores, same};
use crate::messages::{Wish, code, pan, refusal, repeated, reversal, set_pin};
use crate::phone::Phone;
use crate::terminal::service;

on_both_stores! {
    a_code_pays_once_and_the_host_sees_none,
    of_64_tries_with_one_code_one_pays,
    of_64_tries_on_two_nodes_one_pays,
    a_lower_ceiling_is_61_and_used_up,
    a_control_code_never_pays,
    a_clock_that_is_ten_minutes_off_is_told_so,
    a_dynamic_first_pin_pays_at_cash_machine_and_shop,
    a_terminal_service_takes_the_dynamic_first_pin,
    a_repeat_of_a_service_that_switches_the_first_pin_gets_the_same_code,
    a_repeat_of_a_service_is_no_free_guess,
    a_code_vouches_for_no_other_cards_track,
    a_lost_phone_is_no_dead_end,
    a_repeat_and_a_reversal_revive_nothing,
    what_was_answered_is_answered_again_whatever_was_switched_since,
    another_bill_under_the_same_numbers_is_another_transaction,
}

/// Neither a PIN block nor anything but the word that it was right.
fn the_host_saw_no_pin(bank: &Bank) -> Told {
    let seen = bank.host_trace.last("host", "0200").ok_or("the host saw nothing")?;
    let block = seen.fields.iter().any(|(name, _)| name.starts_with("52 "));
    same(block, false, "a PIN block for the host")
}

/// A payment where the card is read.
pub(crate) fn read(bank: &Bank, n: u32, kind: &'static str, amount: u64, pin: &str) -> Message {
    let mut message = Wish::purchase(amount).of(kind).message(&pan(n));
    message.set(22, "051");
    set_pin(&mut message, pin, &bank.soft);
    message
}

/// The card's first PIN becomes the app's.
pub(crate) async fn make_first_pin_dynamic(bank: &Bank, node: &Node, n: u32) -> Told {
    same(
        code(&node.ask(&service(bank, n, "930000", FIRST_PIN)).await?),
        "00".into(),
        "the first PIN is dynamic",
    )
}

pub(crate) async fn a_code_pays_once_and_the_host_sees_none(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    let wish = Wish::purchase(750_000);
    let pin = phone.code(bank, token, Purpose::SecondPin, 0);
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the code pays")?;
    the_host_saw_no_pin(bank)?;
    let answer = node.ask(&bank.payment(CARD, &wish, &pin)).await?;
    same(refusal(&answer), ("55".into(), "stale_pin".into()), "once")?;
    same((bank.spent(CARD), bank.state(CARD).await.failures()), (750_000, 0), "one debit, no failure")?;
    bank.advance(60);
    let next = phone.code(bank, token, Purpose::SecondPin, 0);
    same(bank.pay(&node, CARD, &wish, &next).await?, "00".into(), "the next minute's pays")
}

pub(crate) async fn of_64_tries_with_one_code_one_pays(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    one_of_64(bank, [&node, &node], &phone, token).await
}

pub(crate) async fn of_64_tries_on_two_nodes_one_pays(bank: &Bank, node: Node) -> Told {
    let other = bank.node().await;
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    (bank.build.attack)();
    one_of_64(bank, [&node, &other], &phone, token).await
}

async fn one_of_64(bank: &Bank, nodes: [&Node; 2], phone: &Phone, token: ramz_domain::TokenId) -> Told {
    // Not more than a card remembers answers of: the others would be turned away for that.
    let pin = phone.code(bank, token, Purpose::SecondPin, 0);
    let asked: Vec<_> = (0..64)
        .map(|n| {
            let message = bank.payment(CARD, &Wish::purchase(1_000), &pin);
            nodes[n % 2].asking(n % 2, &message)
        })
        .collect();
    let mut approved = 0;
    for answer in asked {
        approved += usize::from(code(&answer.await?) == "00");
    }
    same((approved, bank.spent(CARD)), (1, 1_000), "approved, and debited")
}

pub(crate) async fn a_lower_ceiling_is_61_and_used_up(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    let pin = phone.code(bank, token, Purpose::SecondPin, 1);
    let answer = node.ask(&bank.payment(CARD, &Wish::purchase(1_000_001), &pin)).await?;
    same(refusal(&answer), ("61".into(), "over_ceiling".into()), "above the code's ceiling")?;
    same(de48::of(&answer).unwrap().get(SHOW).is_some(), true, "and told in words")?;
    let small = node.ask(&bank.payment(CARD, &Wish::purchase(1_000), &pin)).await?;
    same(refusal(&small), ("55".into(), "stale_pin".into()), "its minute is used up")?;
    bank.advance(60);
    let pin = phone.code(bank, token, Purpose::SecondPin, 1);
    same(bank.pay(&node, CARD, &Wish::purchase(1_000_000), &pin).await?, "00".into(), "up to the last rial")?;
    same((bank.spent(CARD), bank.state(CARD).await.failures()), (1_000_000, 0), "one debit, no failure")
}

pub(crate) async fn a_control_code_never_pays(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let control = phone.control(bank, token);
    same(bank.pay(&node, CARD, &Wish::purchase(1_000), &control).await?, "55".into(), "on the web")?;
    let read = node.ask(&read(bank, CARD, "withdrawal", 500_000, &control)).await?;
    same((code(&read), bank.spent(CARD)), ("55".into(), 0), "at a cash machine")
}

pub(crate) async fn a_clock_that_is_ten_minutes_off_is_told_so(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    for (off, hint) in [(10i64, "fast"), (-10, "slow")] {
        let step = step_at(bank.now()).checked_add_signed(off).unwrap();
        let pin = phone.code_at(token, Purpose::SecondPin, 0, step);
        let answer = node.ask(&bank.payment(CARD, &Wish::purchase(1_000), &pin)).await?;
        same(refusal(&answer), ("55".into(), "clock_off".into()), "refused")?;
        same(de48::of(&answer).unwrap().get(SHOW).is_some(), true, "with words for the payer")?;
        let view = phone.view(bank, &node, token).await;
        same(view["clock"]["hint"].as_str().unwrap_or("").to_owned(), hint.to_owned(), "and for the app")?;
    }
    same((bank.spent(CARD), bank.state(CARD).await.failures()), (0, 2), "and counted")?;
    // Whoever was told that it is a code waits for its minute in vain: two were, and the row keeps the last.
    same(bank.spent(CARD), 0, "nothing was paid")
}

pub(crate) async fn a_dynamic_first_pin_pays_at_cash_machine_and_shop(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    let cash = read(bank, CARD, "withdrawal", 500_000, FIRST_PIN);
    same(code(&node.ask(&cash).await?), "00".into(), "static, as long as it is")?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let cash = read(bank, CARD, "withdrawal", 500_000, FIRST_PIN);
    same(refusal(&node.ask(&cash).await?), ("55".into(), "wrong_pin".into()), "not any more")?;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    same(code(&node.ask(&read(bank, CARD, "withdrawal", 500_000, &pin)).await?), "00".into(), "cash")?;
    the_host_saw_no_pin(bank)?;
    same(code(&node.ask(&read(bank, CARD, "purchase", 20_000, &pin)).await?), "55".into(), "once")?;
    bank.advance(60);
    let pin = phone.code(bank, token, Purpose::FirstPin, 1);
    let dear = node.ask(&read(bank, CARD, "purchase", 1_000_001, &pin)).await?;
    same(refusal(&dear), ("61".into(), "over_ceiling".into()), "above its ceiling")?;
    bank.advance(60);
    let pin = phone.code(bank, token, Purpose::FirstPin, 1);
    same(code(&node.ask(&read(bank, CARD, "purchase", 20_000, &pin)).await?), "00".into(), "in a shop")?;
    same(bank.spent(CARD), 1_020_000, "what was paid")?;
    bank.advance(60);
    let second = phone.code(bank, token, Purpose::SecondPin, 0);
    same(
        code(&node.ask(&read(bank, CARD, "purchase", 20_000, &second)).await?),
        "55".into(),
        "a code for the web",
    )?;
    let state = bank.state(CARD).await;
    same((state.failures(), state.failures_of(Purpose::FirstPin)), (0, 1), "counted in its own slot")
}

pub(crate) async fn a_terminal_service_takes_the_dynamic_first_pin(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let asked = bank.host.asked_in_all().times;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    let shown = service(bank, CARD, "910000", &pin);
    same(code(&node.ask(&shown).await?), "00".into(), "served")?;
    same(code(&node.ask_over(1, &repeated(&shown)).await?), "00".into(), "and its repeat")?;
    same(bank.host.asked_in_all().times, asked, "the host was not asked")?;
    same(code(&node.ask(&service(bank, CARD, "910000", &pin)).await?), "55".into(), "the code is used up")?;
    same(
        code(&node.ask(&service(bank, CARD, "910000", FIRST_PIN)).await?),
        "55".into(),
        "the static PIN is none",
    )?;
    let mut without = service(bank, CARD, "910000", &pin);
    without.remove(14);
    same(code(&node.ask(&without).await?), "30".into(), "without an expiry")?;
    without.set(35, format!("{}={}5201234", pan(CARD), crate::messages::EXPIRY));
    bank.advance(60);
    set_pin(&mut without, &phone.code(bank, token, Purpose::FirstPin, 0), &bank.soft);
    same(code(&node.ask(&without).await?), "00".into(), "the track has it too")
}

/// The answer to the first was lost. By then the first PIN is another one.
async fn a_repeat_of_a_service_that_switches_the_first_pin_gets_the_same_code(
    bank: &Bank,
    node: Node,
) -> Told {
    let (mut phone, mut token) = Phone::with(bank, &node, CARD).await?;
    for (wish, device_goes) in [("931000", false), ("951000", true), ("920000", true)] {
        let on = service(bank, CARD, "930000", FIRST_PIN);
        same(code(&node.ask(&on).await?), "00".into(), "dynamic by the static PIN")?;
        same(code(&node.ask_over(1, &repeated(&on)).await?), "00".into(), "and its repeat")?;
        let pin = phone.code(bank, token, Purpose::FirstPin, 0);
        let mut off = service(bank, CARD, wish, &pin);
        if wish == "951000" {
            crate::messages::set_tag(&mut off, de48::CHOICE, "1");
        }
        same(code(&node.ask(&off).await?), "00".into(), wish)?;
        let asked = bank.host.asked_in_all().times;
        // A repeat has a transmission time of its own.
        let mut again = repeated(&off);
        again.set(7, "1124015250");
        same(refusal(&node.ask_over(1, &again).await?), ("00".into(), String::new()), "and its repeat")?;
        same(bank.host.asked_in_all().times, asked, "the host was not asked")?;
        let state = bank.state(CARD).await;
        same((state.failures_of(Purpose::FirstPin), state.services().first_pin), (0, false), "no wrong try")?;
        bank.advance(60);
        if device_goes {
            // As long as the card remembers what was taken off it.
            bank.advance(3600);
            (phone, token) = Phone::with(bank, &node, CARD).await?;
        }
    }
    Ok(())
}

async fn a_repeat_of_a_service_is_no_free_guess(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    let on = repeated(&service(bank, CARD, "930000", &pin));
    same(code(&node.ask(&on).await?), "55".into(), "no code is compared with what the host is asked about")?;
    let wrong = service(bank, CARD, "910000", "0000000");
    same(code(&node.ask(&wrong).await?), "55".into(), "a wrong code")?;
    same(code(&node.ask(&service(bank, CARD, "931000", FIRST_PIN)).await?), "00".into(), "static again")?;
    let asked = bank.host.asked_in_all().times;
    for guess in ["0000000", FIRST_PIN] {
        let mut again = repeated(&wrong);
        set_pin(&mut again, guess, &bank.soft);
        same(refusal(&node.ask_over(1, &again).await?), ("55".into(), "wrong_pin".into()), "as before")?;
    }
    same(bank.host.asked_in_all().times, asked, "the host was not asked")
}

async fn a_code_vouches_for_no_other_cards_track(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let asked = bank.host.asked_in_all().times;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    let mut payment = read(bank, CARD, "purchase", 30_000, &pin);
    let garbled = ("30".to_owned(), "format_error:35".to_owned());
    for track in [format!("{}=29115201234", pan(OTHER_CARD)), "29115201234".to_owned()] {
        payment.set(35, track.as_str());
        same(refusal(&node.ask(&payment).await?), garbled.clone(), &track)?;
    }
    let mut unlock = service(bank, CARD, "940000", FIRST_PIN);
    unlock.set(35, format!("{}=29115201234", pan(OTHER_CARD)));
    same(refusal(&node.ask(&unlock).await?), garbled, "at a terminal")?;
    same(bank.host.asked_in_all().times, asked, "the host was not asked")?;
    payment.set(35, format!("{}D29115201234", pan(CARD)));
    same(code(&node.ask(&payment).await?), "00".into(), "its own, and the code is not used up")
}

pub(crate) async fn a_lost_phone_is_no_dead_end(bank: &Bank, node: Node) -> Told {
    let (_phone, _) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    for n in 0..3 {
        let answer = node.ask(&read(bank, CARD, "purchase", 20_000 + n, "0000000")).await?;
        same(code(&answer), if n < 2 { "55" } else { "75" }.into(), "guessed")?;
    }
    same(code(&node.ask(&service(bank, CARD, "910000", FIRST_PIN)).await?), "75".into(), "locked")?;
    same(code(&node.ask(&service(bank, CARD, "931000", "9999")).await?), "55".into(), "a wrong static PIN")?;
    same(bank.state(CARD).await.services().first_pin, true, "switches nothing")?;
    same(
        code(&node.ask(&service(bank, CARD, "931000", FIRST_PIN)).await?),
        "00".into(),
        "the static one does",
    )?;
    let cash = read(bank, CARD, "withdrawal", 500_000, FIRST_PIN);
    same(code(&node.ask(&cash).await?), "00".into(), "and pays again")
}

pub(crate) async fn a_repeat_and_a_reversal_revive_nothing(bank: &Bank, node: Node) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    let cash = read(bank, CARD, "withdrawal", 500_000, &pin);
    same(code(&node.ask(&cash).await?), "00".into(), "cash")?;
    same(code(&node.ask_over(1, &repeated(&cash)).await?), "00".into(), "the same answer")?;
    same(bank.spent(CARD), 500_000, "one debit")?;
    same(code(&node.ask(&reversal(&cash)).await?), "00".into(), "reversed")?;
    same(bank.spent(CARD), 0, "given back")?;
    same(
        code(&node.ask(&read(bank, CARD, "withdrawal", 500_000, &pin)).await?),
        "55".into(),
        "the code stays used",
    )
}

pub(crate) async fn what_was_answered_is_answered_again_whatever_was_switched_since(
    bank: &Bank,
    node: Node,
) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    let before = read(bank, CARD, "withdrawal", 500_000, FIRST_PIN);
    same(code(&node.ask(&before).await?), "00".into(), "with the static PIN")?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    // The host approved it; a decline of ours would leave that standing, however often it is asked.
    for connection in [1, 0] {
        let again =
            node.switch[connection].ask(repeated(&before), std::time::Duration::from_millis(300)).await;
        same(again.is_err(), true, "its repeat meets silence, and the switch reverses")?;
    }
    let wrong = read(bank, CARD, "withdrawal", 700_000, "0000000");
    same(refusal(&node.ask(&wrong).await?), ("55".into(), "wrong_pin".into()), "a wrong code")?;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    let paid = read(bank, CARD, "withdrawal", 600_000, &pin);
    same(code(&node.ask(&paid).await?), "00".into(), "with a code")?;
    same(code(&node.ask(&service(bank, CARD, "931000", FIRST_PIN)).await?), "00".into(), "static again")?;
    let asked = bank.host.asked_in_all().times;
    same(
        refusal(&node.ask_over(1, &repeated(&wrong)).await?),
        ("55".into(), "wrong_pin".into()),
        "the refusal again",
    )?;
    same(code(&node.ask_over(1, &repeated(&paid)).await?), "00".into(), "the approval again")?;
    let mut without_its_pin = repeated(&paid);
    without_its_pin.remove(52);
    same(
        code(&node.ask_over(1, &without_its_pin).await?),
        "00".into(),
        "also where the switch keeps no PIN",
    )?;
    same((bank.host.asked_in_all().times, bank.spent(CARD)), (asked, 1_100_000), "and the host was not asked")
}

pub(crate) async fn another_bill_under_the_same_numbers_is_another_transaction(
    bank: &Bank,
    node: Node,
) -> Told {
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    let bill = read(bank, CARD, "bill", 100_000, &pin);
    same(code(&node.ask(&bill).await?), "00".into(), "a bill")?;
    let mut other = repeated(&bill);
    crate::messages::set_tag(&mut other, de48::BILL, "9999999999999");
    same(code(&node.ask_over(1, &other).await?), "94".into(), "another one under its numbers")?;
    let mut elsewhere = repeated(&bill);
    elsewhere.set(103, pan(2));
    same(code(&node.ask_over(1, &elsewhere).await?), "94".into(), "and another payee")
}
