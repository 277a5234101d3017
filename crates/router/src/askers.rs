//! Who may ask: found by the name in the certificate, held to its kinds, acquirers, origins and rate.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ramz_api::{
    pin_request::{Checked, PayeeChecked, is_host_name},
    problem::{FieldError, Problem},
};
use ramz_domain::{Moment, PaymentKind};

use crate::config::AskerConfig;

/// Why an asker cannot be registered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskerError {
    /// Two askers have one name.
    #[error("asker {0:?} is registered twice; keep one")]
    Twice(String),
    /// A name that no header could carry.
    #[error("write the asker's name {0:?} as in its certificate: 1 to 128 printable ASCII characters")]
    Name(String),
    /// A kind of payment that there is not.
    #[error("asker {asker:?}: there is no kind {kind:?}; use purchase, transfer, bill, top_up or balance")]
    Kind {
        /// The asker's name.
        asker: String,
        /// What is written there.
        kind: String,
    },
    /// An acquirer that is not 1 to 11 digits.
    #[error("asker {asker:?}: write the acquirer {acquirer:?} as 1 to 11 digits")]
    Acquirer {
        /// The asker's name.
        asker: String,
        /// What is written there.
        acquirer: String,
    },
    /// An origin that is no host name.
    #[error(
        "asker {asker:?}: write the origin {origin:?} as a host name in lower case, without scheme or port"
    )]
    Origin {
        /// The asker's name.
        asker: String,
        /// What is written there.
        origin: String,
    },
    /// Nothing would ever pass.
    #[error("asker {0:?}: rate_per_s and burst must be 1 or more")]
    Rate(String),
}

/// All that are registered.
pub(crate) struct Askers(HashMap<String, Asker>);

/// One of them.
pub(crate) struct Asker {
    /// The name in its certificate, and in `Ramz-Asker`.
    pub(crate) name: String,
    kinds: Vec<PaymentKind>,
    acquirers: HashSet<String>,
    origins: HashSet<String>,
    bucket: Bucket,
}

impl Askers {
    /// Registers them. Buckets start full.
    pub(crate) fn new(configs: &[AskerConfig], now: Moment) -> Result<Askers, AskerError> {
        let mut askers = HashMap::new();
        for config in configs {
            let asker = Asker::new(config, now)?;
            if askers.insert(config.name.clone(), asker).is_some() {
                return Err(AskerError::Twice(config.name.clone()));
            }
        }
        Ok(Askers(askers))
    }

    /// The one with this name, if it is registered.
    pub(crate) fn get(&self, name: &str) -> Option<&Asker> {
        self.0.get(name)
    }
}

impl Asker {
    fn new(config: &AskerConfig, now: Moment) -> Result<Asker, AskerError> {
        let asker = || config.name.clone();
        if !(1..=128).contains(&config.name.len()) || !config.name.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(AskerError::Name(asker()));
        }
        if config.rate_per_s == 0 || config.burst == 0 {
            return Err(AskerError::Rate(asker()));
        }
        let kinds = config.kinds.iter().map(|kind| {
            PaymentKind::parse(kind).ok_or_else(|| AskerError::Kind { asker: asker(), kind: kind.clone() })
        });
        if let Some(bad) = config.acquirers.iter().find(|a| !is_acquirer(a)) {
            return Err(AskerError::Acquirer { asker: asker(), acquirer: bad.clone() });
        }
        if let Some(bad) = config.origins.iter().find(|o| !is_host_name(o)) {
            return Err(AskerError::Origin { asker: asker(), origin: bad.clone() });
        }
        Ok(Asker {
            name: asker(),
            kinds: kinds.collect::<Result<_, _>>()?,
            acquirers: config.acquirers.iter().map(|a| a.trim_start_matches('0').to_owned()).collect(),
            origins: config.origins.iter().cloned().collect(),
            bucket: Bucket::full(config.rate_per_s, config.burst, now),
        })
    }

    /// Counts one request, good or bad.
    pub(crate) fn take(&self, now: Moment) -> Result<(), Problem> {
        self.bucket.take(now).map_err(Problem::too_many_requests)
    }

    /// Whether it may ask for this payment. Looks at nothing of the card.
    pub(crate) fn may_ask(&self, request: &Checked) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if !self.kinds.contains(&request.kind) {
            errors
                .push(FieldError::new("/payment/kind", "write a kind of payment that is registered for you"));
        }
        if let PayeeChecked::Merchant { acquirer, .. } = &request.payee
            && !self.acquirers.contains(acquirer.trim_start_matches('0'))
        {
            let detail = "write an acquirer that is registered for you";
            errors.push(FieldError::new("/payment/payee/acquirer", detail));
        }
        if !self.origins.contains(&request.origin) {
            errors.push(FieldError::new("/payment/origin", "write an origin that is registered for you"));
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::not_allowed(errors)) }
    }
}

fn is_acquirer(text: &str) -> bool {
    (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// A token bucket in thousandths of a token: at `rate` a second, one millisecond brings `rate` of them.
struct Bucket {
    rate: u64,
    full: u64,
    level: Mutex<(u64, Moment)>,
}

const TOKEN: u64 = 1000;
/// By so much a request may be late that took the time before another.
const LATE: Duration = Duration::from_secs(30);

impl Bucket {
    fn full(rate_per_s: u32, burst: u32, now: Moment) -> Bucket {
        let full = u64::from(burst) * TOKEN;
        Bucket { rate: u64::from(rate_per_s), full, level: Mutex::new((full, now)) }
    }

    /// Takes a token, or tells after how many seconds there will be one. A clock that goes back brings nothing, and goes on from there.
    fn take(&self, now: Moment) -> Result<(), u32> {
        let mut guard = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, at) = *guard;
        let passed = u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
        let level = level.saturating_add(passed.saturating_mul(self.rate)).min(self.full);
        let left = level.checked_sub(TOKEN);
        let went_back = at.since(now) > LATE;
        *guard = (left.unwrap_or(level), if went_back { now } else { at.max(now) });
        let wait_s = || (TOKEN - level).div_ceil(self.rate).div_ceil(1000);
        left.map(|_| ()).ok_or_else(|| u32::try_from(wait_s()).unwrap_or(u32::MAX).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_unix_ms(1_000_000 + ms)
    }

    #[test]
    fn a_bucket_holds_a_burst_and_fills_at_its_rate() {
        let bucket = Bucket::full(2, 3, at(0));
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(1));
        assert_eq!(bucket.take(at(499)), Err(1));
        assert_eq!(bucket.take(at(500)), Ok(()));
        assert_eq!(bucket.take(at(400)), Err(1), "a clock that goes back brings nothing");
        assert_eq!(bucket.take(at(500)), Err(1), "and is not paid for twice");
        for _ in 0..3 {
            assert_eq!(bucket.take(at(1_000_000)), Ok(()));
        }
        assert_eq!(bucket.take(at(1_000_000)), Err(1), "it never holds more than the burst");
    }

    #[test]
    fn a_clock_that_goes_back_holds_nobody_up_for_as_long_as_it_went() {
        let bucket = Bucket::full(1, 1, at(600_000));
        assert_eq!((bucket.take(at(600_000)), bucket.take(at(0))), (Ok(()), Err(1)));
        assert_eq!(bucket.take(at(1000)), Ok(()));
    }

    fn config() -> AskerConfig {
        AskerConfig {
            name: "page".into(),
            acquirers: vec!["00581672061".into()],
            kinds: vec!["purchase".into()],
            origins: vec!["pay.example".into()],
            rate_per_s: 1,
            burst: 1,
        }
    }

    #[test]
    fn what_is_written_wrong_is_named() {
        let refused = |change: &dyn Fn(&mut AskerConfig)| {
            let mut config = config();
            change(&mut config);
            Askers::new(&[config], at(0)).err().expect("refused").to_string()
        };
        assert!(refused(&|c| c.kinds.push("gift".into())).contains("no kind \"gift\""));
        assert!(refused(&|c| c.acquirers.push("58a".into())).contains("acquirer \"58a\""));
        assert!(refused(&|c| c.origins.push("https://x".into())).contains("origin \"https://x\""));
        assert!(refused(&|c| c.rate_per_s = 0).contains("1 or more"));
        assert!(refused(&|c| c.burst = 0).contains("1 or more"));
        assert!(refused(&|c| c.name = "a\nb".into()).contains("printable"));
        let twice = Askers::new(&[config(), config()], at(0)).err();
        assert_eq!(twice, Some(AskerError::Twice("page".into())));
    }
}
