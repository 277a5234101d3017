//! What suites mean, and that stages are the whole. The RFC's values and the refusals are in `tests/vectors`.

use super::super::Hash;
use super::*;

fn suite(text: &str) -> Suite {
    Suite::parse(text).unwrap()
}

#[test]
fn a_suite_says_what_goes_in() {
    let all = suite("OCRA-1:HOTP-SHA512-10:C-QH64-PSHA256-S512-T48H");
    assert_eq!((all.hash(), all.digits(), all.has_counter()), (Hash::Sha512, 10, true));
    assert_eq!((all.pin_hash(), all.session_bytes()), (Some(Hash::Sha256), Some(512)));
    assert_eq!((all.step_s(), all.step(172_799), all.step(172_800)), (Some(172_800), Some(0), Some(1)));
    let least = suite("OCRA-1:HOTP-SHA1-4:QN04");
    assert_eq!((least.hash(), least.digits(), least.has_counter()), (Hash::Sha1, 4, false));
    assert_eq!((least.pin_hash(), least.session_bytes(), least.step(60)), (None, None, None));
    assert_eq!(least.to_string(), "OCRA-1:HOTP-SHA1-4:QN04");
    assert_eq!(least.as_str().parse(), Ok(least));
}

#[test]
fn a_time_step_has_seconds_minutes_or_hours() {
    let check = |text: &str, expect: u64| {
        assert_eq!(suite(&format!("OCRA-1:HOTP-SHA1-6:QN08-{text}")).step_s(), Some(expect), "{text}");
    };
    check("T1S", 1);
    check("T59S", 59);
    check("T1M", 60);
    check("T59M", 59 * 60);
    check("T1H", 3600);
    check("T48H", 48 * 3600);
}

#[test]
fn letters_alone_are_the_rfcs_defaults() {
    let short = suite("OCRA-1:HOTP-SHA1-6:Q-P-S-T");
    assert_eq!(short.plan, suite("OCRA-1:HOTP-SHA1-6:QN08-PSHA1-S064-T1M").plan);
    assert_ne!(
        short,
        suite("OCRA-1:HOTP-SHA1-6:QN08-PSHA1-S064-T1M"),
        "their codes differ: the text is hashed"
    );
}

#[test]
fn one_key_answers_many_questions_and_times() {
    let keyed = suite("OCRA-1:HOTP-SHA256-7:QN08-T1M").keyed(&[7; 32]);
    let asked = |question| keyed.asked(&Inputs { question, ..Inputs::default() }).unwrap();
    let (first, second) = (asked("10000000"), asked("20000000"));
    let codes = [first.at(1), first.at(2), second.at(1), second.at(2)];
    assert_eq!(codes, [first.at(1), first.at(2), second.at(1), second.at(2)], "asking changes nothing");
    for (at, code) in codes.iter().enumerate() {
        assert!(*code < 10_000_000 && !codes[..at].contains(code), "{codes:?}");
    }
}

#[test]
fn every_input_is_in_the_code() {
    let keyed = suite("OCRA-1:HOTP-SHA256-9:C-QA08-PSHA1-S003-T1M").keyed(&[7; 32]);
    let (counter, question) = (Some(1), "question");
    let (pin_hash, session): (Option<&[u8]>, Option<&[u8]>) = (Some(&[1; 20]), Some(b"abc"));
    let inputs = Inputs { counter, question, pin_hash, session };
    let code = |inputs: Inputs<'_>| keyed.asked(&inputs).unwrap().at(1);
    let others = [
        code(Inputs { counter: Some(2), ..inputs }),
        code(Inputs { question: "questioN", ..inputs }),
        code(Inputs { pin_hash: Some(&[2; 20]), ..inputs }),
        code(Inputs { session: Some(b"abd"), ..inputs }),
        keyed.asked(&inputs).unwrap().at(2),
    ];
    assert!(!others.contains(&code(inputs)), "{others:?}");
}

#[test]
#[should_panic(expected = "ask code()")]
fn a_suite_without_t_has_no_code_of_a_time() {
    let asked = suite("OCRA-1:HOTP-SHA1-6:QN08").keyed(b"key");
    let _ = asked.asked(&Inputs { question: "1", ..Inputs::default() }).unwrap().at(1);
}

#[test]
#[should_panic(expected = "ask at()")]
fn a_suite_with_t_has_no_code_without_a_time() {
    let asked = suite("OCRA-1:HOTP-SHA1-6:QN08-T1M").keyed(b"key");
    let _ = asked.asked(&Inputs { question: "1", ..Inputs::default() }).unwrap().code();
}

#[test]
fn debug_shows_nothing_of_key_and_inputs() {
    let inputs = Inputs { question: "13572468", ..Inputs::default() };
    let keyed = suite("OCRA-1:HOTP-SHA1-6:QN08").keyed(b"key");
    let asked = keyed.asked(&inputs).unwrap();
    assert_eq!(format!("{inputs:?} {keyed:?} {asked:?}"), "Inputs(…) Keyed(…) Asked(…)");
}
