//! What it costs to decide about a payment with a code of the app, one thread, all but store and sockets:
//! `cargo bench -p ramz-issuer`. The card is on two devices and has a PIN by SMS open; the bank has four ceilings.
//!
//! `right` is a code that pays, `wrong` one that matches nothing and is looked for in other minutes too. Each has the PIN block decoded, both
//! seeds opened, all codes computed and compared, the decision, and the row written as bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use divan::{Bencher, black_box};
use ramz_domain::card::*;
use ramz_domain::oath::{Inputs, Suite, shown};
use ramz_domain::{
    AdmissionId, CardId, ChallengeId, DeviceId, Digest, Entropy, Language, Moment, Pan, PaymentKind, Pin,
    Rial, TokenId,
};
use ramz_keys::{
    CodeSource, KeyRing, Keys as _, PinBlock, PinBlockFormat, PinSource, Place, SoftKeys, Sources,
    ZoneCipher, ZoneKey, seal_seed,
};

fn main() {
    divan::main();
}

const CARD: CardId = CardId([1; 16]);
const COLUMNS: [&str; 2] = ["card.seed_0", "card.seed_1"];
const SEEDS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

/// Bytes that count up.
#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed));
    }
}

fn now() -> Moment {
    Moment::from_unix_ms(1_795_485_164_000)
}

struct Bank {
    keys: SoftKeys,
    state: CardState,
    sealed: Vec<Vec<u8>>,
    pan: Pan,
    policy: Policy,
}

impl Bank {
    fn open() -> Bank {
        let entropy = Counting::default();
        let mut ring = KeyRing::generate(&entropy);
        let zone: Vec<u8> = (0..16).map(|n| n * 3 + 1).collect();
        ring.add_zone("switch", ZoneKey::new(ZoneCipher::Tdea, &zone).expect("a key")).expect("a name");
        let (keys, policy) = (SoftKeys::new(ring, Arc::new(entropy)), Policy::default());
        let details = CardDetails {
            status: CardStatus::Active,
            language: Language::Persian,
            expiry: ExpiryTag { version: 1, bytes: [7; 32] },
            has_phone: true,
            product: None,
            consent: None,
            limits: CardLimits::default(),
        };
        let (mut state, _) = CardState::create(details, now());
        let mut sealed = Vec::new();
        let to = keys.receive_key().expect("a receive key");
        for (n, seed) in SEEDS.iter().enumerate() {
            let id = TokenId([u8::try_from(n).expect("two"); 16]);
            let phone = seal_seed(&to, seed, b"", &Counting::default()).expect("a seed");
            let place = Place { row: &CARD.0, column: COLUMNS[n] };
            let taken = keys.take_seed(&phone.received(b""), place, &id.0).expect("a seed");
            let column = u8::try_from(n).expect("two");
            let new = NewToken { id, device: DeviceId(id.0), column, seed: Mark(taken.mark) };
            state = next(&state, &Command::App(AppCommand::Add(new)), &policy);
            sealed.push(taken.sealed);
        }
        state = next(&state, &request(), &policy);
        let pan = Pan::parse("6104337000000016").expect("a PAN");
        Bank { keys, state, sealed, pan, policy }
    }

    fn block(&self, code: &str) -> PinBlock {
        let pin = Pin::parse(code).expect("a PIN");
        self.keys.make_pin_block(&pin, &self.pan, "switch", PinBlockFormat::Iso0).expect("a block")
    }

    fn matches(
        &self,
        block: &PinBlock,
        candidates: &[Candidate],
        ranges: &[CodeRange],
    ) -> (Vec<ChallengeId>, Vec<CodeFound>) {
        let pin = |c: &Candidate| PinSource {
            version: c.key_version,
            digits: c.digits,
            card: CARD,
            challenge: c.id,
            payment: c.payment,
        };
        let code = |range: &CodeRange| CodeSource {
            place: Place { row: &CARD.0, column: COLUMNS[usize::from(range.column)] },
            sealed: &self.sealed[usize::from(range.column)],
            owner: range.token.0,
            digits: range.digits,
            purpose: range.purpose.digit(),
            ceilings: range.ceilings,
            first_step: *range.steps.start(),
            last_step: *range.steps.end(),
        };
        let (pins, codes) =
            (candidates.iter().map(pin).collect::<Vec<_>>(), ranges.iter().map(code).collect::<Vec<_>>());
        let found =
            self.keys.pin_block_matches(block, "switch", &self.pan, &Sources { pins: &pins, codes: &codes });
        let found = found.expect("keys that are there");
        let codes = found.codes.iter().map(|one| {
            let CodeRange { token, purpose, .. } = ranges[one.source];
            CodeFound { token, purpose, step: one.step, ceiling: one.ceiling }
        });
        (found.pins.iter().map(|at| candidates[*at].id).collect(), codes.collect())
    }

    /// All that is decided about a payment, and the bytes of the row after it.
    fn check(&self, block: &PinBlock, command: &Command) -> (Answer, Vec<u8>) {
        let at = self.state.at(now());
        let candidates = at.candidates(command, true, &self.policy);
        let ranges = at.codes(command, true, &self.policy);
        let (matched, codes) = self.matches(block, &candidates, &ranges);
        let far = if matched.is_empty() && codes.is_empty() {
            self.matches(block, &[], &at.far_codes(command, true, &self.policy)).1
        } else {
            Vec::new()
        };
        let evidence = Evidence { expiry_matches: true, matched, codes, far, ..Evidence::default() };
        let decided = at.decide(command, &evidence, &self.policy);
        (
            decided.answer,
            decided.next.expect("a decision that changes something").encode().expect("a row that fits"),
        )
    }
}

fn next(state: &CardState, command: &Command, policy: &Policy) -> CardState {
    let decided = state.at(now()).decide(command, &Evidence::default(), policy);
    decided.next.expect("a decision that changes something")
}

fn request() -> Command {
    Command::Request(PinRequest {
        admission: AdmissionId([1; 16]),
        payment: Digest([1; 32]),
        payee: Digest([2; 32]),
        kind: PaymentKind::Purchase,
        amount: Rial::ZERO,
        payee_name: None,
        origin: None,
        fresh: ChallengeId([1; 16]),
        key_version: 1,
        not_after: now(),
        door: Mark([3; 16]),
        withheld: None,
    })
}

fn payment() -> Command {
    Command::Authorise(Authorisation {
        identity: Mark([1; 16]),
        contents: vec![Mark([2; 16])],
        reversal: Mark([3; 16]),
        trace: None,
        reference: None,
        payments: vec![Digest([9; 32])],
        slot: Slot::Second,
        kind: Some(PaymentKind::Purchase),
        amount: Rial::new(1_000_000).expect("an amount"),
        door: Mark([4; 16]),
        transmitted: None,
    })
}

#[divan::bench]
fn right(bencher: Bencher<'_, '_>) {
    let (bank, command) = (Bank::open(), payment());
    let suite = Suite::parse("OCRA-1:HOTP-SHA256-7:QN08-T1M").expect("a suite");
    let inputs = Inputs { counter: None, question: "20010000", pin_hash: None, session: None };
    let code = suite.keyed(&SEEDS[1]).asked(&inputs).expect("inputs that fit").at(step_at(now()));
    let block = bank.block(&shown(code, 7));
    assert!(matches!(bank.check(&block, &command).0, Answer::AskHost { .. }), "it pays");
    bencher.bench(|| black_box(&bank).check(black_box(&block), &command));
}

#[divan::bench]
fn wrong(bencher: Bencher<'_, '_>) {
    let (bank, command) = (Bank::open(), payment());
    let block = bank.block("7654321");
    assert!(matches!(bank.check(&block, &command).0, Answer::Refused(_)), "it does not");
    bencher.bench(|| black_box(&bank).check(black_box(&block), &command));
}
