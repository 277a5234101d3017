//! Instants and spans, as whole milliseconds. The calendar is not here: a card knows only before and after.

use std::time::Duration;

use minicbor::{Decode, Encode};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Moment(#[n(0)] u64);

/// Iran has kept UTC+03:30 all year round since 2022 (no daylight saving time).
const TEHRAN_OFFSET_S: u64 = 12_600;

/// Seconds from the Unix epoch to 10000-01-01: RFC 3339 has years of four digits.
const YEAR_10000_S: u64 = 253_402_300_800;

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

    /// Reads RFC 3339 with any offset, to the millisecond: `2026-11-24T05:22:44+03:30`. A space may stand for the `T`, as
    /// databases write it. `None` for what is no such instant, lies outside 1970 to 9999, or is a leap second.
    pub fn parse_rfc3339(text: &str) -> Option<Moment> {
        let (date, rest) = (text.get(..10)?, text.get(10..)?);
        let (time, zone) = (rest.get(1..9)?, rest.get(9..)?);
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        let in_day = hour < 24 && minute < 60 && second < 60;
        if !in_day || !matches!(rest.as_bytes().first(), Some(b'T' | b't' | b' ')) {
            return None;
        }
        let (ms, zone) = fraction(zone)?;
        let days = days_of(year, month, day)?;
        let local = days * 86_400 + hour * 3600 + minute * 60 + second;
        let utc = match zone.split_at_checked(1)? {
            ("Z" | "z", "") => local,
            (sign @ ("+" | "-"), offset) => {
                let [hours, minutes] = numbers(offset, ':', [2, 2])?;
                let offset_s = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
                if sign == "+" { local.checked_sub(offset_s)? } else { local + offset_s }
            }
            _ => return None,
        };
        // Five digits of a year would not be read again.
        (utc < YEAR_10000_S).then(|| Moment(utc * 1000 + ms))
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

/// The day, counted from 1970-01-01, of a date that the calendar has: [`civil`] the other way round.
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let of_march = if month > 2 { year } else { year.checked_sub(1)? };
    let (era, year_of_era) = (of_march / 400, of_march % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = (era * 146_097 + of_era).checked_sub(719_468)?;
    // A day that the month does not have is another one's.
    (civil(days) == (year, month, day)).then_some(days)
}

/// Numbers of so many digits each, and `between` between them.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(between);
    let mut found = [0; N];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// The milliseconds of a fraction of a second, cut off, if the text begins with one; and the rest.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(digits) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = digits.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (digits, rest) = digits.split_at(end);
    let ms: String = digits.chars().chain("00".chars()).take(3).collect();
    Some((ms.parse().ok()?, rest))
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
    fn an_instant_is_read_in_any_zone() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2024-02-29T23:59:59z", 1_709_251_199_000),
            ("2026-11-24T05:22:44+03:30", 1_795_485_164_000),
            ("2026-11-24 05:22:44+03:30", 1_795_485_164_000),
            ("2026-11-23t20:52:44-05:00", 1_795_485_164_000),
            ("2026-11-24T01:52:44-00:00", 1_795_485_164_000),
            ("2026-11-24T01:52:44.5Z", 1_795_485_164_500),
            ("2026-11-24T01:52:44.0429999999Z", 1_795_485_164_042),
            ("2027-01-01T00:30:00+03:30", 1_798_750_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(Moment::parse_rfc3339(text), Some(Moment::from_unix_ms(ms)), "{text}");
        }
        for s in (0..4_200_000_000).step_by(86_400 * 7 + 12_347) {
            let moment = Moment::from_unix_ms(s * 1000);
            assert_eq!(Moment::parse_rfc3339(&moment.rfc3339()), Some(moment));
        }
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T01:52:44",
            "2026-11-24T01:52Z",
            "2026-11-24X01:52:44Z",
            "2026-11-24T01:52:44 Z",
            "2026-11-24T01:52:44Z ",
            "2026-11-24T01:52:44.Z",
            "2026-11-24T01:52:44.5",
            "2026-11-24T01:52:44+0330",
            "2026-11-24T01:52:44+03",
            "2026-11-24T01:52:44+24:00",
            "2026-11-24T01:52:44+03:60",
            "2026-11-24T24:00:00Z",
            "2026-11-24T01:60:00Z",
            "2026-12-31T23:59:60Z",
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-99T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+03:30",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "۲۰۲۶-11-24T01:52:44Z",
            "2026-11-24T01:52:44٫5Z",
            "2026-11-24é1:52:44Z",
        ] {
            assert_eq!(Moment::parse_rfc3339(text), None, "{text}");
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
