use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::options::Retry;

/// The waits between the repetitions of one request.
#[derive(Debug)]
pub struct Backoff {
    retry: Retry,
    repetitions: u32,
}

impl Backoff {
    /// Nothing was tried yet.
    pub fn new(retry: Retry) -> Self {
        Self { retry, repetitions: 0 }
    }

    /// Tries so far, the first included.
    pub(crate) fn tries(&self) -> u32 {
        self.repetitions + 1
    }

    /// Progress was made: the count starts again.
    pub(crate) fn reset(&mut self) {
        self.repetitions = 0;
    }

    /// Waits before the next try; says no when there shall be none.
    ///
    /// A server that asks for a longer wait than the longest allowed gets no further try.
    pub async fn wait(&mut self, asked: Option<Duration>) -> bool {
        match self.next_wait(asked) {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                true
            }
            None => false,
        }
    }

    fn next_wait(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.repetitions >= self.retry.repetitions
            || asked.is_some_and(|wait| wait > self.retry.longest_wait)
        {
            return None;
        }
        let wait = self.retry.first_wait * 2_u32.saturating_pow(self.repetitions.min(16));
        self.repetitions += 1;
        let wait = wait.min(self.retry.longest_wait);
        Some(asked.unwrap_or_default().max(jittered(wait)))
    }
}

/// Between half and all of `wait`, so that many clients do not come back at once.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1000;
    wait / 2 + wait / 2 * u32::try_from(random).expect("below 1000") / 1000
}

/// How long a server asks to wait: seconds, or a date, which is taken relative to the answer's own `Date`.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (http_date(asked)?, http_date(text(DATE)?)?);
    Some(until.duration_since(now).unwrap_or_default())
}

/// An HTTP date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<SystemTime> {
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    text.ends_with("GMT").then(|| date.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let mut backoff = Backoff::new(Retry { repetitions: 3, ..Retry::default() });
        let mut bounds = [(125, 250), (250, 500), (500, 1000)].into_iter();
        while let Some(wait) = backoff.next_wait(None) {
            let (least, most) = bounds.next().unwrap();
            assert!((least..=most).contains(&wait.as_millis()), "{wait:?}");
        }
        assert!(bounds.next().is_none());
        assert_eq!(backoff.tries(), 4);
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_too_much() {
        let mut backoff = Backoff::new(Retry::default());
        assert_eq!(backoff.next_wait(Some(Duration::from_secs(7))), Some(Duration::from_secs(7)));
        assert_eq!(backoff.next_wait(Some(Duration::from_hours(1))), None);
    }

    #[test]
    fn reads_seconds_and_dates() {
        let check = |asked: &str, date: Option<&str>, expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
            date.map(|date| headers.insert(DATE, date.parse().unwrap()));
            assert_eq!(retry_after(&headers).map(|wait| wait.as_secs()), expected, "{asked}");
        };
        let date = Some("Thu, 29 Feb 2024 23:59:50 GMT");
        check("120", None, Some(120));
        check("Fri, 01 Mar 2024 00:00:05 GMT", date, Some(15));
        check("Thu, 29 Feb 2024 23:59:40 GMT", date, Some(0));
        check("Sat, 01 Mar 2025 23:59:50 GMT", date, Some(366 * 86400));
        check("Fri, 01 Mar 2024 00:00:05 GMT", None, None);
        check("soon", date, None);
    }
}
