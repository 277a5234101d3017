//! A card whose lists are all as long as they may be still fits its row: otherwise nothing could be decided about it.

use std::time::Duration;

use ramz_domain::card::*;
use ramz_domain::{AdmissionId, ChallengeId, Digest, PayeeName, PaymentKind, Rial, limits};

use crate::cards::{Card, Pay, details, device, mark, token};

/// A letter of four bytes, of which names may be.
const WIDE: &str = "𐤀";
/// In rial: nine bytes, as much as an amount takes.
const MUCH: u64 = 15_000_000_000;

/// As large as a request may be.
fn large(card: &Card, n: usize, time: u8) -> Command {
    let name = |what: &str| Mark::of(&[what.as_bytes(), &n.to_be_bytes()]);
    Command::Request(PinRequest {
        admission: AdmissionId(name(&format!("admission {time}")).0),
        payment: Digest::of(&[b"large", &n.to_be_bytes()]),
        payee: Digest::of(&[b"payee", &n.to_be_bytes()]),
        kind: PaymentKind::Transfer,
        amount: Rial::new(999_999_999_999).unwrap(),
        payee_name: Some(PayeeName::parse(&WIDE.repeat(limits::PAYEE_NAME_CHARS_MAX)).unwrap()),
        origin: Some("o".repeat(limits::ORIGIN_CHARS_MAX)),
        fresh: ChallengeId(name("challenge").0),
        key_version: u32::MAX,
        not_after: card.clock().plus(Duration::from_secs(120)),
        door: name("door"),
        withheld: None,
    })
}

#[test]
fn a_card_with_every_list_full_fits_its_row() {
    let mut card = Card::active();
    card.policy.sends = SendLimits { in_2_min: 40, in_hour: 80, in_day: 80 };
    let rule = StaticRule::Total24h(Rial::new(999_999_999_999).unwrap());
    card.policy.static_pin = StaticPolicy { rule, ..StaticPolicy::default() };
    let own = Some(Rial::new(999_999_999_999).unwrap());
    card.update(
        CardDetails {
            consent: Some(card.clock()),
            product: Some(WIDE.repeat(limits::PRODUCT_CHARS_MAX)),
            limits: CardLimits { sms_pin_max: own, static_max: own },
            ..details(CardStatus::Active, true)
        },
        false,
    );
    card.switch(Service::SmsOn);
    card.switch(Service::AppOn);
    for n in 0..limits::REVOKED_DEVICES_MAX + 1 {
        card.app(AppCommand::Revoke(device(&format!("lost {n}"))), &[]);
    }
    for n in 0..limits::GONE_TOKENS_MAX {
        card.add_token(&format!("gone {n}"));
        card.app(AppCommand::Remove(token(&format!("gone {n}"))), &[]);
    }
    for n in 0..limits::ACTIVATED_DEVICES_MAX {
        card.app(AppCommand::Activated(device(&format!("activated {n}"))), &[]);
    }
    card.add_token("phone");
    card.add_token("tablet");
    card.switch(Service::FirstPinOn);
    // The latest of them are still answered, each with the try that it claimed.
    let answered = limits::ANSWERS_MAX - limits::STALE_CHALLENGES_MAX;
    for n in 0..limits::CARD_SENDS_MAX - 3 * limits::OPEN_CHALLENGES_MAX {
        let told = card.tell(&large(&card, n, 0));
        assert!(told.starts_with("sent"), "{n}: {told}");
        card.advance_by(121);
    }
    for n in 0..limits::STATIC_AMOUNTS_MAX {
        let transaction = format!("static {n}");
        assert_eq!(card.pay_now(Pay::wrong("A", &transaction).of_rial(MUCH)), "ask host, static", "{n}");
        card.host_with_all(&transaction);
        card.advance_by(if n < limits::STATIC_AMOUNTS_MAX - answered { 601 } else { 1 });
    }
    for n in 0..limits::STALE_CHALLENGES_MAX {
        card.ask_now(&format!("P{n}"));
        card.pay_now(Pay::right(&format!("P{n}"), &format!("paid {n}")));
        card.host_with_all(&format!("paid {n}"));
    }
    for n in 0..limits::EXPIRY_FAILURES_MAX {
        card.pay_now(Pay::right("E", &format!("e{n}")).with_wrong_expiry().at_door(&format!("door {n}")));
    }
    for n in 0..limits::TOMBSTONES_MAX {
        card.reverse_now(&format!("unknown {n}"));
    }
    for time in 0..3 {
        for n in 1000..1000 + limits::OPEN_CHALLENGES_MAX {
            let told = card.tell(&large(&card, n, time));
            assert!(told.starts_with("sent"), "{n}: {told}");
        }
        card.advance_by(31);
    }
    assert!(card.text_now("text").starts_with("sent"));
    assert_eq!(card.state().unspent_sends(card.clock()), limits::CARD_SENDS_MAX);
    assert_eq!(card.state().open(card.clock()).count(), limits::OPEN_CHALLENGES_MAX);
    assert_eq!(card.state().static_total(card.clock()), MUCH * limits::STATIC_AMOUNTS_MAX as u64);
    let bytes = card.state().encode().map(|bytes| bytes.len());
    // Room is left for what is not filled here: codes of wrong minutes, eight a token, of eleven bytes each.
    let room = limits::CARD_BYTES_MAX - 2 * limits::TOKEN_FAR_MAX * 11;
    assert!(bytes.as_ref().is_ok_and(|bytes| (15_000..room).contains(bytes)), "{bytes:?}");
    assert_eq!(card.pay_now(Pay::right("P0", "paid 0")), "10 as before", "{:?}", mark("paid 0"));
}
