//! The Gregorian date and time in Tehran, as ISO 8583 fields want them. Iran has kept UTC+03:30 since 2022.

use ramz_domain::{Moment, civil};

const TEHRAN_OFFSET_S: u64 = 12_600;

/// A date and time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Civil {
    year: u64,
    month: u64,
    day: u64,
    /// 1 to 366.
    day_of_year: u64,
    seconds: u64,
}

impl Civil {
    /// In Tehran.
    pub fn tehran(now: Moment) -> Civil {
        Civil::at(now.unix_ms() / 1000 + TEHRAN_OFFSET_S)
    }

    /// In UTC (Greenwich), as DE7 wants it.
    pub fn utc(now: Moment) -> Civil {
        Civil::at(now.unix_ms() / 1000)
    }

    fn at(seconds: u64) -> Civil {
        let (year, month, day) = civil(seconds / 86_400);
        // Two days are missing from February, one in a leap year, counted as if each month had 275/9 of them.
        let missing = if leap(year) { 1 } else { 2 };
        let day_of_year = 275 * month / 9 - missing * ((month + 9) / 12) + day - 30;
        Civil { year, month, day, day_of_year, seconds: seconds % 86_400 }
    }

    /// `hhmmss`: DE12.
    pub fn hhmmss(self) -> String {
        let s = self.seconds;
        format!("{:02}{:02}{:02}", s / 3600, s / 60 % 60, s % 60)
    }

    /// `MMDD`: DE13.
    pub fn mmdd(self) -> String {
        format!("{:02}{:02}", self.month, self.day)
    }

    /// `MMDDhhmmss`: DE7, if it is UTC.
    pub fn mmddhhmmss(self) -> String {
        self.mmdd() + &self.hhmmss()
    }

    /// The year's last digit and the day of the year: how a retrieval reference number begins.
    pub fn yddd(self) -> String {
        format!("{}{:03}", self.year % 10, self.day_of_year)
    }
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unix_s: u64, hhmmss: &str, mmdd: &str, yddd: &str) {
        let civil = Civil::tehran(Moment::from_unix_ms(unix_s * 1000));
        assert_eq!(
            (civil.hhmmss().as_str(), civil.mmdd().as_str(), civil.yddd().as_str()),
            (hhmmss, mmdd, yddd)
        );
    }

    #[test]
    fn the_date_in_tehran() {
        check(0, "033000", "0101", "0001");
        // 2024-02-29T20:29:59Z is the last second of 29 February in Tehran, one second later it is March.
        check(1_709_238_599, "235959", "0229", "4060");
        check(1_709_238_600, "000000", "0301", "4061");
        check(1_735_676_999, "235959", "1231", "4366");
        check(1_767_212_999, "235959", "1231", "5365");
        // 2027-12-31T23:59:59Z: already the next year there.
        check(1_830_297_599, "032959", "0101", "8001");
    }
}
