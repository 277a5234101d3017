//! Instants and spans, as whole milliseconds. The calendar is not here: a card knows only before and after.

use std::time::Duration;

use minicbor::{Decode, Encode};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Moment(#[n(0)] u64);

/// Iran has kept UTC+03:30 all year round since 2022 (no daylight saving time).
const TEHRAN_OFFSET_S: u64 = 12_600;

impl Moment {
    /// The instant that many milliseconds after the Unix epoch.
    pub const fn from_unix_ms(ms: u64) -> Moment {
        Moment(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// This instant and a span later; saturates at the end of time.
    pub fn plus(self, span: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This instant and a span earlier; saturates at the epoch.
    pub fn minus(self, span: Duration) -> Moment {
        Moment(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The wall clock in Tehran, `HH:MM:SS`: how an SMS tells its expiry.
    pub fn tehran_hms(self) -> String {
        let s = (self.0 / 1000 + TEHRAN_OFFSET_S) % 86_400;
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tehran_is_three_and_a_half_hours_ahead() {
        assert_eq!(Moment::from_unix_ms(0).tehran_hms(), "03:30:00");
        assert_eq!(Moment::from_unix_ms(20 * 3600 * 1000 + 59 * 60 * 1000 + 6999).tehran_hms(), "00:29:06");
    }

    #[test]
    fn spans_saturate() {
        let late = Moment::from_unix_ms(u64::MAX);
        assert_eq!(late.plus(Duration::from_secs(1)), late);
        assert_eq!(Moment::from_unix_ms(5).minus(Duration::from_secs(1)), Moment::from_unix_ms(0));
        assert_eq!(Moment::from_unix_ms(5).since(Moment::from_unix_ms(9)), Duration::ZERO);
    }
}
