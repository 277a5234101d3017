//! Instants as people and SMSCs write them, in UTC.

use ramz_domain::Moment;

/// Year, month, day, hour, minute, second, millisecond.
type Civil = (u64, u64, u64, u64, u64, u64, u64);

/// RFC 3339 with milliseconds: `2023-11-14T11:01:06.000Z`.
pub(crate) fn rfc3339(at: Moment) -> String {
    let (year, month, day, hour, minute, second, ms) = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// `YYMMDDhhmm`, as delivery receipts have it (SMPP 3.4, appendix B).
pub(crate) fn receipt_date(at: Moment) -> String {
    let (year, month, day, hour, minute, ..) = civil(at);
    format!("{:02}{month:02}{day:02}{hour:02}{minute:02}", year % 100)
}

/// The instant of a civil time in UTC, for years from 1970; `None` if there is no such time.
pub(crate) fn moment(year: u64, month: u64, day: u64, second_of_day: u64) -> Option<Moment> {
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) || second_of_day >= 86_400 {
        return None;
    }
    let days: u64 = (1970..year).map(days_in_year).sum::<u64>()
        + (1..month).map(|month| days_in(year, month)).sum::<u64>()
        + (day - 1);
    Some(Moment::from_unix_ms((days * 86_400 + second_of_day) * 1000))
}

fn civil(at: Moment) -> Civil {
    let (ms, s) = (at.unix_ms() % 1000, at.unix_ms() / 1000);
    let (year, month, day) = ramz_domain::civil(s / 86_400);
    let second = s % 86_400;
    (year, month, day, second / 3600, second / 60 % 60, second % 60, ms)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_699_959_666_007, "2023-11-14T11:01:06.007Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(Moment::from_unix_ms(ms)), text);
        }
        assert_eq!(receipt_date(Moment::from_unix_ms(1_699_959_666_000)), "2311141101");
        assert!(rfc3339(Moment::from_unix_ms(u64::MAX)).ends_with('Z'), "a clock gone wild harms nobody");
    }

    #[test]
    fn civil_times_and_back() {
        assert_eq!(moment(2023, 11, 14, 39_666), Some(Moment::from_unix_ms(1_699_959_666_000)));
        assert_eq!(moment(2000, 2, 29, 0), Some(Moment::from_unix_ms(951_782_400_000)));
        for (month, day, second) in [(2, 29, 0), (13, 1, 0), (0, 1, 0), (1, 0, 0), (4, 31, 0), (1, 1, 86_400)]
        {
            assert_eq!(moment(2023, month, day, second), None);
        }
    }
}
