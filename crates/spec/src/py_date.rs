//! Python's dates and times, which YAML 1.1 makes of plain scalars such as `2024-01-31`.

use std::fmt;

/// A `datetime.date`; only days that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PyDate {
    year: u16,
    month: u8,
    day: u8,
}

/// A `datetime.datetime`; only times that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PyDateTime {
    date: PyDate,
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    /// Minutes east of Greenwich, when the time has a zone.
    offset: Option<i32>,
}

impl PyDate {
    /// Nothing when the calendar has no such day, or Python's does not reach it.
    pub(crate) fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        ((1..=9999).contains(&year) && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }
}

impl PyDateTime {
    /// Nothing when no clock shows such a time; `offset` is in minutes, below a day.
    pub(crate) fn new(date: PyDate, clock: [u8; 3], microsecond: u32, offset: Option<i32>) -> Option<Self> {
        let [hour, minute, second] = clock;
        let valid =
            hour < 24 && minute < 60 && second < 60 && offset.is_none_or(|minutes| minutes.abs() < 1440);
        valid.then_some(Self { date, hour, minute, second, microsecond, offset })
    }
}

impl fmt::Display for PyDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "datetime.date({}, {}, {})", self.year, self.month, self.day)
    }
}

impl fmt::Display for PyDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PyDate { year, month, day } = self.date;
        write!(f, "datetime.datetime({year}, {month}, {day}, {}, {}", self.hour, self.minute)?;
        if self.second > 0 || self.microsecond > 0 {
            write!(f, ", {}", self.second)?;
        }
        if self.microsecond > 0 {
            write!(f, ", {}", self.microsecond)?;
        }
        match self.offset {
            None => {}
            Some(0) => f.write_str(", tzinfo=datetime.timezone.utc")?,
            Some(minutes) => {
                let days = minutes.div_euclid(1440);
                let seconds = minutes.rem_euclid(1440) * 60;
                let days = if days == 0 { String::new() } else { format!("days={days}, ") };
                let delta = format!("datetime.timedelta({days}seconds={seconds})");
                write!(f, ", tzinfo=datetime.timezone({delta})")?;
            }
        }
        f.write_str(")")
    }
}
