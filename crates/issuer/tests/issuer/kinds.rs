//! Transfers, bills, top-ups and balances: what their PINs are bound to, what their SMS say, what their answers bring.

use ramz_domain::card::{Command, Mark, PinRequest};
use ramz_domain::{AdmissionId, ChallengeId, Payee, Payment, PaymentKind, Rial, masked_bill_id};
use ramz_issuer::engine::Job;
use ramz_keys::Keys as _;

use crate::bank::{Bank, CARD, Node, Told, on_both_stores, same};
use crate::messages::{Wish, code, pan, refusal, set_pin, set_tag};

on_both_stores! {
    another_destination_burns_the_pin,
    another_bill_or_payment_id_burns_the_pin,
    a_pin_of_each_kind_is_good_for_no_other_kind,
    an_sms_names_what_is_paid_masked,
    a_repeat_with_another_destination_is_94,
    a_transfer_without_destination_and_a_bill_without_ids_are_malformed,
    a_bills_pin_of_the_release_before_is_good,
    a_balance_brings_its_amounts,
    what_a_kind_adds_goes_on_to_the_host,
}

const KINDS: [&str; 5] = ["purchase", "transfer", "bill", "top_up", "balance"];

fn wish(kind: &'static str) -> Wish {
    Wish::purchase(if kind == "balance" { 0 } else { 24_000 }).of(kind)
}

async fn burns(bank: &Bank, node: &Node, wish: &Wish, other: &Wish) -> Told {
    let pin = bank.pin(node, CARD, wish).await?;
    same(bank.pay(node, CARD, other, &pin).await?, "59".into(), "for another payment")?;
    same(bank.pay(node, CARD, wish, &pin).await?, "55".into(), "then for its own")?;
    same(bank.host.asked_in_all().times, 0, "asked of the host")
}

async fn another_destination_burns_the_pin(bank: &Bank, node: Node) -> Told {
    let wish = wish("transfer");
    burns(bank, &node, &wish, &Wish { to: pan(901), ..wish.clone() }).await
}

async fn another_bill_or_payment_id_burns_the_pin(bank: &Bank, node: Node) -> Told {
    let wish = wish("bill");
    let other = Wish { bill: ("1234567890124", wish.bill.1), ..wish.clone() };
    burns(bank, &node, &wish, &other).await?;
    let other = Wish { bill: (wish.bill.0, "9876543211"), ..wish.clone() };
    burns(bank, &node, &wish, &other).await?;
    // A third wrong one would lock; leading zeros are the wire's and do not bind.
    let padded = Wish { bill: ("0001234567890123", "009876543210"), ..wish.clone() };
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &padded, &pin).await?, "00".into(), "with leading zeros")
}

async fn a_pin_of_each_kind_is_good_for_no_other_kind(bank: &Bank, node: Node) -> Told {
    for kind in KINDS {
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            let pin = bank.pin(&node, CARD, &wish(kind)).await?;
            same(
                bank.pay(&node, CARD, &wish(other), &pin).await?,
                "59".into(),
                &format!("{kind} as {other}"),
            )?;
            // A payment sets the count of wrong PINs to nothing.
            let pin = bank.pin(&node, CARD, &wish(kind)).await?;
            same(bank.pay(&node, CARD, &wish(kind), &pin).await?, "00".into(), kind)?;
            // And a burnt PIN is an SMS of which there are only so many a day.
            bank.advance(86_400);
        }
    }
    Ok(())
}

async fn an_sms_names_what_is_paid_masked(bank: &Bank, node: Node) -> Told {
    for kind in KINDS {
        let wish = wish(kind);
        let before = bank.operator.texts(&crate::messages::phone(CARD)).len();
        same(bank.ask_pin(&node, CARD, &wish).await.status, 202, "a PIN request")?;
        let sms = bank.text_after(CARD, before).await?;
        let lines: Vec<&str> = sms.text.lines().collect();
        let hidden = |number: String| number.replace('*', "x");
        let (what, payee) = match kind {
            "purchase" => ("خرید", "فروشگاه نمونه".to_owned()),
            "transfer" => {
                ("انتقال وجه", hidden(format!("به کارت {}******{}", &wish.to[..6], &wish.to[12..])))
            }
            "bill" => ("پرداخت قبض", hidden(format!("قبض برق {}", masked_bill_id(wish.bill.0)))),
            "top_up" => ("خرید شارژ", "فروشگاه نمونه".to_owned()),
            _ => ("مانده", "فروشگاه نمونه".to_owned()),
        };
        same(&lines[1..3], &[what, payee.as_str()], kind)?;
        same(lines[3] == "مبلغ:24,000 ریال", kind != "balance", "an amount")?;
        for whole in [wish.to.as_str(), wish.bill.0] {
            same(sms.text.contains(whole), false, "a number that is whole")?;
        }
        bank.pay(&node, CARD, &wish, &sms.pin()).await?;
    }
    Ok(())
}

async fn a_repeat_with_another_destination_is_94(bank: &Bank, node: Node) -> Told {
    let wish = wish("transfer");
    let pin = bank.pin(&node, CARD, &wish).await?;
    let sent = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&sent).await?), "00".into(), "the transfer")?;
    same(code(&node.ask(&sent).await?), "00".into(), "its repeat")?;
    let mut other = sent;
    other.set(103, pan(901));
    same(refusal(&node.ask(&other).await?).0, "94".into(), "to another card")?;
    same(bank.spent(CARD), 24_000, "debited")
}

async fn a_transfer_without_destination_and_a_bill_without_ids_are_malformed(
    bank: &Bank,
    node: Node,
) -> Told {
    for (kind, field, refused) in [("transfer", 103, "format_error:103"), ("bill", 48, "format_error:48")] {
        let wish = wish(kind);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let mut bare = bank.payment(CARD, &wish, &pin);
        bare.remove(field);
        same(refusal(&node.ask(&bare).await?), ("30".into(), refused.into()), kind)?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN is as good as before")?;
    }
    Ok(())
}

/// The release before bound it to the ids themselves, and answered under that.
async fn a_bills_pin_of_the_release_before_is_good(bank: &Bank, node: Node) -> Told {
    let wish = wish("bill");
    let (bill, payment) = (wish.bill.0.to_owned(), wish.bill.1.to_owned());
    let (kind, amount) = (PaymentKind::Bill, Rial::new(wish.amount).unwrap());
    let paid = Payment { kind, amount, payee: Payee::BillUnkeyed { bill, payment } };
    let request = PinRequest {
        admission: AdmissionId([1; 16]),
        payment: paid.digest(),
        payee: paid.payee.digest(),
        kind,
        amount,
        payee_name: None,
        origin: None,
        fresh: ChallengeId([1; 16]),
        key_version: bank.soft.pin_version(),
        not_after: bank.now().plus(std::time::Duration::from_secs(120)),
        door: Mark([1; 16]),
        withheld: None,
    };
    let told = node.running.engine.tell(bank.card(CARD), Job::from(Command::Request(request))).await;
    same(told.is_ok(), true, "it is issued")?;
    let sms = bank.text_after(CARD, 0).await?;
    same(bank.pay(&node, CARD, &wish, &sms.pin()).await?, "00".into(), "and pays its bill")
}

async fn a_balance_brings_its_amounts(bank: &Bank, node: Node) -> Told {
    let wish = wish("balance");
    let pin = bank.pin(&node, CARD, &wish).await?;
    let answer = node.ask(&bank.payment(CARD, &wish, &pin)).await?;
    same(code(&answer), "00".into(), "the inquiry")?;
    let told = answer.get(54).unwrap_or_default().to_owned();
    same(told.contains(&format!("02364C{:012}", crate::bank::BALANCE)), true, "field 54, available")?;
    same(bank.spent(CARD), 0, "debited")
}

async fn what_a_kind_adds_goes_on_to_the_host(bank: &Bank, node: Node) -> Told {
    let wish = wish("top_up");
    let pin = bank.pin(&node, CARD, &wish).await?;
    let mut charged = wish.message(&pan(CARD));
    set_tag(&mut charged, "80", "989351234567");
    set_tag(&mut charged, "81", "irancell");
    set_pin(&mut charged, &pin, &bank.soft);
    same(code(&node.ask(&charged).await?), "00".into(), "with tags that the bank does not know")?;
    same(bank.spent(CARD), 24_000, "debited")
}
