//! A message authentication code (DE64, DE128) of the switch: it goes on to the host with the very bytes that it was made over, and
//! never with others. Verifying and making them needs the links' keys, which there are not yet.

use ramz_iso8583::Mti;
use ramz_iso8583::de48::PIN_VERIFIED;

use crate::bank::{Bank, CARD, Node, Told, on_both_stores, same};
use crate::doubles::shown;
use crate::messages::{Wish, code, pan, set_tag};

on_both_stores! {
    a_mac_over_what_we_changed_is_not_passed_on,
    a_mac_over_what_we_did_not_change_is,
}

/// Which of the fields the host last received in a message of that type, as the trace shows them.
fn seen<const N: usize>(bank: &Bank, mti: &str, fields: [u8; N]) -> Result<[Option<String>; N], String> {
    let fact = bank.host_trace.last("host", mti).ok_or("the host saw nothing")?;
    Ok(fields.map(|field| shown(&fact, field).map(str::to_owned)))
}

async fn a_mac_over_what_we_changed_is_not_passed_on(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(310_000);
    let mut payment = bank.payment(CARD, &wish, &bank.pin(&node, CARD, &wish).await?);
    payment.set(64, [0xAB; 8]);
    same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
    same(seen(bank, "0200", [52, 64])?, [None, None], "the PIN block and the MAC over it")?;

    // Not ours to decide, but what only we may say is taken out of it.
    let mut advice = wish.message(&pan(CARD));
    advice.set_mti(Mti::new("0320").unwrap());
    advice.set(128, [0xCD; 8]);
    set_tag(&mut advice, PIN_VERIFIED, "D");
    node.ask(&advice).await?;
    same(seen(bank, "0320", [48, 128])?, [None, None], "the tag and the MAC over it")
}

async fn a_mac_over_what_we_did_not_change_is(bank: &Bank, node: Node) -> Told {
    let mut advice = Wish::purchase(310_000).message(&pan(CARD));
    advice.set_mti(Mti::new("0320").unwrap());
    advice.set(128, [0xCD; 8]);
    node.ask(&advice).await?;
    let [amount, mac] = seen(bank, "0320", [4, 128])?;
    same(amount.as_deref(), Some("000000310000"), "what it is over")?;
    same(mac.as_deref(), Some("CDCDCDCDCDCDCDCD"), "the MAC")
}
