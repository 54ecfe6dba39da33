use std::time::SystemTime;

use jiff::fmt::rfc2822::DateTimeParser;

/// Reads a date as release files write it, always in UTC: `Sat, 11 Jul 2026 10:16:37 UTC`.
pub(crate) fn parse_date(text: &str) -> Option<SystemTime> {
    // Of zones that it does not know the parser says that they are UTC.
    let is_utc = ["UTC", "GMT", "+0000"].iter().any(|zone| text.ends_with(zone));
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    is_utc.then(|| date.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reads_the_dates_of_release_files() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0),
            ("Tue, 29 Feb 2000 12:00:01 UTC", 951_825_601),
            ("Sat, 11 Jul 2026 10:16:37 UTC", 1_783_764_997),
            ("Sat, 11 Jul 2026 10:16:37 +0000", 1_783_764_997),
        ] {
            assert_eq!(
                parse_date(text),
                Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "Sat, 11 Jul 2026",
            "Sat, 11 Foo 2026 10:16:37 UTC",
            "Sat, 11 Jul 2026 25:16:37 UTC",
            "Sun, 29 Feb 2026 10:16:37 UTC",
            "Sat, 11 Jul 2026 10:16:37 CEST",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
