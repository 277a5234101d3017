//! What holds for any bytes and any message: no panic, nothing lost, and nothing given away by an error.

use proptest::prelude::*;
use ramz_iso8583::{Layout, MAX_MESSAGE_BYTES, Message, Mti, de48, decode, encode, masked};

const LAYOUTS: [&str; 2] = ["ascii", "bcd"];

/// Content that both layouts take for a field, by its class.
fn content(field: u8) -> BoxedStrategy<Vec<u8>> {
    let text = |pattern: &'static str| {
        proptest::string::string_regex(pattern).expect("a pattern").prop_map(String::into_bytes).boxed()
    };
    match field {
        2 => text("[0-9]{0,19}"),
        3 | 11 | 12 => text("[0-9]{6}"),
        4 => text("[0-9]{12}"),
        7 => text("[0-9]{10}"),
        13 | 14 => text("[0-9]{4}"),
        22 => text("[0-9]{3}"),
        28 => text("[CD][0-9]{8}"),
        32 => text("[0-9]{0,11}"),
        35 => text("[0-9=]{0,37}"),
        37 => text("[0-9A-Z]{12}"),
        39 => text("[0-9A-Z]{2}"),
        41 => text("[ -~]{8}"),
        43 => text("[ -~]{40}"),
        48 => text("[0-9a-zآ-ی\n]{0,99}"),
        52 | 64 | 128 => proptest::collection::vec(any::<u8>(), 8).boxed(),
        55 => proptest::collection::vec(any::<u8>(), 0..=99).boxed(),
        63 => proptest::collection::vec(any::<u8>(), 0..=300).boxed(),
        70 => text("[0-9]{3}"),
        90 => text("[0-9]{42}"),
        97 => text("[CD][0-9]{16}"),
        103 => text("[ -~]{0,28}"),
        _ => unreachable!("not one of FIELDS"),
    }
}

const FIELDS: [u8; 26] =
    [2, 3, 4, 7, 11, 12, 13, 14, 22, 28, 32, 35, 37, 39, 41, 43, 48, 52, 55, 63, 64, 70, 90, 97, 103, 128];

prop_compose! {
    fn message()(
        digits in "[0-9]{4}",
        fields in proptest::sample::subsequence(&FIELDS[..], 0..=26)
            .prop_flat_map(|fields| fields.into_iter().map(|f| content(f).prop_map(move |c| (f, c))).collect::<Vec<_>>()),
    ) -> Message {
        let mut message = Message::new(Mti::new(&digits).expect("four digits"));
        for (field, content) in fields {
            message.set(field, content);
        }
        message
    }
}

fn touch(message: &Message) {
    let _ = (format!("{message:?}"), masked(message));
    for field in 0..=u8::MAX {
        let _ =
            (message.get(field), message.bytes(field), message.span(field).map(|span| &message.raw()[span]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for name in LAYOUTS {
            if let Ok(message) = decode(&Layout::named(name).unwrap(), &bytes) {
                touch(&message);
            }
        }
        let _ = de48::parse(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_good_type_are_read_or_refused(
        bitmap in any::<u64>(), second in any::<u64>(), rest in "[0-9A-F]{0,400}",
    ) {
        let ascii = format!("0200{bitmap:016X}{second:016X}{rest}");
        let packed = [&[2, 0][..], &bitmap.to_be_bytes(), &second.to_be_bytes(), rest.as_bytes()].concat();
        for (name, bytes) in LAYOUTS.into_iter().zip([ascii.into_bytes(), packed]) {
            if let Ok(message) = decode(&Layout::named(name).unwrap(), &bytes) {
                touch(&message);
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again(message in message()) {
        for name in LAYOUTS {
            let layout = Layout::named(name).unwrap();
            let wire = encode(&layout, &message).unwrap();
            let read = decode(&layout, &wire).unwrap();
            prop_assert_eq!(&read, &message);
            prop_assert_eq!(read.raw(), &wire[..]);
            prop_assert_eq!(&encode(&layout, &read).unwrap(), &wire);
            touch(&read);
        }
    }

    #[test]
    fn a_message_read_in_one_layout_is_written_in_the_other(message in message()) {
        let [ascii, bcd] = LAYOUTS.map(|name| Layout::named(name).unwrap());
        let read = decode(&ascii, &encode(&ascii, &message).unwrap()).unwrap();
        let again = decode(&bcd, &encode(&bcd, &read).unwrap()).unwrap();
        prop_assert_eq!(again, message);
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(
        message in message(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..4u8), 1..4),
    ) {
        for name in LAYOUTS {
            let layout = Layout::named(name).unwrap();
            let mut wire = encode(&layout, &message).unwrap();
            for (at, byte, how) in &damage {
                let at = at.index(wire.len());
                match how {
                    0 => wire[at] = *byte,
                    1 => wire[at] ^= 1 << (byte % 8),
                    2 => wire.truncate(at.max(1)),
                    _ => wire.insert(at, *byte),
                }
            }
            if let Ok(read) = decode(&layout, &wire) {
                touch(&read);
                if let Ok(written) = encode(&layout, &read) {
                    prop_assert_eq!(decode(&layout, &written), Ok(read));
                }
            }
        }
    }

    #[test]
    fn fields_set_and_removed_are_as_in_a_map(
        steps in proptest::collection::vec((2..=128u8, proptest::option::of(any::<[u8; 2]>())), 0..60),
    ) {
        let mut message = Message::new(Mti::NETWORK);
        let mut map = std::collections::BTreeMap::new();
        for (field, value) in steps {
            match value {
                Some(value) => {
                    message.set(field, value);
                    map.insert(field, value.to_vec());
                }
                None => prop_assert_eq!(message.remove(field), map.remove(&field).is_some()),
            }
        }
        prop_assert_eq!(message.fields().collect::<Vec<_>>(), map.keys().copied().collect::<Vec<_>>());
        for field in 0..=u8::MAX {
            prop_assert_eq!(message.bytes(field), map.get(&field).map(Vec::as_slice));
        }
    }

    #[test]
    fn tagged_values_survive(pairs in proptest::collection::btree_map("[0-9A-Za-z]{2}", "[0-9a-zآ-ی\n]{0,40}", 0..8)) {
        let mut tags = de48::Tags::new();
        for (tag, value) in &pairs {
            tags.set(tag, value.as_str());
        }
        let content = tags.encode().unwrap();
        prop_assert_eq!(de48::parse(&content), Ok(tags));
    }

    #[test]
    fn an_error_never_repeats_the_card_number(
        pan in "[1-9]{16}", cut in any::<proptest::sample::Index>(), letter in any::<proptest::sample::Index>(),
    ) {
        let layout = Layout::named("ascii").unwrap();
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(2, pan.as_str());
        message.set(48, format!("01003{}", &pan[..3]));
        let mut wire = encode(&layout, &message).unwrap();
        let length = wire.len();
        wire[22 + letter.index(16)] = b'x';
        wire.truncate(22 + cut.index(length - 22));
        let error = decode(&layout, &wire).unwrap_err();
        let said = format!("{error} {error:?}");
        for part in pan.as_bytes().windows(4) {
            prop_assert!(!said.contains(std::str::from_utf8(part).unwrap()));
        }
    }
}

#[test]
fn no_message_is_longer_than_allowed() {
    let layout = Layout::named("ascii").unwrap();
    let mut message = Message::new(Mti::ADMINISTRATIVE);
    for field in [46, 47, 48, 56, 57, 58, 59, 60] {
        message.set(field, [b'x'; 999]);
    }
    let wire = encode(&layout, &message).unwrap();
    assert_eq!(wire.len(), 8036);
    assert!(decode(&layout, &wire).is_ok());
    message.set(61, [b'x'; MAX_MESSAGE_BYTES - 8036 - 3]);
    let wire = encode(&layout, &message).unwrap();
    assert_eq!(wire.len(), MAX_MESSAGE_BYTES);
    assert_eq!(decode(&layout, &wire), Ok(message.clone()));
    message.set(39, "0");
    assert_eq!(
        encode(&layout, &message).unwrap_err().to_string(),
        "field 39 (response code): expected 2 characters, found 1"
    );
    message.set(39, "00");
    assert_eq!(
        encode(&layout, &message).unwrap_err().to_string(),
        "message: expected at most 8192 bytes, found more by field 61"
    );
    assert_eq!(
        decode(&layout, &[b'0'; MAX_MESSAGE_BYTES + 1]).unwrap_err().to_string(),
        "message at byte 8192: expected at most 8192 bytes, found 8193 bytes"
    );
}
