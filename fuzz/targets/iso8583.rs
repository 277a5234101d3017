//! ISO 8583: any bytes are read or refused, in the shipped layouts and in the sample that is a file. What was read is written as it
//! was; its fields, set anew, are written so that they are read again.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ramz_iso8583::{Layout, Message, de48, decode, encode, masked};

static LAYOUTS: LazyLock<[Arc<Layout>; 3]> = LazyLock::new(|| {
    let sample = Layout::from_toml(include_str!("../../docs/reference/layouts/tpdu.toml"))
        .expect("the sample is a layout");
    [Layout::named("ascii").expect("shipped"), Layout::named("bcd").expect("shipped"), Arc::new(sample)]
});

fuzz_target!(|bytes: &[u8]| {
    for layout in LAYOUTS.iter() {
        let Ok(read) = decode(layout, bytes) else { continue };
        assert_eq!(encode(layout, &read).as_deref(), Ok(bytes), "as it was read");
        let _ = (format!("{read:?}"), masked(&read), read.bytes(48).map(de48::parse));

        let mut anew = Message::new(read.mti());
        for field in read.fields() {
            assert!(read.span(field).is_some_and(|span| span.start < span.end && span.end <= bytes.len()));
            anew.set(field, read.bytes(field).expect("a field that is there"));
        }
        let written = encode(layout, &anew).expect("what was read can be written");
        assert_eq!(decode(layout, &written).expect("what was written can be read"), read);

        // Changed in one field: the others are copied, and are what they were.
        if let Some(field) = read.fields().next() {
            let mut less = read.clone();
            less.remove(field);
            let written = encode(layout, &less).expect("one field less");
            assert_eq!(decode(layout, &written).expect("one field less"), less);
        }
        for other in LAYOUTS.iter() {
            let _ = encode(other, &read)
                .map(|bytes| decode(other, &bytes).expect("what was written can be read"));
        }
    }
});
