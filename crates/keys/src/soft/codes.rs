//! What a presented PIN is compared with: PINs of challenges, and the codes of tokens (OCRA, RFC 6287).
//!
//! Everything is computed and compared before any result is looked at, so that the time a check takes says neither
//! which of them was right nor whether one was. What cannot be computed is a fault and ends the check.

use ramz_domain::oath::{Inputs, Suite};
use ramz_domain::{Pin, limits};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroize as _;

use super::verbs::SoftKeys;
use crate::port::{CodeMatch, CodeSource, KeyFault, Matches, Sources};

/// The suites that tokens speak, read once. Their text is part of what is hashed.
pub(super) struct Suites {
    seven: Suite,
    eight: Suite,
}

impl Suites {
    pub(super) fn new() -> Suites {
        let suite = |text| Suite::parse(text).expect("a suite of RFC 6287");
        Suites {
            seven: suite("OCRA-1:HOTP-SHA256-7:QN08-T1M"),
            eight: suite("OCRA-1:HOTP-SHA256-8:QN08-T1M"),
        }
    }

    fn of(&self, digits: u8) -> Result<&Suite, KeyFault> {
        match digits {
            7 => Ok(&self.seven),
            8 => Ok(&self.eight),
            _ => Err(KeyFault::Store(format!("a code of {digits} digits was asked for; it has 7 or 8"))),
        }
    }
}

/// A PIN as a number with its length. Wiped on drop.
struct Presented {
    number: u64,
    digits: u64,
}

impl Presented {
    fn of(pin: &Pin) -> Presented {
        // At most twelve digits.
        let digits = pin.expose().bytes();
        let number = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        Presented { number, digits: pin.expose().len() as u64 }
    }

    /// One of another length has leading zeros too few or too many: it is not the same, and takes the same time.
    fn is(&self, number: u64, digits: u8) -> Choice {
        self.number.ct_eq(&number) & self.digits.ct_eq(&u64::from(digits))
    }
}

impl Drop for Presented {
    fn drop(&mut self) {
        self.number.zeroize();
        self.digits.zeroize();
    }
}

impl CodeSource<'_> {
    /// How many time steps it has, each of them within the range of a `u64`.
    fn steps(&self) -> Result<u64, KeyFault> {
        let CodeSource { first_step, last_step, .. } = self;
        let after_first = last_step.checked_sub(*first_step);
        after_first.filter(|after| *after < limits::CODE_TIME_STEPS_MAX).map(|after| after + 1).ok_or_else(
            || {
                KeyFault::Store(format!(
                    "codes of the time steps {first_step} to {last_step} were asked for; a check has 1 to {}",
                    limits::CODE_TIME_STEPS_MAX
                ))
            },
        )
    }

    /// The question of a ceiling, `SCCC0000`. It does not begin with 0, so no two are the same number.
    fn question(&self, ceiling: u8) -> Result<[u8; 8], KeyFault> {
        let digit = |n: u8| b'0' + n % 10;
        match self.purpose {
            1 | 2 | 9 => {
                let (hundreds, tens) = (digit(ceiling / 100), digit(ceiling / 10));
                Ok([digit(self.purpose), hundreds, tens, digit(ceiling), b'0', b'0', b'0', b'0'])
            }
            other => Err(KeyFault::Store(format!(
                "a code of purpose {other} was asked for; 1 is a first PIN, 2 a second, 9 control"
            ))),
        }
    }
}

impl SoftKeys {
    pub(super) fn compare(&self, presented: &Pin, sources: &Sources<'_>) -> Result<Matches, KeyFault> {
        let presented = Presented::of(presented);
        let pins = sources.pins.iter().map(|source| {
            let number = self.pin_number(source)?;
            Ok(presented.is(number, source.digits))
        });
        let pins: Vec<Choice> = pins.collect::<Result<_, KeyFault>>()?;
        let mut codes = Vec::new();
        for source in sources.codes {
            self.compare_codes(&presented, source, &mut codes)?;
        }
        // From here on results are looked at.
        let matched = pins.into_iter().enumerate();
        let mut matches = Matches {
            pins: matched.filter_map(|(at, same)| bool::from(same).then_some(at)).collect(),
            codes: Vec::new(),
        };
        let mut same = codes.into_iter();
        for (source, of) in sources.codes.iter().enumerate() {
            for ceiling in 0..=of.ceilings {
                let steps = of.first_step..=of.last_step;
                let matched = steps.zip(same.by_ref()).filter(|(_, same)| bool::from(*same));
                matches.codes.extend(matched.map(|(step, _)| CodeMatch { source, step, ceiling }));
            }
        }
        Ok(matches)
    }

    /// A result for each ceiling and each time step, in this order.
    fn compare_codes(
        &self,
        presented: &Presented,
        source: &CodeSource<'_>,
        results: &mut Vec<Choice>,
    ) -> Result<(), KeyFault> {
        let steps = source.steps()?;
        let suite = self.suites.of(source.digits)?;
        let keyed = suite.keyed(self.open_seed(source)?.seed());
        results.reserve((usize::from(source.ceilings) + 1) * usize::try_from(steps).unwrap_or_default());
        for ceiling in 0..=source.ceilings {
            let question = source.question(ceiling)?;
            let inputs =
                Inputs { question: str::from_utf8(&question).unwrap_or_default(), ..Inputs::default() };
            let asked = keyed.asked(&inputs).map_err(|error| KeyFault::Store(error.to_string()))?;
            for step in source.first_step..=source.last_step {
                results.push(presented.is(asked.at(step), source.digits));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ramz_domain::oath;
    use ramz_domain::{CardId, ChallengeId, Digest, Pan};

    use super::*;
    use crate::soft::tests::Counting;
    use crate::{KeyRing, Keys as _, PinBlockFormat, PinSource, Place, ZoneCipher, ZoneKey, seal_seed};

    /// Both tokens' columns stand in the card's row.
    const PLACE: Place<'static> = Place { row: &[4; 16], column: "token.seed" };
    const TOKENS: [[u8; 16]; 2] = [[0xa1; 16], [0xb2; 16]];
    const SEEDS: [[u8; 32]; 2] = [[0x5e; 32], [0x6f; 32]];
    const STEP: u64 = 29_400_000;

    fn keys() -> SoftKeys {
        let entropy = Counting::default();
        let mut ring = KeyRing::generate(&entropy);
        ring.add_zone("host", ZoneKey::new(ZoneCipher::Aes, &[9; 32]).unwrap()).unwrap();
        SoftKeys::new(ring, Arc::new(entropy))
    }

    /// The columns of both tokens, as phones bring them about.
    fn columns(keys: &SoftKeys) -> [Vec<u8>; 2] {
        [0, 1].map(|n: usize| {
            let to = keys.receive_key().unwrap();
            let sealed = seal_seed(&to, &SEEDS[n], b"", keys.entropy.as_ref()).unwrap();
            keys.take_seed(&sealed.received(b""), PLACE, &TOKENS[n]).unwrap().sealed
        })
    }

    fn source(sealed: &[u8]) -> CodeSource<'_> {
        CodeSource {
            place: PLACE,
            sealed,
            owner: TOKENS[0],
            digits: 7,
            purpose: 1,
            ceilings: 4,
            first_step: STEP - 1,
            last_step: STEP + 1,
        }
    }

    /// As a phone shows it: with its zeros.
    fn shown(seed: &[u8; 32], suite: &str, question: &str, step: u64) -> String {
        let inputs = Inputs { question, ..Inputs::default() };
        let suite = Suite::parse(suite).unwrap();
        let digits = suite.as_str()[19..20].parse().unwrap();
        oath::shown(suite.keyed(seed).asked(&inputs).unwrap().at(step), digits).to_string()
    }

    fn code(question: &str, step: u64) -> Pin {
        Pin::parse(&shown(&SEEDS[0], "OCRA-1:HOTP-SHA256-7:QN08-T1M", question, step)).unwrap()
    }

    fn fault(keys: &SoftKeys, source: CodeSource<'_>) -> String {
        // A match elsewhere does not hide it.
        let [good, _] = columns(keys);
        let matched = keys.code_matches(&code("10000000", STEP), &[self::source(&good), source]);
        matched.unwrap_err().to_string()
    }

    #[test]
    fn a_code_is_known_with_its_ceiling_and_its_time_step() {
        let keys = keys();
        let [sealed, _] = columns(&keys);
        for (digits, suite) in [(7, "OCRA-1:HOTP-SHA256-7:QN08-T1M"), (8, "OCRA-1:HOTP-SHA256-8:QN08-T1M")] {
            for (ceiling, question) in (0..).zip(["20000000", "20010000", "20020000", "20030000", "20040000"])
            {
                for step in STEP - 1..=STEP + 1 {
                    let code = Pin::parse(&shown(&SEEDS[0], suite, question, step)).unwrap();
                    let source = CodeSource { digits, purpose: 2, ..source(&sealed) };
                    let expect = CodeMatch { source: 0, step, ceiling };
                    assert_eq!(keys.code_matches(&code, &[source]), Ok(vec![expect]));
                    // Only what was asked for: a lower table, a shorter range.
                    let lower = CodeSource { ceilings: 2, ..source };
                    let matched = keys.code_matches(&code, &[lower]).unwrap();
                    assert_eq!(matched.is_empty(), ceiling > 2);
                    let later = CodeSource { first_step: STEP, ..source };
                    assert_eq!(keys.code_matches(&code, &[later]).unwrap().is_empty(), step < STEP);
                }
            }
        }
    }

    #[test]
    fn the_question_of_a_ceiling_has_three_digits_for_it() {
        let keys = keys();
        let [sealed, _] = columns(&keys);
        for (ceiling, question) in [(10, "10100000"), (99, "10990000"), (123, "11230000"), (255, "12550000")]
        {
            let source = CodeSource { ceilings: 255, first_step: STEP, last_step: STEP, ..source(&sealed) };
            let matched = keys.code_matches(&code(question, STEP), &[source]).unwrap();
            assert!(matched.contains(&CodeMatch { source: 0, step: STEP, ceiling }), "{matched:?}");
        }
    }

    #[test]
    fn a_code_is_good_for_what_it_was_made_for_only() {
        let keys = keys();
        let [sealed, _] = columns(&keys);
        for (made, question) in [(1, "10000000"), (2, "20000000"), (9, "90000000")] {
            for purpose in [1, 2, 9] {
                let source = CodeSource { purpose, ..source(&sealed) };
                let matched = keys.code_matches(&code(question, STEP), &[source]).unwrap();
                assert_eq!(!matched.is_empty(), purpose == made, "made for {made}, taken for {purpose}");
            }
        }
    }

    #[test]
    fn pins_and_codes_of_two_tokens_are_compared_in_one_go() {
        let keys = keys();
        let [one, two] = columns(&keys);
        let pan = Pan::parse("6104337000000016").unwrap();
        let pin = |challenge| PinSource {
            version: 1,
            digits: 7,
            card: CardId([1; 16]),
            challenge: ChallengeId([challenge; 16]),
            payment: Digest([3; 32]),
        };
        let (pins, second) = ([pin(1), pin(2)], CodeSource { owner: TOKENS[1], ..source(&two) });
        let codes = [source(&one), second, CodeSource { first_step: STEP + 1, ..second }];
        let matched = |presented: &Pin| {
            let block = keys.make_pin_block(presented, &pan, "host", PinBlockFormat::Iso4).unwrap();
            keys.pin_block_matches(&block, "host", &pan, &Sources { pins: &pins, codes: &codes }).unwrap()
        };
        let presented = keys.pin(&pins[1]).unwrap();
        assert_eq!(matched(&presented), Matches { pins: vec![1], codes: vec![] });
        let presented = shown(&SEEDS[1], "OCRA-1:HOTP-SHA256-7:QN08-T1M", "10030000", STEP + 1);
        let of = |source| CodeMatch { source, step: STEP + 1, ceiling: 3 };
        let expect = Matches { pins: vec![], codes: vec![of(1), of(2)] };
        assert_eq!(matched(&Pin::parse(&presented).unwrap()), expect);
        assert_eq!(matched(&Pin::parse("7654321").unwrap()), Matches::default());
    }

    #[test]
    fn a_code_with_another_number_of_digits_is_another_code() {
        let keys = keys();
        let [sealed, _] = columns(&keys);
        let zero = |step: &u64| code("10000000", *step).expose().starts_with('0');
        let step = (STEP..).find(zero).unwrap();
        let source = CodeSource { first_step: step, last_step: step, ..source(&sealed) };
        let code = code("10000000", step);
        assert_eq!(keys.code_matches(&code, &[source]).unwrap().len(), 1);
        for other in [code.expose()[1..].to_owned(), format!("0{}", code.expose())] {
            assert_eq!(keys.code_matches(&Pin::parse(&other).unwrap(), &[source]), Ok(vec![]));
        }
        // PINs likewise.
        let card = CardId([1; 16]);
        let pin = |n: u64| {
            let challenge = ChallengeId(u128::from(n).to_be_bytes());
            PinSource { version: 1, digits: 7, card, challenge, payment: Digest([3; 32]) }
        };
        let pins = [(0..).map(pin).find(|pin| keys.pin(pin).unwrap().expose().starts_with('0')).unwrap()];
        let sources = Sources { pins: &pins, codes: &[] };
        let pin = keys.pin(&pins[0]).unwrap();
        assert_eq!(keys.compare(&pin, &sources).unwrap().pins, [0]);
        for other in [pin.expose()[1..].to_owned(), format!("0{}", pin.expose())] {
            assert_eq!(keys.compare(&Pin::parse(&other).unwrap(), &sources), Ok(Matches::default()));
        }
    }

    #[test]
    fn a_column_that_was_swapped_for_another_tokens_is_a_fault() {
        let keys = keys();
        let [one, two] = columns(&keys);
        let swapped = CodeSource { sealed: &two, ..source(&one) };
        assert!(fault(&keys, swapped).contains("\"token.seed\" does not open"));
        // The right owner with too little or too much behind it.
        for length in [0, 15, 16, 47, 49] {
            let owned = [&TOKENS[0][..], &[7; 64]].concat();
            let sealed = keys.seal(PLACE, &owned[..length]).unwrap();
            assert!(fault(&keys, source(&sealed)).contains("does not open"), "{length}");
        }
    }

    #[test]
    fn a_seed_that_cannot_be_had_is_a_fault_and_no_mismatch() {
        let keys = keys();
        let [sealed, _] = columns(&keys);
        let mut altered = sealed.clone();
        altered[20] ^= 1;
        assert!(fault(&keys, source(&altered)).contains("does not open"));
        let moved = CodeSource { place: Place { row: &[5; 16], ..PLACE }, ..source(&sealed) };
        assert!(fault(&keys, moved).contains("does not open"));
        altered = sealed.clone();
        altered[4] = 2;
        assert!(fault(&keys, source(&altered)).contains("no data key of version 2"));
    }

    #[test]
    fn a_check_has_its_bounds() {
        let keys = keys();
        let [sealed, _] = columns(&keys);
        let base = source(&sealed);
        let range = |first_step, last_step| CodeSource { first_step, last_step, ..base };
        for whole in [range(STEP, STEP + 63), range(0, 0), range(u64::MAX - 63, u64::MAX)] {
            keys.code_matches(&code("10000000", 1), &[whole]).unwrap();
        }
        for broken in [range(STEP, STEP + 64), range(0, u64::MAX), range(STEP, STEP - 1)] {
            assert!(fault(&keys, broken).contains("1 to 64"));
        }
        for purpose in [0, 3, 8, 10, 12, 19, 255] {
            assert!(fault(&keys, CodeSource { purpose, ..base }).contains("9 control"));
        }
        for digits in [0, 6, 9] {
            assert!(fault(&keys, CodeSource { digits, ..base }).contains("7 or 8"));
        }
        assert_eq!(keys.code_matches(&code("10000000", STEP), &[]), Ok(vec![]));
    }
}
