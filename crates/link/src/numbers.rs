//! Numbers that an acquirer gives its transactions: DE11 and DE37.

use std::sync::atomic::{AtomicU32, Ordering};

use ramz_domain::{Entropy, Moment, ambient::random_bytes};

use crate::Civil;

/// Numbers for DE11, unique for a terminal and day: from a random start, so that a restart does not repeat them.
pub struct Numbers {
    next: AtomicU32,
}

impl Numbers {
    /// From a random start.
    pub fn new(entropy: &dyn Entropy) -> Numbers {
        Numbers { next: AtomicU32::new(u32::from_be_bytes(random_bytes(entropy)) % 999_999) }
    }

    /// 000001 to 999999.
    pub fn stan(&self) -> String {
        format!("{:06}", self.next.fetch_add(1, Ordering::Relaxed) % 999_999 + 1)
    }
}

/// A retrieval reference number (DE37): the year's last digit, the day of the year and eight random digits.
pub fn rrn(entropy: &dyn Entropy, now: Moment) -> String {
    let random = u64::from_be_bytes(random_bytes(entropy)) % 100_000_000;
    format!("{}{random:08}", Civil::tehran(now).yddd())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xFF);
        }
    }

    #[test]
    fn numbers_follow_each_other_and_wrap_without_zero() {
        let numbers = Numbers { next: AtomicU32::new(999_997) };
        let got: Vec<_> = (0..4).map(|_| numbers.stan()).collect();
        assert_eq!(got, ["999998", "999999", "000001", "000002"]);
        assert_eq!(rrn(&Fixed, Moment::from_unix_ms(0)).len(), 12);
    }
}
