//! A payment over every way that messages may look: the shipped layouts, a layout that is a file, headers, and PIN blocks of
//! every format; the switch's way and the host's need not be the same.

use ramz_domain::{Pan, Pin};
use ramz_iso8583::{Message, encode};
use ramz_issuer::config::OnSilence;
use ramz_keys::Keys as _;

use crate::bank::{Bank, Build, CARD, FIRST_PIN, Node, OTHER_CARD, Told, same, tried};
use crate::messages::{Wish, code, refusal, reversal};
use crate::terminal::service;
use crate::wire::Wire;

/// The documented sample: nothing in the program knows it.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/layouts/tpdu.toml");
const TPDU: &str = "6000030000";

async fn check(switch: Wire, host: Wire) {
    let build = Build { wires: [switch, host], ..Build::default() };
    assert_eq!(tried(build, whole_payments).await, Ok(()));
}

/// A dynamic PIN that pays and is reversed, a wrong one that counts, and a first PIN that the host checks.
async fn whole_payments(bank: &Bank, node: Node) -> Told {
    let format = bank.build.wires[0].format();
    let with_pin = |mut message: Message, pin: &str| {
        let (pin, pan) = (Pin::parse(pin).unwrap(), Pan::parse(message.get(2).unwrap()).unwrap());
        let block = bank.soft.make_pin_block(&pin, &pan, "switch", format).unwrap();
        message.set(52, block.bytes.as_slice());
        message
    };
    let wish = Wish::purchase(1_250_000);
    let message = || wish.message(&crate::messages::pan(CARD));
    let pin = bank.pin(&node, CARD, &wish).await?;
    let wrong = if pin == "0000000" { "1111111" } else { "0000000" };
    same(code(&node.ask(&with_pin(message(), wrong)).await?), "55".into(), "a wrong PIN")?;
    same(bank.state(CARD).await.failures(), 1, "failures")?;
    let mut payment = with_pin(message(), &pin);
    payment.set(63, "کد فروشگاه");
    let answer = node.ask(&payment).await?;
    same(code(&answer), "00".into(), "the right PIN")?;
    same(answer.get(37), payment.get(37), "the reference comes back")?;
    same(bank.spent(CARD), 1_250_000, "debited")?;
    same(code(&node.ask(&reversal(&payment)).await?), "00".into(), "the reversal")?;
    same(bank.spent(CARD), 0, "given back")?;

    for (first_pin, expected) in [(FIRST_PIN, "00"), ("0000", "55")] {
        let mut read = wish.message(&crate::messages::pan(CARD));
        read.set(22, "051");
        read.set(35, format!("{}=99121011", crate::messages::pan(CARD)));
        same(code(&node.ask(&with_pin(read, first_pin)).await?), expected.into(), "a first PIN")?;
    }
    same(bank.spent(CARD), 1_250_000, "debited by the first PIN")
}

#[tokio::test]
async fn a_payment_in_bcd_on_both_sides() {
    check(Wire::of("bcd", "", 0), Wire::of("bcd", "", 0)).await;
}

#[tokio::test]
async fn a_payment_from_one_layout_to_the_other() {
    check(Wire::of("ascii", "", 0), Wire::of("bcd", "", 0)).await;
    check(Wire::of("bcd", "49534F", 0), Wire::of("ascii", "", 0)).await;
}

#[tokio::test]
async fn a_payment_over_a_layout_that_is_only_a_file() {
    check(Wire::of(FILE, TPDU, 0), Wire::of(FILE, TPDU, 0)).await;
}

#[tokio::test]
async fn a_payment_with_pin_blocks_of_format_3() {
    check(Wire::of("ascii", "", 3), Wire::of("bcd", "", 0)).await;
    check(Wire::of(FILE, TPDU, 0), Wire::of("bcd", "", 3)).await;
}

/// An AES zone: sixteen bytes of PIN block, which the shipped layouts have no room for, and a layout file has.
#[tokio::test]
async fn a_payment_with_pin_blocks_of_format_4() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("aes.toml");
    std::fs::write(&file, "name = 'aes'\nlike = 'bcd'\n[fields]\n52 = 'b 128'\n").unwrap();
    check(Wire::of(file.to_str().unwrap(), "", 4), Wire::of("ascii", "", 3)).await;
}

/// A host could read what nobody here can.
#[tokio::test]
async fn a_pin_vouches_for_no_other_cards_track() {
    let scenario = async |bank: &Bank, node: Node| {
        let track = |n: u32| {
            let digits = format!("{}D29115201234", crate::messages::pan(n));
            let nibble = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
            digits.as_bytes().chunks(2).map(|two| nibble(two[0]) << 4 | nibble(two[1])).collect::<Vec<_>>()
        };
        let wish = Wish::purchase(31_000);
        let on_the_web = bank.payment(CARD, &wish, &bank.pin(&node, CARD, &wish).await?);
        let at_a_terminal = service(bank, CARD, "911000", FIRST_PIN);
        for message in [on_the_web, at_a_terminal] {
            for n in [OTHER_CARD, CARD] {
                let mut read = message.clone();
                read.set(35, track(n));
                let garbled = ("30".to_owned(), "format_error:35".to_owned());
                same(refusal(&node.ask(&read).await?), garbled, "a track that cannot be read")?;
            }
            same(code(&node.ask(&message).await?), "00".into(), "without it")?;
        }
        Ok(())
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bytes.toml");
    let field = "35 = { is = 'b ..19', bytes = 'binary' }";
    std::fs::write(&file, format!("name = 'bytes'\nlike = 'bcd'\n[fields]\n{field}\n")).unwrap();
    let wire = Wire::of(file.to_str().unwrap(), "", 0);
    let build = Build { wires: [wire.clone(), wire], ..Build::default() };
    assert_eq!(tried(build, scenario).await, Ok(()));
}

/// Where we say 91 and reverse it ourselves: with such a layout no reversal could ever go out.
#[test]
fn where_we_reverse_a_layout_without_room_for_that_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours.toml");
    let checked = |field: &str, on_silence: OnSilence| {
        std::fs::write(&file, format!("name = 'ours'\nlike = 'bcd'\n[fields]\n{field}\n")).unwrap();
        let host = Wire::of(file.to_str().unwrap(), "", 0);
        let build = Build { wires: [Wire::default(), host], on_silence, ..Build::default() };
        let checked = crate::settings::config(([127, 0, 0, 1], 8722).into(), &build).check();
        checked.map_err(|error| error.to_string())
    };
    for field in ["90 = 'none'", "90 = 'n 40'"] {
        assert_eq!(checked(field, OnSilence::Silence), Ok(()), "the switch reverses");
        let said = checked(field, OnSilence::Reverse).unwrap_err();
        for part in ["host", "a reversal of our own (on_silence = \"reverse\")", "field 90"] {
            assert!(said.contains(part), "{field}: {said}");
        }
    }
    assert_eq!(checked("90 = 'n 42'", OnSilence::Reverse), Ok(()));
}

/// What the sample says it is, byte by byte, so that the page does not promise what the file is not.
#[test]
fn the_sample_looks_as_it_says() {
    let (layout, header) = Wire::of(FILE, TPDU, 0).shape();
    assert_eq!((layout.name(), header.as_slice()), ("tpdu", &[0x60, 0, 3, 0, 0][..]));
    let mut message = Message::new(ramz_iso8583::Mti::FINANCIAL);
    for (field, value) in [(22, "812"), (32, "581672061"), (48, "02001D"), (49, "364"), (62, "x"), (63, "yz")]
    {
        message.set(field, value);
    }
    let expected = [
        &b"\x02\x00\0\0\x04\x01\0\x01\x80\x06"[..],
        &[0x81, 0x2F],
        b"09581672061",
        b"\0\x0602001D",
        &[0x36, 0x4F],
        b"\x01x",
        b"\0\x02yz",
    ];
    assert_eq!(encode(&layout, &message).unwrap(), expected.concat());
    message.set(45, "B6104337000000016");
    assert!(encode(&layout, &message).is_err(), "field 45 is taken out");
}
