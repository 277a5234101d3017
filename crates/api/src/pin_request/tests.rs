//! What the door takes, what it refuses and how it says so.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::problem::Kind;

fn purchase() -> Value {
    json!({
        "pan": "6104337000000016",
        "payment": {
            "kind": "purchase",
            "amount": 1_250_000,
            "payee": { "acquirer": "581672061", "merchant": "000000140332124",
                       "terminal": "14033212", "name": "فروشگاه نمونه" },
            "origin": "pay.example"
        }
    })
}

/// The purchase with the value at `pointer` replaced, or removed.
fn with(pointer: &str, value: Option<Value>) -> Vec<u8> {
    let mut body = purchase();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    serde_json::to_vec(&body).unwrap()
}

fn check(bytes: &[u8], expect: &[&str]) {
    let problem = match PinRequest::parse(bytes) {
        Ok(_) => return assert!(expect.is_empty(), "taken: {}", String::from_utf8_lossy(bytes)),
        Err(problem) => problem,
    };
    assert_eq!(problem.kind, Kind::Malformed);
    let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(pointers, expect, "{}", String::from_utf8_lossy(bytes));
    for error in &problem.errors {
        assert!(error.detail.contains("write") || error.detail.contains("send"), "{}", error.detail);
    }
}

#[test]
fn the_documented_request_is_taken() {
    let checked = PinRequest::parse(&serde_json::to_vec(&purchase()).unwrap()).unwrap();
    assert_eq!(checked.pan.expose(), "6104337000000016");
    assert_eq!((checked.kind, checked.amount.get()), (PaymentKind::Purchase, 1_250_000));
    assert_eq!(checked.origin, "pay.example");
    let PayeeChecked::Merchant { acquirer, merchant, terminal, name } = &checked.payee else {
        panic!("merchant")
    };
    assert_eq!((acquirer.as_str(), merchant.as_str()), ("581672061", "000000140332124"));
    assert_eq!((terminal.as_str(), name.as_str()), ("14033212", "فروشگاه نمونه"));
    let sent: Value = serde_json::from_slice(&checked.to_json()).unwrap();
    assert_eq!(sent, purchase());
}

#[test]
fn transfers_and_bills_have_payees_of_their_own() {
    let strange: &[&str] = &[
        "/payment/payee/acquirer",
        "/payment/payee/merchant",
        "/payment/payee/name",
        "/payment/payee/terminal",
    ];
    for (kind, payee, wanted) in [
        ("transfer", json!({ "pan": "4111111111111111" }), &["/payment/payee/pan"][..]),
        (
            "bill",
            json!({ "bill": "1234567", "payment": "7654321" }),
            &["/payment/payee/bill", "/payment/payee/payment"][..],
        ),
    ] {
        let mut body = purchase();
        body["payment"]["kind"] = json!(kind);
        check(&serde_json::to_vec(&body).unwrap(), &[strange, wanted].concat());
        body["payment"]["payee"] = payee;
        let bytes = serde_json::to_vec(&body).unwrap();
        let checked = PinRequest::parse(&bytes).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&checked.to_json()).unwrap(), body);
    }
}

#[test]
fn every_error_is_named_at_once() {
    let body = json!({
        "pan": "6104337000000061",
        "payment": {
            "kind": "purchase", "amount": 0,
            "payee": { "acquirer": "", "merchant": "ف", "terminal": "123456789", "name": "a@b" },
            "origin": "Pay.example:443"
        },
        "extra": 1
    });
    check(
        &serde_json::to_vec(&body).unwrap(),
        &[
            "/extra",
            "/pan",
            "/payment/amount",
            "/payment/payee/acquirer",
            "/payment/payee/merchant",
            "/payment/payee/terminal",
            "/payment/payee/name",
            "/payment/origin",
        ],
    );
}

#[test]
fn each_part_has_its_bounds() {
    let d = |n: usize| Some(json!("1".repeat(n)));
    for (pointer, good, bad) in [
        (
            "/pan",
            vec![json!("4111111111111111")],
            vec![
                json!("4111111111111112"),
                json!("411111111111111"),
                json!("4111 1111 1111 1111"),
                json!("۴۱۱۱۱۱۱۱۱۱۱۱۱۱۱۱"),
                json!(4111111111111111_u64),
                json!(null),
            ],
        ),
        (
            "/payment/amount",
            vec![json!(1), json!(999_999_999_999_u64)],
            vec![
                json!(0),
                json!(-1),
                json!(1_000_000_000_000_u64),
                json!("1250000"),
                json!(1.5),
                json!(1e30),
                json!(null),
            ],
        ),
        (
            "/payment/payee/acquirer",
            vec![json!("1"), json!("12345678901")],
            vec![json!("123456789012"), json!("12a"), json!("۱۲"), json!(581672061)],
        ),
        (
            "/payment/payee/merchant",
            vec![json!("M 1"), json!("123456789012345")],
            vec![json!("1234567890123456"), json!("   "), json!("a\tb")],
        ),
        ("/payment/payee/terminal", vec![json!("T"), json!("12345678")], vec![json!("123456789"), json!("")]),
        (
            "/payment/payee/name",
            vec![json!("ک".repeat(30))],
            vec![json!("ک".repeat(31)), json!("a\nb"), json!("a\u{202e}b"), json!("")],
        ),
        (
            "/payment/origin",
            vec![json!("localhost"), json!("a-b.xn--mgba3a4f16a.ir")],
            vec![
                json!("https://pay.example"),
                json!("pay.example:443"),
                json!("PAY.example"),
                json!("-a.example"),
                json!("a..b"),
                json!("pay.example."),
                json!("a_b"),
                json!(""),
            ],
        ),
    ] {
        good.into_iter().for_each(|value| check(&with(pointer, Some(value)), &[]));
        bad.into_iter().for_each(|value| check(&with(pointer, Some(value)), &[pointer]));
        check(&with(pointer, None), &[pointer]);
    }
    check(&with("/payment/kind", Some(json!("gift"))), &["/payment/kind"]);
    check(&with("/payment", None), &["/payment"]);
    check(&with("/payment", Some(json!([]))), &["/payment"]);
    check(&with("/payment/payee", Some(json!("x"))), &["/payment/payee"]);
    let bill = |n, m| {
        let mut body = purchase();
        body["payment"]["kind"] = json!("bill");
        body["payment"]["payee"] = json!({ "bill": d(n), "payment": d(m) });
        serde_json::to_vec(&body).unwrap()
    };
    check(&bill(6, 18), &[]);
    check(&bill(5, 19), &["/payment/payee/bill", "/payment/payee/payment"]);
}

#[test]
fn zero_is_for_a_balance_and_a_balance_is_zero() {
    let mut body = purchase();
    body["payment"]["kind"] = json!("balance");
    check(&serde_json::to_vec(&body).unwrap(), &["/payment/amount"]);
    body["payment"]["amount"] = json!(0);
    check(&serde_json::to_vec(&body).unwrap(), &[]);
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let twice = String::from_utf8(serde_json::to_vec(&purchase()).unwrap()).unwrap();
    let twice = twice.replacen("{\"pan\":", "{\"pan\":\"4111111111111111\",\"pan\":", 1);
    check(twice.as_bytes(), &["/pan"]);
}

#[test]
fn garbage_is_refused_in_one_sentence() {
    for bytes in [&b""[..], b"{", b"\xff\xfe", b"{}{}", b"\xef\xbb\xbf{}", "[".repeat(4000).as_bytes()] {
        check(bytes, &[""]);
    }
    for bytes in [&b"[]"[..], b"null", b"1", b"\"6104337000000016\""] {
        check(bytes, &[""]);
    }
    check(b"{}", &["/pan", "/payment"]);
    let large = vec![b' '; limits::BODY_BYTES_MAX + 1];
    assert_eq!(PinRequest::parse(&large).unwrap_err(), Problem::too_large());
}

/// Wherever the card number is put by mistake, and whatever is wrong with it, no error shows it.
#[test]
fn no_error_repeats_what_was_sent() {
    for (pan, shown) in [("6104337000000016", "0433700000"), ("6104337000000061", "0433700000")] {
        for pointer in [
            "/pan",
            "/payment/kind",
            "/payment/amount",
            "/payment/payee/acquirer",
            "/payment/payee/merchant",
            "/payment/payee/terminal",
            "/payment/payee/name",
            "/payment/payee/6104337000000016",
            "/payment/6104337000000016",
            "/6104337000000016",
            "/payment/origin",
        ] {
            for value in [json!(pan), json!(pan.parse::<u64>().unwrap()), json!([pan]), json!({ pan: pan })] {
                // Digits alone may stand for a merchant or an origin: then they are that, and no card.
                let Err(problem) = PinRequest::parse(&with(pointer, Some(value))) else { continue };
                let said = format!("{problem:?} {problem} {}", String::from_utf8(problem.to_json()).unwrap());
                assert!(!said.contains(shown), "{pointer}: {said}");
            }
        }
    }
}

#[test]
fn debug_masks_the_card() {
    let checked = PinRequest::parse(&serde_json::to_vec(&purchase()).unwrap()).unwrap();
    let transfer = Checked {
        kind: PaymentKind::Transfer,
        payee: PayeeChecked::Card { pan: Pan::parse("4111111111111111").unwrap() },
        ..checked.clone()
    };
    let wire = PinRequest {
        pan: checked.pan.expose(),
        payment: PaymentWire {
            kind: "purchase",
            amount: 1_250_000,
            payee: checked.payee.wire(),
            origin: &checked.origin,
        },
        payer: None,
    };
    for debug in [format!("{checked:?}"), format!("{transfer:?}"), format!("{wire:?}")] {
        assert!(!debug.contains("0433700000") && !debug.contains("1111111111"), "{debug}");
    }
    assert!(!format!("{wire:?}").contains("1250000"), "no amount beside a card");
}

#[test]
fn a_key_is_one_uuid() {
    const UUID: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";
    let quoted = format!("\"{UUID}\"");
    let simple = UUID.replace('-', "");
    for (values, good) in [
        (vec![UUID], true),
        (vec![quoted.as_str()], true),
        (vec![], false),
        (vec![UUID, UUID], false),
        (vec![""], false),
        (vec!["\""], false),
        (vec![simple.as_str()], false),
        (vec!["key-1"], false),
    ] {
        let mut headers = HeaderMap::new();
        for value in &values {
            headers.append(IDEMPOTENCY_KEY, value.parse().unwrap());
        }
        let key = idempotency_key(&headers);
        let expect = good.then(|| Uuid::try_parse(UUID).unwrap()).ok_or_else(Problem::key_missing);
        assert_eq!(key, expect, "{values:?}");
    }
}

fn any_payee() -> impl Strategy<Value = (PaymentKind, PayeeChecked)> {
    let merchant = ("[0-9]{1,11}", "[!-~]{1,15}", "[!-~]{1,8}", "[a-zA-Zا-ی]{1,30}");
    let merchant = merchant.prop_map(|(acquirer, merchant, terminal, name)| PayeeChecked::Merchant {
        acquirer,
        merchant,
        terminal,
        name: PayeeName::parse(&name).unwrap(),
    });
    const KINDS: &[PaymentKind] = &[PaymentKind::Purchase, PaymentKind::TopUp, PaymentKind::Balance];
    prop_oneof![
        (proptest::sample::select(KINDS), merchant),
        any_pan().prop_map(|pan| (PaymentKind::Transfer, PayeeChecked::Card { pan })),
        ("[0-9]{6,18}", "[0-9]{6,18}")
            .prop_map(|(bill, payment)| (PaymentKind::Bill, PayeeChecked::Bill { bill, payment })),
    ]
}

fn any_pan() -> impl Strategy<Value = Pan> {
    "[0-9]{15,18}".prop_map(|body| Pan::parse(&format!("{body}{}", ramz_domain::check_digit(&body))).unwrap())
}

fn any_checked() -> impl Strategy<Value = Checked> {
    let origin = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z0-9]{1,20}){0,3}";
    let payer = proptest::option::of("[A-Za-z0-9_-]{16,64}");
    (any_pan(), any_payee(), 1_u64..1_000_000_000_000, origin, payer).prop_map(
        |(pan, (kind, payee), amount, origin, payer)| {
            let amount = if kind == PaymentKind::Balance { 0 } else { amount };
            Checked { pan, kind, amount: Rial::new(amount).unwrap(), payee, origin, payer }
        },
    )
}

proptest! {
    #[test]
    fn any_request_reads_back(checked in any_checked()) {
        prop_assert_eq!(PinRequest::parse(&checked.to_json()).unwrap(), checked);
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = PinRequest::parse(&bytes);
    }

    /// Bytes that are nearly a request reach further in than noise does.
    #[test]
    fn any_damage_is_answered(at in 0_usize..300, with in any::<Vec<u8>>(), checked in any_checked()) {
        let mut bytes = checked.to_json().to_vec();
        let at = at.min(bytes.len());
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        let _ = PinRequest::parse(&bytes);
    }

    #[test]
    fn writing_never_moves(checked in any_checked()) {
        prop_assert!(checked.to_json().len() <= 1024);
    }
}
