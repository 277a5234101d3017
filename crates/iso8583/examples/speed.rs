//! How many 0200s a second one thread reads and writes again, in each shipped layout:
//! `cargo run --release -p ramz-iso8583 --example speed`.

use std::hint::black_box;
use std::time::Instant;

use ramz_iso8583::{Layout, Message, Mti, decode, encode};

fn main() {
    let mut payment = Message::new(Mti::FINANCIAL);
    for (field, value) in [
        (2, "6104337000000016"),
        (3, "000000"),
        (4, "000001250000"),
        (7, "1124015509"),
        (11, "000417"),
        (12, "052509"),
        (13, "1124"),
        (14, "9912"),
        (18, "5411"),
        (22, "012"),
        (25, "59"),
        (32, "581672061"),
        (37, "632805000417"),
        (41, "14033212"),
        (42, "000000140332124"),
        (43, "NEMUNE SHOP            TEHRAN         IR"),
        (48, "01003777"),
        (49, "364"),
    ] {
        payment.set(field, value);
    }
    payment.set(52, [0x3A, 0x0F, 0x5C, 0x9E, 0x71, 0xD2, 0xB8, 0x46]);
    payment.set(64, [0x11; 8]);
    for name in ["ascii", "bcd"] {
        let layout = Layout::named(name).expect("shipped");
        let wire = encode(&layout, &payment).expect("a message of the layout");
        for (what, change) in [("unchanged", false), ("DE52 out, DE48 set", true)] {
            let rounds = 500_000;
            let start = Instant::now();
            for _ in 0..rounds {
                let mut message = decode(&layout, black_box(&wire)).expect("just encoded");
                if change {
                    message.remove(52);
                    message.set(48, "02001D");
                }
                black_box(encode(&layout, &message).expect("just decoded"));
            }
            say(name, what, f64::from(rounds) / start.elapsed().as_secs_f64());
        }
    }
}

#[expect(clippy::print_stdout, reason = "an example says its result")]
fn say(layout: &str, what: &str, per_second: f64) {
    println!("{layout}, {what}: {per_second:.0} unpack + pack a second");
}
