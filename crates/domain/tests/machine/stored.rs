//! Rows that earlier releases stored, byte by byte: each reads as what it meant, and goes on. And what a row of today is to
//! the release before.

use minicbor::Decode;
use ramz_domain::card::{CardState, Policy};
use ramz_domain::{ChallengeId, Refusal};

use crate::cards::{Card, Pay, second};

/// As the first release wrote it, 36 s after the test began: A spent and paid after a resend and a wrong PIN, B and C open, one
/// wrong expiry. It knows no SMS that went out, no doors, and no reversal of ours.
const FIRST_RELEASE: &str = "\
    ab0001011b0000018bcfe5f0b802000300048201582007070707070707070707070707070707070707070707070707070707\
    0707070705f50682ab005079764bb7890574e2d027df2e13b7e5e501070201035820f0b91430e3d32a4812ac25dc146bb7b0\
    9bb1032f953a8aad7bdbd7ab3df4839f04582050bae2869ff1e97ff99ca2ac39d130825d0e806bd0cf8d1a760787b0d53375\
    480500061903e8076473686f70091b0000018bcfe7b5d80a1b0000018bcfe5e1180b81509806a4ebebc57357b4ffa38e800b\
    54d4ab00506d935d3bc9bbfc0dbb978075fe511ffd010702010358208f3245a193014a764d7fd47a3d39d0aa5dea473e2b60\
    4b93b7976180b50d8bd7045820f5939ba28ac263d6ecbe5f4a2037102b5eddd24b6e4ec9d9e2e2dceeb57328110500061903\
    e8076473686f70091b0000018bcfe7c1900a1b0000018bcfe5ecd00b8150e31fb9db3a6178f6ecf11d8804a5c9ac0781a600\
    50e11b593fc2f39f5d7ce80e74eb14c9e001070201035820844d6fff2b4fd5f9a9d0d1f41b122440150e4e4647ce4a9e4024\
    c760fa3f6015041b0000018bcfe5e8e805825033a9ad94d9086036304354b33cca5b6a50bd0536a06fa409ee84bdcf20d2ef\
    623408a20000020009818350bba0cf0b7be75819479fb7998101f4311b0000018bcfe5f0b850bb962b2031ee9204f7fad8a8\
    ea3379200a82a600504821acd1591216fe35eaa08886682c12015038ed497d988fb3197434d26432a6d83e0250e7b7c917e2\
    2f1ea90fea53bbdaaa5250035001850fa8fcbc5528f8a2074fcdfb5133041b0000018bcfe5e5000582018104a600505cf810\
    eb7838502cc8a6691fffce3a8a015038ed497d988fb3197434d26432a6d83e0250335fd680110286fdae8189208e3d175b03\
    509382ce09631566d0749c5ad69384e46a041b0000018bcfe5e8e805820281a100623030\
";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |b: u8| u8::try_from(char::from(b).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn a_row_of_the_first_release_reads_and_goes_on() {
    let state = CardState::decode(&bytes(FIRST_RELEASE)).unwrap();
    assert_eq!((state.open(second(36)).count(), state.failures()), (2, 0));
    assert_eq!(state.unspent_sends(second(36)), 0);
    assert_eq!(state.sends_held_until(&Policy::default(), second(36)), None);
    let mut card = Card::of(state);
    assert_eq!(card.pay(Pay::right("A", "t1"), 36), "00 as before");
    assert_eq!(card.pay(Pay::right("A", "t2"), 36), "55 stale_pin");
    assert_eq!(card.pay(Pay::right("B", "t3"), 37), "ask host");
    assert_eq!(card.give_up("t3"), "91, ours to reverse");
    assert!(
        card.ask_as("C+1", "another", 38).starts_with("sent"),
        "C's door is not known: it had no share yet"
    );
    assert_eq!(card.pay(Pay::right("C", "t4"), 39), "ask host");
}

/// The first release's rules for a row, as far as they decide whether it reads at all: the format it knows, the members
/// it knows, and the outcomes that it can give again.
#[derive(Decode)]
#[cbor(map)]
struct FirstReleaseState {
    #[n(0)]
    format: u8,
    #[n(6)]
    open: Vec<FirstReleaseChallenge>,
    #[n(10)]
    answers: Vec<FirstReleaseAnswered>,
}

#[derive(Decode)]
#[cbor(map)]
struct FirstReleaseChallenge {
    #[n(0)]
    id: ChallengeId,
}

#[derive(Decode)]
#[cbor(map)]
struct FirstReleaseAnswered {
    #[n(5)]
    outcome: FirstReleaseOutcome,
    /// The release before today's reads it, and knows 0 to 19.
    #[n(9)]
    refused: Option<u8>,
}

#[derive(Decode)]
#[cbor(map)]
struct FirstReleaseHostAnswer {
    #[n(0)]
    response_code: String,
}

#[derive(Decode)]
enum FirstReleaseOutcome {
    #[n(0)]
    Awaiting,
    /// By its number: this release knows 0 to 14, and the one before today's 0 to 19.
    #[n(1)]
    Refused(#[n(0)] u8),
    #[n(2)]
    Host(#[n(0)] FirstReleaseHostAnswer),
    #[n(3)]
    Reversed,
}

#[test]
fn a_row_of_today_reads_in_the_first_release() {
    let mut card = Card::active();
    card.ask("A", 0);
    card.pay(Pay::right("A", "t1"), 1);
    card.give_up("t1");
    card.ask("B@door", 2);
    card.pay(Pay::wrong("B", "w1"), 3);
    card.ask("C", 4);
    card.pay(Pay::right("C", "t2"), 5);
    card.reverse("t2", 6);
    card.ask("D", 7);
    card.pay(Pay::right("D", "t3"), 8);
    card.ask("E", 8);
    card.pay(Pay::right("E", "t4"), 8);
    card.host_with_all("t4");
    card.add_token("phone");
    card.pay(Pay::code("c1", 10, 0), 9);
    card.pay(Pay::code("c2", 0, 1).of_rial(1_000_001), 9);
    let row: FirstReleaseState = minicbor::decode(&card.state().encode().unwrap()).unwrap();
    let open: Vec<_> = card.state().open(card.clock()).map(|challenge| challenge.id).collect();
    assert_eq!((row.format, row.open.iter().map(|c| c.id).collect::<Vec<_>>()), (1, open));
    let outcomes = row.answers.iter().map(|answer| match &answer.outcome {
        FirstReleaseOutcome::Awaiting => "awaiting",
        FirstReleaseOutcome::Refused(number) => {
            assert!(*number <= 14, "a refusal of number {number}: the first release cannot read the row");
            Refusal::ALL[usize::from(*number)].code()
        }
        // Given up: to the first release, a host that said 91.
        FirstReleaseOutcome::Host(answer) => &answer.response_code,
        FirstReleaseOutcome::Reversed => "reversed",
    });
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        ["91", "wrong_pin", "reversed", "awaiting", "10", "wrong_pin", "61"]
    );
    assert!(row.answers.iter().all(|answer| answer.refused.is_none_or(|number| number <= 19)));
}
