//! What a code of OATH costs, one thread: `cargo bench -p ramz-domain --bench oath`.
//!
//! Cold is everything for one code of one key; warm is one more time step of a question that was asked. A check is what the issuer does
//! with a code that is wrong: two keys, five questions each, three time steps each.

use divan::{Bencher, black_box};
use ramz_domain::oath::{Asked, Inputs, Suite, hotp};

fn main() {
    divan::main();
}

const SUITE: &str = "OCRA-1:HOTP-SHA256-7:QN08-T1M";
const QUESTIONS: [&str; 5] = ["10000000", "10010000", "10020000", "10030000", "10040000"];
const STEP: u64 = 29_400_000;

fn asked(suite: &Suite, key: &[u8], question: &str) -> Asked {
    suite.keyed(key).asked(&Inputs { question, ..Inputs::default() }).expect("a question of the suite")
}

#[divan::bench]
fn cold(bencher: Bencher<'_, '_>) {
    let (suite, key) = (Suite::parse(SUITE).expect("a suite"), [7; 32]);
    bencher.bench(|| asked(&suite, black_box(&key), black_box("10020000")).at(black_box(STEP)));
}

#[divan::bench]
fn warm(bencher: Bencher<'_, '_>) {
    let asked = asked(&Suite::parse(SUITE).expect("a suite"), &[7; 32], "10020000");
    bencher.bench(|| black_box(&asked).at(black_box(STEP)));
}

#[divan::bench]
fn check_of_30_codes(bencher: Bencher<'_, '_>) {
    let suite = Suite::parse(SUITE).expect("a suite");
    let keys = [[7; 32], [8; 32]];
    bencher.bench(|| {
        let mut found = false;
        for key in black_box(&keys) {
            let keyed = suite.keyed(key);
            for question in QUESTIONS {
                let inputs = Inputs { question, ..Inputs::default() };
                let asked = keyed.asked(&inputs).expect("a question of the suite");
                // No early end: the time a check takes must not say which code was right.
                for step in STEP - 1..=STEP + 1 {
                    found |= asked.at(step) == black_box(10_000_000);
                }
            }
        }
        found
    });
}

#[divan::bench]
fn hotp_of_six_digits(bencher: Bencher<'_, '_>) {
    bencher.bench(|| hotp(black_box(&[7; 20]), black_box(1), 6).expect("six digits"));
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    bencher.bench(|| Suite::parse(black_box(SUITE)).expect("a suite"));
}
