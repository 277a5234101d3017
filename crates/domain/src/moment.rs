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

    /// RFC 3339 in UTC, to the second: `2026-11-24T01:52:44Z`.
    pub fn rfc3339(self) -> String {
        let (days, s) = (self.0 / 86_400_000, self.0 / 1000 % 86_400);
        let (year, month, day) = civil(days);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", s / 3600, s / 60 % 60, s % 60)
    }

    /// The wall clock in Tehran, `HH:MM:SS`: how an SMS tells its expiry.
    pub fn tehran_hms(self) -> String {
        let s = (self.0 / 1000 + TEHRAN_OFFSET_S) % 86_400;
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar. Years are counted from
/// March, so that the leap day comes last; 719,468 days lie between 0000-03-01 and 1970-01-01.
pub fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
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
    fn dates_are_those_of_the_calendar() {
        for (s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_485_164, "2026-11-24T01:52:44Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Moment::from_unix_ms(s * 1000).rfc3339(), text);
        }
    }

    #[test]
    fn spans_saturate() {
        let late = Moment::from_unix_ms(u64::MAX);
        assert_eq!(late.plus(Duration::from_secs(1)), late);
        assert_eq!(Moment::from_unix_ms(5).minus(Duration::from_secs(1)), Moment::from_unix_ms(0));
        assert_eq!(Moment::from_unix_ms(5).since(Moment::from_unix_ms(9)), Duration::ZERO);
    }
}
