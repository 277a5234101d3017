//! Services at ATM and cashless terminal (0600): nothing before the first PIN, then what the card says.

use ramz_domain::card::Notice;
use ramz_iso8583::de48::{self, MASKED_PHONE, PRINT, RECEIPT_CODE, SHOW};
use ramz_iso8583::{Message, Mti};
use ramz_issuer::config::LimitsConfig;

use crate::bank::{Bank, Build, CARD, FIRST_PIN, NO_PHONE, Node, Told, UNKNOWN, on_both_stores, same, tried};
use crate::messages::{Wish, code, pan, phone, refusal, repeated, set_pin};
use crate::settings::limits;

on_both_stores! {
    the_sms_service_is_shown_confirmed_and_switched,
    nothing_is_said_before_the_first_pin,
    an_activation_of_the_app_is_one_code_in_two_halves,
    a_locked_card_is_unlocked,
    what_cannot_be_served_says_why,
    a_host_that_is_away_is_91_and_switches_nothing,
    a_repeat_switches_once,
}

/// A terminal's message, with a first PIN.
pub(crate) fn service(bank: &Bank, n: u32, code: &str, first_pin: &str) -> Message {
    let mut message = Wish::purchase(1).message(&pan(n));
    message.set_mti(Mti::ADMINISTRATIVE);
    message.remove(4);
    message.set(3, code);
    message.set(18, "6011");
    message.set(22, "051");
    set_pin(&mut message, first_pin, &bank.soft);
    message
}

/// Serves, and says field 39.
pub(crate) async fn served(bank: &Bank, node: &Node, n: u32, service_code: &str) -> Result<String, String> {
    node.ask(&service(bank, n, service_code, FIRST_PIN)).await.map(|answer| code(&answer))
}

fn tag(answer: &Message, tag: &str) -> String {
    de48::of(answer).unwrap().get(tag).unwrap_or("").to_owned()
}

async fn the_sms_service_is_shown_confirmed_and_switched(bank: &Bank, node: Node) -> Told {
    let shown = node.ask(&service(bank, CARD, "910000", FIRST_PIN)).await?;
    same(shown.mti().to_string(), "0610".into(), "the answer's type")?;
    same(code(&shown), "00".into(), "the mobile is shown")?;
    let masked = tag(&shown, MASKED_PHONE);
    same(masked.contains('*') && masked.ends_with(&phone(CARD)[10..]), true, "masked")?;
    same(tag(&shown, SHOW).contains(&masked), true, "the terminal shows it")?;
    same(bank.state(CARD).await.services().sms, false, "only shown")?;
    let on = node.ask(&service(bank, CARD, "911000", FIRST_PIN)).await?;
    same(code(&on), "00".into(), "switched on")?;
    same(tag(&on, SHOW).contains("30003303"), true, "where to text to")?;
    let guide = bank.text_after(CARD, 0).await?;
    same(guide.text.contains("30003303"), true, "the guide by SMS")?;
    same(bank.state(CARD).await.services().sms, true, "it is on")?;
    same(served(bank, &node, CARD, "921000").await?, "00".into(), "switched off")?;
    same(bank.state(CARD).await.services().sms, false, "it is off")?;
    same(bank.host.asked_in_all().debits, 0, "nothing was debited")
}

async fn nothing_is_said_before_the_first_pin(bank: &Bank, node: Node) -> Told {
    for wish in ["900000", "910000", "911000", "940000", "950000"] {
        let answer = node.ask(&service(bank, CARD, wish, "9999")).await?;
        same(code(&answer), "55".into(), wish)?;
        same(tag(&answer, MASKED_PHONE), String::new(), "nothing of the phone")?;
        let mut without = service(bank, CARD, wish, FIRST_PIN);
        without.remove(52);
        same(code(&node.ask(&without).await?), "30".into(), "without a PIN")?;
        let mut typed = service(bank, CARD, wish, FIRST_PIN);
        typed.set(22, "812");
        same(code(&node.ask(&typed).await?), "57".into(), "without the card")?;
    }
    same(bank.state(CARD).await.services(), Default::default(), "nothing is switched")?;
    bank.nothing_more_than(CARD, 0).await
}

async fn an_activation_of_the_app_is_one_code_in_two_halves(bank: &Bank, node: Node) -> Told {
    let asked = service(bank, CARD, "900000", FIRST_PIN);
    let answer = node.ask(&asked).await?;
    let receipt = tag(&answer, RECEIPT_CODE);
    same((receipt.len(), tag(&answer, PRINT).contains(&receipt)), (8, true), "the half on the receipt")?;
    let sms = bank.text_after(CARD, 0).await?;
    let half = sms.text.lines().find_map(|line| {
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        (digits.len() == 8).then_some(digits)
    });
    same(half.is_some_and(|half| half != receipt), true, "another half by SMS")?;
    same(sms.text.contains(&receipt), false, "and not both")?;
    let again = node.ask_over(1, &repeated(&asked)).await?;
    same(tag(&again, RECEIPT_CODE), receipt.clone(), "a repeat gets the same")?;
    bank.nothing_more_than(CARD, 1).await?;
    let other = node.ask(&service(bank, CARD, "900000", FIRST_PIN)).await?;
    same(tag(&other, RECEIPT_CODE) == receipt, false, "another time, another code")
}

async fn a_locked_card_is_unlocked(bank: &Bank, node: Node) -> Told {
    let locked = node.admin("POST", &format!("/{}/lock", bank.card(CARD)), "").await;
    same(locked.status, 200, "locked")?;
    let wish = Wish::purchase(5_000);
    same(bank.pay(&node, CARD, &wish, "1234567").await?, "75".into(), "a locked card")?;
    same(served(bank, &node, CARD, "940000").await?, "00".into(), "unlocked at the terminal")?;
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "it pays again")
}

async fn what_cannot_be_served_says_why(bank: &Bank, node: Node) -> Told {
    for (n, wish, expected) in [
        (NO_PHONE, "910000", ("57", "no_phone")),
        (NO_PHONE, "911000", ("57", "no_phone")),
        (NO_PHONE, "900000", ("57", "no_phone")),
        (CARD, "930000", ("57", "no_device")),
        (CARD, "951000", ("57", "no_device")),
        (CARD, "999000", ("12", "invalid_transaction")),
        (UNKNOWN, "911000", ("14", "no_such_card")),
    ] {
        let answer = node.ask(&service(bank, n, wish, FIRST_PIN)).await?;
        same(refusal(&answer), (expected.0.into(), expected.1.into()), wish)?;
    }
    same(served(bank, &node, CARD, "950000").await?, "00".into(), "no devices is an answer")
}

async fn a_host_that_is_away_is_91_and_switches_nothing(bank: &Bank, node: Node) -> Told {
    bank.cut_off(&node).await?;
    same(served(bank, &node, CARD, "911000").await?, "91".into(), "no host, no first PIN")?;
    same(bank.state(CARD).await.services().sms, false, "nothing is switched")
}

async fn a_repeat_switches_once(bank: &Bank, node: Node) -> Told {
    let asked = service(bank, CARD, "911000", FIRST_PIN);
    for connection in [0, 1] {
        same(code(&node.ask_over(connection, &repeated(&asked)).await?), "00".into(), "switched on")?;
    }
    bank.nothing_more_than(CARD, 1).await?;
    let switched = bank.story(CARD).await.into_iter().filter(|entry| entry == "Switched").count();
    same(switched, 1, "switched in the journal")
}

#[tokio::test]
async fn each_switch_is_told_by_sms_if_the_bank_wants_it() {
    let scenario = async |bank: &Bank, node: Node| {
        for wish in ["911000", "921000", "940000"] {
            same(served(bank, &node, CARD, wish).await?, "00".into(), wish)?;
        }
        // Nothing was locked, so that is no news.
        bank.nothing_more_than(CARD, 2).await
    };
    assert_eq!(tried(Build { alerts: true, ..Build::default() }, scenario).await, Ok(()));
    assert!(Notice::SmsOff.is_alert());
}

/// Who has card and PIN, or asks at a page, can fill neither the phone nor the alerts' own limit with something else.
#[tokio::test]
async fn alerts_are_few_and_nothing_else_keeps_them_back() {
    let scenario = async |bank: &Bank, node: Node| {
        for merchant in ["1", "2", "3"] {
            let asked = bank.ask_pin(&node, CARD, &Wish::purchase(50_000).at(merchant)).await;
            same(asked.status, 202, merchant)?;
        }
        bank.settled().await?;
        let before = bank.operator.texts(&phone(CARD)).len();
        same(before, 2, "the phone's limit of ordinary texts")?;
        for n in 0..10 {
            let wish = if n % 2 == 0 { "911000" } else { "921000" };
            same(served(bank, &node, CARD, wish).await?, "00".into(), wish)?;
            bank.settled().await?;
        }
        bank.nothing_more_than(CARD, before + 4).await
    };
    let limits = LimitsConfig { phone_in_2_min: 2, alerts_in_day: 4, ..limits() };
    assert_eq!(tried(Build { alerts: true, limits, ..Build::default() }, scenario).await, Ok(()));
}
