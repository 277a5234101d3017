//! The static second PIN over the wire: a total in 24 hours that holds against many payments at once, and what the host says.

use std::time::Duration;

use ramz_sim::host::Asked;

use crate::bank::{Bank, Build, CARD, Node, STATIC_PIN, Told, same, tried, until};
use crate::messages::{Wish, code, refusal, repeated, reversal};
use crate::verification::{Ask, outcome, verify};

/// Each scenario at a bank with the real rule, over both stores.
macro_rules! with_static_pins {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            #[tokio::test]
            async fn in_memory() {
                let build = crate::bank::Build::default().with_static_pins();
                assert_eq!(crate::bank::tried(build, super::$scenario).await, Ok(()));
            }

            #[tokio::test]
            async fn durably() {
                let build = crate::bank::Build::durable().with_static_pins();
                assert_eq!(crate::bank::tried(build, super::$scenario).await, Ok(()));
            }
        }
    )*};
}

with_static_pins! {
    small_payments_pass_until_the_total_and_then_61_says_why,
    of_200_at_once_the_total_is_reached_and_never_passed,
    two_nodes_share_one_total,
    a_wrong_static_pin_counts_and_the_third_is_75,
    a_time_out_gives_nothing_back,
    who_waited_for_a_host_that_went_away_spends_nothing,
    a_full_reversal_gives_the_amount_back_once,
    a_dynamic_pin_still_pays_above_it,
    a_garbled_block_takes_nothing,
    a_consent_of_tomorrow_is_none,
    a_verifier_is_told_static_and_tells_the_outcome,
    wrong_static_pins_over_http_lock_like_any_other,
    a_verification_whose_static_pin_was_wrong_is_no_way_to_try_another,
    a_second_outcome_gives_no_try_back,
}

pub(crate) async fn consents(bank: &Bank, node: &Node, n: u32) -> Told {
    let consent = r#"{"static_pin_consent":"2026-01-01T00:00:00Z"}"#;
    let told = node.admin("PUT", &format!("/{}", bank.card(n)), consent).await;
    same(told.status, 200, &told.body)
}

async fn small_payments_pass_until_the_total_and_then_61_says_why(bank: &Bank, node: Node) -> Told {
    same(bank.pay(&node, CARD, &Wish::purchase(1), STATIC_PIN).await?, "55".into(), "without consent")?;
    consents(bank, &node, CARD).await?;
    same(bank.pay(&node, CARD, &Wish::purchase(600_000), STATIC_PIN).await?, "00".into(), "a small one")?;
    let much = node.ask(&bank.payment(CARD, &Wish::purchase(400_001), STATIC_PIN)).await?;
    same(refusal(&much), ("61".into(), "static_total".into()), "too much")?;
    let said = ramz_iso8583::de48::of(&much).unwrap().get(ramz_iso8583::de48::SHOW).unwrap_or("").to_owned();
    same(said.contains("رمز ایستا"), true, "a text that says why")?;
    same(bank.pay(&node, CARD, &Wish::purchase(400_000), STATIC_PIN).await?, "00".into(), "the rest")?;
    bank.advance(24 * 3600);
    same(bank.pay(&node, CARD, &Wish::purchase(1_000_000), STATIC_PIN).await?, "00".into(), "a day later")?;
    let transfer = Wish::purchase(1).of("transfer");
    same(
        bank.pay(&node, CARD, &transfer, STATIC_PIN).await?,
        "55".into(),
        "a kind that needs a dynamic one",
    )?;
    same(bank.spent(CARD), 2_000_000, "debited")
}

pub(crate) async fn of_200_at_once_the_total_is_reached_and_never_passed(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    (bank.build.attack)();
    let mut asked = Vec::new();
    for n in 0..200 {
        let payment = bank.payment(CARD, &Wish::purchase(40_000), STATIC_PIN);
        asked.push(node.asking(n % 2, &payment));
    }
    let mut approved = 0;
    for answer in asked {
        match code(&answer.await?).as_str() {
            "00" => approved += 1,
            "61" => {}
            other => return Err(format!("a small payment was answered {other}")),
        }
    }
    same((approved, bank.spent(CARD)), (25, 1_000_000), "approved, and debited")
}

pub(crate) async fn two_nodes_share_one_total(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    let other = bank.node().await;
    let ask = |n: usize| {
        let payment = bank.payment(CARD, &Wish::purchase(40_000), STATIC_PIN);
        tokio::spawn([&node, &other][n % 2].asking(0, &payment))
    };
    let mut approved = 0;
    for asked in (0..24).map(ask).collect::<Vec<_>>() {
        same(code(&asked.await.unwrap()?), "00".into(), "one of those there is room for")?;
        approved += 1;
    }
    // Room for one is left. Both nodes decide before the host has answered either.
    bank.host.hold();
    let last: Vec<_> = (0..2).map(ask).collect();
    let decided =
        async || bank.host.asked_in_all().times == 26 || last.iter().any(|asked| asked.is_finished());
    until("both are decided", decided).await?;
    bank.host.release();
    for asked in last {
        match code(&asked.await.unwrap()?).as_str() {
            "00" => approved += 1,
            "61" => {}
            other => return Err(format!("one of the last was answered {other}")),
        }
    }
    same((approved, bank.spent(CARD)), (25, 1_000_000), "approved, and debited")
}

async fn a_wrong_static_pin_counts_and_the_third_is_75(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    for expected in ["55", "55", "75", "75"] {
        same(bank.pay(&node, CARD, &Wish::purchase(1), "111111").await?, expected.into(), "a wrong one")?;
    }
    same(bank.pay(&node, CARD, &Wish::purchase(1), STATIC_PIN).await?, "75".into(), "the right one, locked")?;
    let Asked { times, .. } = bank.host.asked_in_all();
    same(times, 3, "the host was asked as often as there were tries")
}

pub(crate) async fn a_time_out_gives_nothing_back(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    let payment = bank.payment(CARD, &Wish::purchase(900_000), STATIC_PIN);
    bank.host.silence_next(1);
    drop(node.asking(0, &payment));
    bank.host_was_asked(1).await?;
    (bank.build.attack)();
    bank.cut_off(&node).await?;
    node.was_silent(1).await?;
    bank.reconnect(&node).await?;
    same(
        bank.pay(&node, CARD, &Wish::purchase(200_000), STATIC_PIN).await?,
        "61".into(),
        "the rest is 100,000",
    )?;
    same(bank.spent(CARD), 900_000, "it was debited, as nobody knew")?;
    let again = node.ask_over(1, &repeated(&payment)).await?;
    same(code(&again), "00".into(), "and a repeat is answered as it was")?;
    same(bank.spent(CARD), 900_000, "debited once")
}

/// One at a time, where one may be static: the host may go away meanwhile.
async fn who_waited_for_a_host_that_went_away_spends_nothing(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    let wish = Wish::purchase(3_000_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.host.hold();
    drop(node.asking(0, &bank.payment(CARD, &Wish::purchase(1_000), STATIC_PIN)));
    bank.host_was_asked(1).await?;
    let waits = node.asking(1, &bank.payment(CARD, &wish, &pin));
    // Messages of one connection are begun in their order: by the last of these answers the one before them waits.
    for n in 0..20 {
        let strange = Wish::purchase(n + 1).message(&crate::messages::pan(crate::bank::UNKNOWN));
        same(code(&node.ask_over(1, &strange).await?), "14".into(), "an unknown card")?;
    }
    bank.cut_off(&node).await?;
    same(code(&waits.await?), "91".into(), "who waited")?;
    bank.host.release();
    bank.reconnect(&node).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "its PIN, with the host back")
}

async fn a_full_reversal_gives_the_amount_back_once(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    let payment = bank.payment(CARD, &Wish::purchase(1_000_000), STATIC_PIN);
    same(code(&node.ask(&payment).await?), "00".into(), "all of it")?;
    for _ in 0..2 {
        same(code(&node.ask(&reversal(&payment)).await?), "00".into(), "reversed")?;
    }
    same(bank.pay(&node, CARD, &Wish::purchase(1_000_000), STATIC_PIN).await?, "00".into(), "again all")?;
    same(code(&node.ask(&reversal(&payment)).await?), "00".into(), "the first one's reversal once more")?;
    same(bank.pay(&node, CARD, &Wish::purchase(1), STATIC_PIN).await?, "61".into(), "gave nothing back")
}

async fn a_dynamic_pin_still_pays_above_it(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    let wish = Wish::purchase(5_000_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the dynamic one")?;
    same(bank.state(CARD).await.static_total(bank.now()), 0, "takes nothing of the total")
}

async fn a_garbled_block_takes_nothing(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    let mut payment = bank.payment(CARD, &Wish::purchase(1_000), STATIC_PIN);
    payment.set(52, vec![7; 8]);
    same(code(&node.ask(&payment).await?), "30".into(), "a block that does not open")?;
    let state = bank.state(CARD).await;
    same((state.static_total(bank.now()), state.failures()), (0, 0), "taken")
}

async fn a_consent_of_tomorrow_is_none(bank: &Bank, node: Node) -> Told {
    let path = format!("/{}", bank.card(CARD));
    let tomorrow = bank.now().plus(Duration::from_secs(2 * 24 * 3600)).rfc3339();
    let refused = node.admin("PUT", &path, &format!(r#"{{"static_pin_consent":"{tomorrow}"}}"#)).await;
    same(
        (refused.status, refused.problem().as_str()),
        (400, "malformed"),
        "a consent of the day after tomorrow",
    )?;
    consents(bank, &node, CARD).await?;
    same(bank.pay(&node, CARD, &Wish::purchase(1), STATIC_PIN).await?, "00".into(), "with a consent")?;
    same(node.admin("PUT", &path, r#"{"static_pin_consent":""}"#).await.status, 200, "taken away")?;
    same(bank.pay(&node, CARD, &Wish::purchase(1), STATIC_PIN).await?, "55".into(), "without")
}

/// What does not say that the PIN was right keeps its try; what was not paid gives its amount back.
async fn a_verifier_is_told_static_and_tells_the_outcome(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    for (end, failures) in [("approved", 0), ("declined", 1), ("reversed", 2)] {
        let ask = Ask::of(CARD, &Wish::purchase(400_000), STATIC_PIN);
        let told = verify(&node, &ask).await.json();
        let verdict = (told["verdict"].as_str(), told["response_code"].as_str());
        same(verdict, (Some("static"), Some("55")), "no approval for who does not know it")?;
        same(told_again(&node, &ask).await, told["verification"].clone(), "the same again")?;
        let id = told["verification"].as_str().unwrap_or("").to_owned();
        same(outcome(&node, &id, end).await.status, 200, end)?;
        let verdict = if end == "approved" { "static" } else { "refused" };
        same(verify(&node, &ask).await.json()["verdict"].as_str(), Some(verdict), "told again")?;
        let state = bank.state(CARD).await;
        same((state.static_total(bank.now()), state.failures()), (400_000, failures), end)?;
    }
    Ok(())
}

async fn wrong_static_pins_over_http_lock_like_any_other(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    for _ in 0..3 {
        let told = verify(&node, &Ask::of(CARD, &Wish::purchase(1_000), "111111")).await.json();
        same(told["verdict"].as_str(), Some("static"), "not known here")?;
        let id = told["verification"].as_str().unwrap_or("").to_owned();
        same(outcome(&node, &id, "wrong_pin").await.status, 200, "the bank knows")?;
    }
    let told = verify(&node, &Ask::of(CARD, &Wish::purchase(1_000), STATIC_PIN)).await.json();
    same(told["response_code"].as_str(), Some("75"), "locked")
}

/// The same transaction with another PIN would be tried uncounted, for as long as it is remembered.
async fn a_verification_whose_static_pin_was_wrong_is_no_way_to_try_another(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    for code in ["55", "55", "75"] {
        let mut ask = Ask::of(CARD, &Wish::purchase(1_000), "111111");
        let told = verify(&node, &ask).await.json();
        same(told["verdict"].as_str(), Some("static"), "not known here")?;
        let id = told["verification"].as_str().unwrap_or("").to_owned();
        same(outcome(&node, &id, "wrong_pin").await.status, 200, "the bank knows")?;
        for pin in ["111111", "222222", STATIC_PIN] {
            ask.pin = format!(r#""pin":"{pin}""#);
            let again = verify(&node, &ask).await.json();
            let said = (again["verdict"].as_str(), again["response_code"].as_str());
            same(said, (Some("refused"), Some(code)), "the same transaction again")?;
            same(again["verification"].clone(), told["verification"].clone(), "under its id")?;
        }
    }
    same(bank.state(CARD).await.failures(), 3, "what was counted")
}

/// Whoever reports an outcome that contradicts the one before changes nothing: neither the try nor the verdict.
async fn a_second_outcome_gives_no_try_back(bank: &Bank, node: Node) -> Told {
    consents(bank, &node, CARD).await?;
    for (first, second, failures, verdict) in
        [("wrong_pin", "approved", 1, "refused"), ("approved", "wrong_pin", 1, "static")]
    {
        let ask = Ask::of(CARD, &Wish::purchase(1_000), "111111");
        let told = verify(&node, &ask).await.json();
        let id = told["verification"].as_str().unwrap_or("").to_owned();
        same(outcome(&node, &id, first).await.status, 200, first)?;
        for _ in 0..2 {
            same(outcome(&node, &id, second).await.status, 409, second)?;
        }
        same(bank.state(CARD).await.failures(), failures, "wrong PINs")?;
        same(verify(&node, &ask).await.json()["verdict"].as_str(), Some(verdict), "told again")?;
        same(outcome(&node, &id, first).await.status, 200, "the first once more")?;
    }
    Ok(())
}

async fn told_again(node: &Node, ask: &Ask) -> serde_json::Value {
    verify(node, ask).await.json()["verification"].clone()
}

#[tokio::test]
async fn a_gift_card_needs_no_consent() {
    let scenario = async |bank: &Bank, node: Node| {
        let product = node.admin("PUT", &format!("/{}", bank.card(CARD)), r#"{"product":"gift"}"#).await;
        same(product.status, 200, "a gift card")?;
        same(bank.pay(&node, CARD, &Wish::purchase(9_000_000), STATIC_PIN).await?, "00".into(), "any amount")
    };
    assert_eq!(tried(Build::default().with_static_pins(), scenario).await, Ok(()));
}
