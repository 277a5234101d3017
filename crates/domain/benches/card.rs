//! The decision core: a spend on a busy card, and its row in bytes, one thread: `cargo bench -p ramz-domain`.
//!
//! The card has three open challenges and eight that were spent, the most that it may have and remembers, and the answers
//! to these eight payments. `spend` is both steps of a decision, as for every command: what would have to match, and what follows
//! from the match. The keys and the store are not in it.

use divan::{Bencher, black_box};
use ramz_domain::card::{
    Authorisation, CardDetails, CardLimits, CardState, CardStatus, Command, Evidence, ExpiryTag, HostAnswer,
    Mark, PinRequest, Policy, Slot,
};
use ramz_domain::{AdmissionId, ChallengeId, Digest, Language, Moment, PayeeName, PaymentKind, Rial, limits};

fn main() {
    divan::main();
}

fn second(s: u64) -> Moment {
    Moment::from_unix_ms(1_700_000_000_000 + s * 1000)
}

fn request(name: &str, now: Moment) -> Command {
    let Mark(id) = Mark::of(&[name.as_bytes()]);
    Command::Request(PinRequest {
        admission: AdmissionId(id),
        payment: Digest::of(&[name.as_bytes()]),
        payee: Digest::of(&[b"payee", name.as_bytes()]),
        kind: PaymentKind::Purchase,
        amount: Rial::new(1_250_000).expect("an amount"),
        payee_name: PayeeName::parse("فروشگاه نمونه").ok(),
        origin: Some("pay.example".into()),
        fresh: ChallengeId(id),
        key_version: 1,
        not_after: now.plus(limits::STALE_KEPT),
        door: Mark::of(&[b"payer", name.as_bytes()]),
        withheld: None,
    })
}

fn payment(name: &str) -> Command {
    let mark = |what: &str| Mark::of(&[what.as_bytes(), name.as_bytes()]);
    Command::Authorise(Authorisation {
        identity: mark("identity"),
        contents: vec![mark("content")],
        reversal: mark("reversal"),
        trace: Some(mark("trace")),
        reference: Some(mark("reference")),
        payments: vec![Digest::of(&[name.as_bytes()])],
        slot: Slot::Second,
        kind: Some(PaymentKind::Purchase),
        amount: Rial::ZERO,
        door: mark("door"),
        transmitted: Some(1_124_015_244),
    })
}

/// Decides, with the PIN of the payment of that name if it is among the candidates. The next state, and how many candidates.
fn decide(
    state: &CardState,
    command: &Command,
    name: &str,
    now: Moment,
    policy: &Policy,
) -> (CardState, usize) {
    let at = state.at(now);
    let right = Digest::of(&[name.as_bytes()]);
    let candidates = at.candidates(command, true, policy);
    let matched = candidates.iter().filter(|one| one.payment == right).map(|one| one.id).collect();
    let compared = candidates.len();
    let decided =
        at.decide(command, &Evidence { expiry_matches: true, matched, ..Evidence::default() }, policy);
    (decided.next.expect("a decision that changes something"), compared)
}

/// Eight payments, then three requests.
fn busy(policy: &Policy) -> CardState {
    let expiry = ExpiryTag { version: 1, bytes: [7; 32] };
    let details = CardDetails {
        status: CardStatus::Active,
        language: Language::Persian,
        expiry,
        has_phone: true,
        product: None,
        consent: None,
        limits: CardLimits::default(),
    };
    let (mut state, _) = CardState::create(details, second(0));
    for n in 0..limits::STALE_CHALLENGES_MAX as u64 {
        let (name, now) = (format!("spent {n}"), second(n));
        state = decide(&state, &request(&name, now), &name, now, policy).0;
        state = decide(&state, &payment(&name), &name, now, policy).0;
        let answer = HostAnswer {
            response_code: "00".into(),
            authorisation_code: Some("A1B2C3".into()),
            reference: Some("632805000417".into()),
            ..HostAnswer::default()
        };
        let identity = Mark::of(&[b"identity", name.as_bytes()]);
        state = decide(&state, &Command::HostAnswered { identity, answer }, &name, now, policy).0;
    }
    for n in 0..limits::OPEN_CHALLENGES_MAX as u64 {
        let (name, now) = (format!("open {n}"), second(60 + n));
        state = decide(&state, &request(&name, now), &name, now, policy).0;
    }
    assert_eq!(state.open(second(70)).count(), limits::OPEN_CHALLENGES_MAX);
    state
}

#[divan::bench]
fn spend(bencher: Bencher<'_, '_>) {
    let policy = Policy::default();
    let (state, command, now) = (busy(&policy), payment("open 1"), second(70));
    let (spent, compared) = decide(&state, &command, "open 1", now, &policy);
    assert_eq!(
        compared,
        limits::OPEN_CHALLENGES_MAX + limits::STALE_CHALLENGES_MAX,
        "open and stale are compared"
    );
    assert_eq!(spent.open(now).count(), limits::OPEN_CHALLENGES_MAX - 1, "the PIN is spent");
    let evidence = {
        let at = state.at(now);
        let candidates = at.candidates(&command, true, &policy);
        let right = Digest::of(&[b"open 1"]);
        let matched = candidates.iter().filter(|one| one.payment == right).map(|one| one.id).collect();
        Evidence { expiry_matches: true, matched, ..Evidence::default() }
    };
    bencher.bench(|| {
        let at = black_box(&state).at(now);
        let candidates = at.candidates(&command, true, &policy);
        black_box(&candidates);
        at.decide(&command, &evidence, &policy)
    });
}

#[divan::bench]
fn encode_row(bencher: Bencher<'_, '_>) {
    let state = busy(&Policy::default());
    bencher.bench(|| black_box(&state).encode().expect("a row that fits"));
}

#[divan::bench]
fn decode_row(bencher: Bencher<'_, '_>) {
    let row = busy(&Policy::default()).encode().expect("a row that fits");
    bencher.bench(|| CardState::decode(black_box(&row)).expect("a row"));
}
