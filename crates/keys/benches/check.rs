//! What it costs to know what was presented, one thread: `cargo bench -p ramz-keys`.
//!
//! `whole` is the check of a busy card: a PIN block is decoded, the seeds of two tokens are opened, and their codes of five
//! ceilings at three time steps are computed and compared, with two PINs. `pins` is the same without the tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use divan::{Bencher, black_box};
use ramz_domain::{CardId, ChallengeId, Digest, Entropy, Pan, Pin};
use ramz_keys::{
    CodeSource, KeyRing, Keys as _, PinBlockFormat, PinSource, Place, SoftKeys, Sources, ZoneCipher, ZoneKey,
    seal_seed,
};

fn main() {
    divan::main();
}

/// Bytes that count up.
#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed));
    }
}

const STEP: u64 = 29_400_000;
const PLACES: [Place<'static>; 2] =
    [Place { row: &[1; 16], column: "token.seed" }, Place { row: &[2; 16], column: "token.seed" }];
const OWNERS: [[u8; 16]; 2] = [[1; 16], [2; 16]];

fn keys() -> SoftKeys {
    let entropy = Counting::default();
    let mut ring = KeyRing::generate(&entropy);
    let zone: Vec<u8> = (0..16).map(|n| n * 3 + 1).collect();
    ring.add_zone("tdea", ZoneKey::new(ZoneCipher::Tdea, &zone).expect("a key")).expect("a name");
    ring.add_zone("aes", ZoneKey::new(ZoneCipher::Aes, &[9; 32]).expect("a key")).expect("a name");
    SoftKeys::new(ring, Arc::new(entropy))
}

fn columns(keys: &SoftKeys) -> [Vec<u8>; 2] {
    let to = keys.receive_key().expect("a key");
    [0, 1].map(|n: usize| {
        let sealed = seal_seed(&to, &[7; 32], b"", &Counting::default()).expect("a seed");
        keys.take_seed(&sealed.received(b""), PLACES[n], &OWNERS[n]).expect("a seed").sealed
    })
}

fn check(bencher: Bencher<'_, '_>, zone: &str, format: PinBlockFormat, tokens: usize) {
    let keys = keys();
    let columns = columns(&keys);
    let source = |n: usize| CodeSource {
        place: PLACES[n],
        sealed: &columns[n],
        owner: OWNERS[n],
        digits: 7,
        purpose: 2,
        ceilings: 4,
        first_step: STEP - 1,
        last_step: STEP + 1,
    };
    let pin = |n: u8| PinSource {
        version: 1,
        digits: 7,
        card: CardId([1; 16]),
        challenge: ChallengeId([n; 16]),
        payment: Digest([3; 32]),
    };
    let (pins, codes) = ([pin(1), pin(2)], [source(0), source(1)]);
    let pan = Pan::parse("6104337000000016").expect("a PAN");
    let presented = Pin::parse("7654321").expect("a PIN");
    let block = keys.make_pin_block(&presented, &pan, zone, format).expect("a block");
    let sources = Sources { pins: &pins, codes: &codes[..tokens] };
    bencher.bench(|| black_box(&keys).pin_block_matches(black_box(&block), zone, &pan, black_box(&sources)));
}

#[divan::bench]
fn whole_format_0(bencher: Bencher<'_, '_>) {
    check(bencher, "tdea", PinBlockFormat::Iso0, 2);
}

#[divan::bench]
fn whole_format_4(bencher: Bencher<'_, '_>) {
    check(bencher, "aes", PinBlockFormat::Iso4, 2);
}

#[divan::bench]
fn pins_format_0(bencher: Bencher<'_, '_>) {
    check(bencher, "tdea", PinBlockFormat::Iso0, 0);
}

#[divan::bench]
fn open_a_seed(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let [column, _] = columns(&keys);
    bencher.bench(|| black_box(&keys).open(PLACES[0], black_box(&column)));
}

#[divan::bench]
fn take_a_seed(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let to = keys.receive_key().expect("a key");
    let sealed = seal_seed(&to, &[7; 32], b"", &Counting::default()).expect("a seed");
    bencher.bench(|| black_box(&keys).take_seed(&sealed.received(b""), PLACES[0], &OWNERS[0]));
}

#[divan::bench]
fn publish_the_receive_key(bencher: Bencher<'_, '_>) {
    let keys = keys();
    bencher.bench(|| black_box(&keys).receive_key());
}
