use std::time::{Duration, SystemTime};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads a date as release files write it: `Sat, 11 Jul 2026 10:16:37 UTC`.
pub(crate) fn parse_date(text: &str) -> Option<SystemTime> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_weekday, day, month, year, time, "UTC" | "GMT" | "+0000"] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let days = days_since_1970(year.parse().ok()?, month, day.parse().ok()?)?;
    let clock = time.split(':').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    match clock[..] {
        [hours @ 0..24, minutes @ 0..60, seconds @ 0..=60] => SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)),
        _ => None,
    }
}

/// Counts years from March, so that the leap day is the last of its year.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..10_000).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_dates_of_release_files() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0),
            ("Tue, 29 Feb 2000 12:00:01 UTC", 951_825_601),
            ("Sat, 11 Jul 2026 10:16:37 UTC", 1_783_764_997),
        ] {
            assert_eq!(
                parse_date(text),
                Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["", "Sat, 11 Jul 2026", "Sat, 11 Foo 2026 10:16:37 UTC", "Sat, 11 Jul 2026 25:16:37 UTC"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
