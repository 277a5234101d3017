//! A day of an entry, as a file writes it and as people read it: Gregorian in English, Jalali in Persian.
//!
//! Days are counted as Julian day numbers. The Jalali calendar goes by its 33-year cycle, which agrees with the sky from
//! the year 1178 to 1633.

/// A day, as a Julian day number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Day(i64);

/// What a Gregorian day number, counted from 1 January of the year 0, lacks to the Julian one.
const GREGORIAN: i64 = 1_721_059;
/// The same for the Jalali calendar, as its formula of a year counts.
const JALALI: i64 = 1_948_320;

impl Day {
    /// Reads `YYYY-MM-DD`, a day that there was.
    pub(crate) fn parse(text: &str) -> Option<Day> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<i64> {
            let part = text.get(range)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
        };
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        if !(1..=12).contains(&month) || day < 1 || year < 1800 {
            return None;
        }
        let found = Day(GREGORIAN + days_before_year(year) + days_before_month(year, month) + day);
        (found.to_gregorian() == (year, month, day)).then_some(found)
    }

    /// Year, month and day.
    pub(crate) fn to_gregorian(self) -> (i64, i64, i64) {
        let days = self.0 - GREGORIAN;
        // Never too early: a year has 365.2425 days on average. So it goes down to the right one.
        let mut year = days * 10_000 / 3_652_425 + 1;
        while days_before_year(year) >= days {
            year -= 1;
        }
        let of_year = days - days_before_year(year);
        let month = (1..=12).rev().find(|&m| days_before_month(year, m) < of_year).unwrap_or(1);
        (year, month, of_year - days_before_month(year, month))
    }

    /// Year, month and day of the calendar of Iran.
    pub(crate) fn to_jalali(self) -> (i64, i64, i64) {
        let mut year = (self.0 - JALALI) * 33 / 12_053 + 2;
        while new_year(year) > self.0 {
            year -= 1;
        }
        // Six months of 31 days, then of 30.
        match self.0 - new_year(year) {
            early @ ..186 => (year, early / 31 + 1, early % 31 + 1),
            later => (year, (later - 186) / 30 + 7, (later - 186) % 30 + 1),
        }
    }
}

fn new_year(year: i64) -> i64 {
    JALALI + 365 * (year - 1) + (8 * year + 21) / 33
}

fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    366 + 365 * past + past / 4 - past / 100 + past / 400
}

fn days_before_month(year: i64, month: i64) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = usize::try_from(month - 1).ok().and_then(|m| BEFORE.get(m)).copied().unwrap_or(0);
    before + i64::from(leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nouruz of these years, and days around the ends of leap years, as the calendars of Iran have them.
    #[test]
    fn days_are_the_same_in_both_calendars() {
        for (gregorian, jalali) in [
            ("2016-03-20", (1395, 1, 1)),
            ("2019-12-30", (1398, 10, 9)),
            ("2020-03-19", (1398, 12, 29)),
            ("2020-03-20", (1399, 1, 1)),
            ("2021-03-20", (1399, 12, 30)),
            ("2021-03-21", (1400, 1, 1)),
            ("2024-03-20", (1403, 1, 1)),
            ("2025-03-20", (1403, 12, 30)),
            ("2025-03-21", (1404, 1, 1)),
            ("2025-10-23", (1404, 8, 1)),
            ("2026-09-22", (1405, 6, 31)),
            ("2026-09-23", (1405, 7, 1)),
            ("2026-11-26", (1405, 9, 5)),
        ] {
            assert_eq!(Day::parse(gregorian).unwrap().to_jalali(), jalali, "{gregorian}");
        }
    }

    #[test]
    fn every_day_reads_back() {
        let mut before = (0, 0, 0);
        for n in 0..200 * 365 {
            let day = Day(2_415_021 + n);
            let (y, m, d) = day.to_gregorian();
            assert_eq!(Day::parse(&format!("{y:04}-{m:02}-{d:02}")), Some(day));
            let jalali = day.to_jalali();
            assert!(jalali > before, "{jalali:?} after {before:?}");
            before = jalali;
        }
        for bad in [
            "2026-02-29",
            "2026-00-01",
            "2026-04-31",
            "26-01-01",
            "2026-1-01",
            "+026-01-01",
            "2026-01-0x",
            "۲۰۲۶",
        ] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }
}
