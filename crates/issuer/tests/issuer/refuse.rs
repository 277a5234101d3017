//! What is refused at the switch's door, with which code and which place; and what never reaches the card host.

use ramz_iso8583::de48::{PIN_VERIFIED, PIN_VERIFIED_DYNAMIC};
use ramz_iso8583::{Layout, Message, decode, encode};
use ramz_keys::{Keys as _, PinBlockFormat};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bank::{Bank, CARD, CLOSED, FIRST_PIN, Node, OTHER_CARD, Told, UNKNOWN, on_both_stores, same};
use crate::doubles::shown;
use crate::guess::wrong;
use crate::messages::{Wish, code, pan, refusal, set_pin, set_tag};

on_both_stores! {
    what_is_wrong_is_named_and_costs_nothing,
    a_verified_tag_from_outside_is_taken_away,
    the_first_pin_is_the_hosts_matter,
    the_host_sees_no_dynamic_pin,
    a_pin_vouches_for_no_other_cards_track,
    a_pin_vouches_for_the_amount_and_for_no_fee_beside_it,
    garbled_messages_are_answered_with_their_place,
    wrong_expiries_throttle_their_door_only,
}

fn expects(code: &str, refusal: &str) -> (String, String) {
    (code.to_owned(), refusal.to_owned())
}

async fn what_is_wrong_is_named_and_costs_nothing(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(31_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let whole = || bank.payment(CARD, &wish, &pin);
    for field in [2, 3, 4, 7, 12, 13, 14, 22, 32, 41, 42, 49] {
        let mut message = whole();
        message.remove(field);
        let expected = expects("30", &format!("format_error:{field}"));
        same(refusal(&node.ask(&message).await?), expected, &format!("without field {field}"))?;
    }
    for (field, value, expected) in [
        (2, "6104337000000011", expects("30", "format_error:2")),
        (3, "010000", expects("57", "not_permitted")),
        (3, "990000", expects("12", "invalid_transaction")),
        (4, "000000000000", expects("12", "invalid_transaction")),
        (14, "2912", expects("54", "wrong_expiry")),
        (22, "992", expects("57", "not_permitted")),
        (48, "03001x03001y", expects("30", "format_error:48")),
        (49, "840", expects("12", "invalid_transaction")),
        (3, "400000", expects("30", "format_error:103")),
        (3, "500000", expects("30", "format_error:48")),
    ] {
        let mut message = whole();
        message.set(field, value);
        same(refusal(&node.ask(&message).await?), expected, &format!("field {field} = {value}"))?;
    }
    let mut message = whole();
    message.remove(52);
    same(refusal(&node.ask(&message).await?), expects("57", "not_permitted"), "without a PIN")?;
    message.set(52, [0x5A; 8]);
    same(refusal(&node.ask(&message).await?), expects("30", "format_error:52"), "a PIN block that is none")?;
    let mut message = wish.message(&pan(UNKNOWN));
    set_pin(&mut message, &pin, &bank.soft);
    let answer = node.ask(&message).await?;
    same(refusal(&answer), expects("14", "no_such_card"), "an unknown card")?;
    same([14, 35, 52].iter().any(|field| answer.has(*field)), false, "a secret in the answer")?;
    let closed = bank.payment(CLOSED, &wish, &pin);
    same(refusal(&node.ask(&closed).await?), expects("57", "not_permitted"), "a closed card")?;

    // A decision that writes nothing is made again on a row that is read afresh: hence twice.
    same(bank.keys.compared(), 2, "comparisons: of the block that does not decode")?;
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    same(bank.host.asked_in_all().times, 0, "asked of the host")?;
    same(code(&node.ask(&whole()).await?), "00".into(), "the whole message")
}

async fn a_verified_tag_from_outside_is_taken_away(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(32_000);
    let mut without_pin = wish.message(&pan(CARD));
    set_tag(&mut without_pin, PIN_VERIFIED, PIN_VERIFIED_DYNAMIC);
    same(
        refusal(&node.ask(&without_pin).await?),
        expects("57", "not_permitted"),
        "verified, says the switch",
    )?;
    let pin = bank.pin(&node, CARD, &wish).await?;
    let mut guess = bank.payment(CARD, &wish, &wrong(&pin));
    set_tag(&mut guess, PIN_VERIFIED, PIN_VERIFIED_DYNAMIC);
    same(code(&node.ask(&guess).await?), "55".into(), "a wrong PIN, verified, says the switch")?;
    same(bank.host.asked_in_all().times, 0, "asked of the host")?;

    let mut at_the_till = wish.message(&pan(CARD));
    at_the_till.set(22, "051");
    set_pin(&mut at_the_till, "1111", &bank.soft);
    set_tag(&mut at_the_till, "90", "kept");
    set_tag(&mut at_the_till, PIN_VERIFIED, PIN_VERIFIED_DYNAMIC);
    same(code(&node.ask(&at_the_till).await?), "55".into(), "a wrong first PIN, verified, says the switch")?;
    let seen = bank.host_trace.last("host", "0200").ok_or("the host saw nothing")?;
    same(shown(&seen, 48), Some("90=****"), "field 48 at the host")?;
    same(bank.spent(CARD), 0, "debited")
}

async fn the_first_pin_is_the_hosts_matter(bank: &Bank, node: Node) -> Told {
    let at_the_till = |pin: &str| -> Message {
        let mut message = Wish::purchase(33_000).message(&pan(CARD));
        message.set(22, "051");
        set_pin(&mut message, pin, &bank.soft);
        message
    };
    // The host knows its own zone's key only: it can approve no block that was not translated.
    same(code(&node.ask(&at_the_till(FIRST_PIN)).await?), "00".into(), "the right first PIN")?;
    same(code(&node.ask(&at_the_till("1111")).await?), "55".into(), "a wrong first PIN")?;
    let mut garbled = at_the_till(FIRST_PIN);
    garbled.set(52, [0x5A; 8]);
    same(
        refusal(&node.ask(&garbled).await?),
        expects("30", "format_error:52"),
        "a first PIN's block that is none",
    )?;
    let mut cash = at_the_till(FIRST_PIN);
    cash.set(3, "010000");
    same(code(&node.ask(&cash).await?), "00".into(), "cash, with the first PIN")?;
    same(bank.spent(CARD), 66_000, "debited")?;
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    same(bank.keys.compared(), 0, "comparisons")
}

async fn the_host_sees_no_dynamic_pin(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(34_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the payment")?;
    let seen = bank.host_trace.last("host", "0200").ok_or("the host saw nothing")?;
    same(shown(&seen, 52), None, "a PIN block at the host")?;
    same(shown(&seen, 48), Some("02=D"), "field 48 at the host")?;
    // A dynamic PIN is no first PIN.
    let pin = bank.pin(&node, CARD, &wish).await?;
    let mut at_the_till = wish.message(&pan(CARD));
    at_the_till.set(22, "051");
    set_pin(&mut at_the_till, &pin, &bank.soft);
    same(code(&node.ask(&at_the_till).await?), "55".into(), "the dynamic PIN at a till")?;
    let block = bank.soft.make_pin_block(
        &ramz_domain::Pin::parse(&pin).unwrap(),
        &ramz_domain::Pan::parse(&pan(CARD)).unwrap(),
        "host",
        PinBlockFormat::Iso0,
    );
    let mut under_another_key = wish.message(&pan(CARD));
    under_another_key.set(52, block.unwrap().bytes.as_slice());
    same(
        refusal(&node.ask(&under_another_key).await?),
        expects("30", "format_error:52"),
        "under another zone's key",
    )
}

/// A host may go by the track, and take tag 02 for a word on that card.
async fn a_pin_vouches_for_no_other_cards_track(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(38_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let mut payment = bank.payment(CARD, &wish, &pin);
    let tracks = |number: String| {
        [
            (34, number.clone()),
            (35, format!("{number}=29115201234")),
            (36, format!("01{number}=36436400")),
            (45, format!("B{number}^NAMUNE/SARA^29115201234")),
        ]
    };
    let garbled = [(35, "29115201234".to_owned()), (36, "0".to_owned()), (45, pan(CARD))];
    for (field, track) in tracks(pan(OTHER_CARD)).into_iter().chain(garbled) {
        let mut payment = payment.clone();
        payment.set(field, track.as_str());
        same(refusal(&node.ask(&payment).await?), expects("30", &format!("format_error:{field}")), &track)?;
    }
    same(bank.host.asked_in_all().times, 0, "asked of the host")?;
    for (field, track) in tracks(pan(CARD)) {
        payment.set(field, track);
    }
    same(code(&node.ask(&payment).await?), "00".into(), "its own, and the PIN is not spent yet")
}

async fn a_pin_vouches_for_the_amount_and_for_no_fee_beside_it(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(33_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for (field, value, expected) in [
        (28, "D00000001", expects("13", "more_than_amount")),
        (30, "D00000001", expects("13", "more_than_amount")),
        (8, "00000001", expects("13", "more_than_amount")),
        (6, "000000033001", expects("13", "more_than_amount")),
        (6, "999999999999", expects("13", "more_than_amount")),
        (51, "840", expects("12", "invalid_transaction")),
    ] {
        let mut message = bank.payment(CARD, &wish, &pin);
        message.set(field, value);
        same(refusal(&node.ask(&message).await?), expected, &format!("field {field} = {value}"))?;
    }
    same(bank.keys.compared(), 0, "comparisons")?;
    same(bank.host.asked_in_all().times, 0, "asked of the host")?;
    // What a network fills in, and fees of banks among themselves.
    let mut message = bank.payment(CARD, &wish, &pin);
    let harmless = [
        (6, "000000033000"),
        (8, "00000000"),
        (28, "D00000000"),
        (29, "D00000500"),
        (30, "C00000500"),
        (31, "D00000500"),
        (51, "364"),
    ];
    for (field, value) in harmless {
        message.set(field, value);
    }
    same(code(&node.ask(&message).await?), "00".into(), "the amount alone is debited")
}

async fn garbled_messages_are_answered_with_their_place(bank: &Bank, node: Node) -> Told {
    let layout = Layout::named("ascii").unwrap();
    let wish = Wish::purchase(35_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let mut line = TcpStream::connect(node.running.switch).await.unwrap();
    let mut said = async |bytes: &[u8]| -> Message {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        line.write_all(&[&length[..], bytes].concat()).await.unwrap();
        let mut length = [0; 2];
        line.read_exact(&mut length).await.unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        line.read_exact(&mut answer).await.unwrap();
        decode(&layout, &answer).unwrap()
    };
    let whole = || encode(&layout, &bank.payment(CARD, &wish, &pin)).unwrap();
    let at = |field: u8| decode(&layout, &whole()).unwrap().span(field).unwrap().start;
    for field in [3, 4, 11, 14, 22, 49, 52] {
        let mut bytes = whole();
        bytes[at(field)] = b'!';
        if field == 11 {
            continue;
        }
        let answer = said(&bytes).await;
        same(
            refusal(&answer),
            expects("30", &format!("format_error:{field}")),
            &format!("a ! in field {field}"),
        )?;
    }
    // Without a trace number nothing can be answered; the line stays.
    let (mut nameless, mut cut) = (whole(), whole());
    nameless[at(11)] = b'!';
    cut.truncate(40);
    line_takes(&mut line, &[&nameless, &cut, b"", b"0200"]).await;
    let mut said = async |bytes: &[u8]| -> Message {
        line_takes(&mut line, &[bytes]).await;
        let mut length = [0; 2];
        line.read_exact(&mut length).await.unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        line.read_exact(&mut answer).await.unwrap();
        decode(&layout, &answer).unwrap()
    };
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    same(code(&said(&whole()).await), "00".into(), "a whole message after them")
}

async fn line_takes(line: &mut TcpStream, messages: &[&[u8]]) {
    for bytes in messages {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        line.write_all(&[&length[..], bytes].concat()).await.unwrap();
    }
}

async fn wrong_expiries_throttle_their_door_only(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(36_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for expected in ["54", "54", "54", "54", "54", "65", "65"] {
        let mut message = bank.payment(CARD, &wish, &pin);
        message.set(14, "3001");
        same(code(&node.ask(&message).await?), expected.into(), "a wrong expiry")?;
    }
    same(bank.pay(&node, CARD, &wish, &pin).await?, "65".into(), "the right one at the same door")?;
    let mut elsewhere = bank.payment(CARD, &wish, &pin);
    elsewhere.set(41, "99999999");
    same(code(&node.ask(&elsewhere).await?), "00".into(), "at another door")?;
    same(bank.state(CARD).await.failures(), 0, "failures")
}
