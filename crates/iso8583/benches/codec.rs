//! Reading a full 0200 and writing it again, one thread, in each shipped layout: `cargo bench -p ramz-iso8583`.
//!
//! Full: every field of an 0200 that Ramz knows of, with a MAC in the secondary bitmap. `as_read` passes it on unchanged; `changed`
//! takes DE52 out and sets DE48, as the issuer does before it asks the card host; `anew` builds it from its fields, as a payment
//! page does, and writes it.

use std::sync::Arc;

use divan::{Bencher, black_box};
use ramz_iso8583::{Layout, Message, Mti, decode, encode};

fn main() {
    divan::main();
}

const LAYOUTS: [&str; 2] = ["ascii", "bcd"];

const TEXTS: [(u8, &str); 22] = [
    (2, "6104337000000016"),
    (3, "400000"),
    (4, "000001250000"),
    (7, "1124015509"),
    (11, "000417"),
    (12, "052509"),
    (13, "1124"),
    (14, "9912"),
    (18, "5411"),
    (22, "812"),
    (25, "59"),
    (32, "581672061"),
    (35, "6104337000000016=99121010000012345"),
    (37, "632805000417"),
    (41, "14033212"),
    (42, "000000140332124"),
    (43, "NEMUNE SHOP            TEHRAN         IR"),
    (48, "01003777"),
    (49, "364"),
    (53, "2600000000000000"),
    (102, "0100123456789"),
    (103, "5022291000000014"),
];

fn full() -> Message {
    let mut payment = Message::new(Mti::FINANCIAL);
    for (field, text) in TEXTS {
        payment.set(field, text);
    }
    payment.set(52, [0x3A, 0x0F, 0x5C, 0x9E, 0x71, 0xD2, 0xB8, 0x46]);
    payment.set(63, "whatever switch and bank agreed on");
    payment.set(128, [0x11; 8]);
    payment
}

/// The layout, and the full 0200 in it.
fn wire(name: &str) -> (Arc<Layout>, Vec<u8>) {
    let layout = Layout::named(name).expect("shipped");
    let bytes = encode(&layout, &full()).expect("a message of the layout");
    (layout, bytes)
}

#[divan::bench(args = LAYOUTS)]
fn as_read(bencher: Bencher<'_, '_>, name: &str) {
    let (layout, bytes) = wire(name);
    bencher.bench(|| {
        let message = decode(&layout, black_box(&bytes)).expect("just encoded");
        encode(&layout, &message).expect("just decoded")
    });
}

#[divan::bench(args = LAYOUTS)]
fn changed(bencher: Bencher<'_, '_>, name: &str) {
    let (layout, bytes) = wire(name);
    bencher.bench(|| {
        let mut message = decode(&layout, black_box(&bytes)).expect("just encoded");
        message.remove(52);
        message.set(48, "02001D");
        encode(&layout, &message).expect("just decoded")
    });
}

#[divan::bench(args = LAYOUTS)]
fn anew(bencher: Bencher<'_, '_>, name: &str) {
    let (layout, _) = wire(name);
    bencher.bench(|| encode(&layout, black_box(&full())).expect("a message of the layout"));
}

#[divan::bench(args = LAYOUTS)]
fn only_decode(bencher: Bencher<'_, '_>, name: &str) {
    let (layout, bytes) = wire(name);
    bencher.bench(|| decode(&layout, black_box(&bytes)).expect("just encoded"));
}
