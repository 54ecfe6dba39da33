use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of a Debian package: `[epoch:]upstream[-revision]`.
///
/// The order is that of Debian policy 5.6.12. Two versions that are written differently can be equal in that
/// order (`1.0` and `0:1.0`), so `==` on this type follows the order, not the text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DebianVersion(String);

impl DebianVersion {
    /// Takes the text as it is; any text has a place in the order.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text as the archive writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (u64, &str, &str) {
        let (epoch, rest) = self.0.split_once(':').unwrap_or(("0", &self.0));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch.parse().unwrap_or(0), upstream, revision)
    }
}

impl Ord for DebianVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.parts(), other.parts());
        mine.0
            .cmp(&theirs.0)
            .then_with(|| compare_part(mine.1, theirs.1))
            .then_with(|| compare_part(mine.2, theirs.2))
    }
}

impl PartialOrd for DebianVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DebianVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DebianVersion {}

impl fmt::Display for DebianVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Compares alternating runs of other characters and of digits, as policy describes.
fn compare_part(mut mine: &str, mut theirs: &str) -> Ordering {
    while !mine.is_empty() || !theirs.is_empty() {
        let (my_text, my_rest) = split_run(mine, |byte| !byte.is_ascii_digit());
        let (their_text, their_rest) = split_run(theirs, |byte| !byte.is_ascii_digit());
        let (my_number, my_rest) = split_run(my_rest, |byte| byte.is_ascii_digit());
        let (their_number, their_rest) = split_run(their_rest, |byte| byte.is_ascii_digit());
        let order = compare_text(my_text, their_text).then_with(|| compare_number(my_number, their_number));
        if order.is_ne() {
            return order;
        }
        (mine, theirs) = (my_rest, their_rest);
    }
    Ordering::Equal
}

fn split_run(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// Letters sort before all else, the end of the text before both, and `~` before even that.
fn compare_text(mine: &str, theirs: &str) -> Ordering {
    let weight = |byte: Option<u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    };
    let (mut mine, mut theirs) = (mine.bytes(), theirs.bytes());
    loop {
        let (my_byte, their_byte) = (mine.next(), theirs.next());
        let order = weight(my_byte).cmp(&weight(their_byte));
        if order.is_ne() || (my_byte.is_none() && their_byte.is_none()) {
            return order;
        }
    }
}

/// Numbers of any length: without leading zeros the longer one is larger.
fn compare_number(mine: &str, theirs: &str) -> Ordering {
    let (mine, theirs) = (mine.trim_start_matches('0'), theirs.trim_start_matches('0'));
    mine.len().cmp(&theirs.len()).then_with(|| mine.cmp(theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_order_of_policy() {
        let ascending = [
            "1.0~~",
            "1.0~~a",
            "1.0~",
            "1.0-0~1",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0a",
            "1.0+x",
            "1.0.1",
            "1.2",
            "1.10",
            "1.10-2",
            "2:0.1",
            "10:0",
        ];
        for (position, low) in ascending.iter().enumerate() {
            for high in &ascending[position + 1..] {
                assert!(DebianVersion::new(low) < DebianVersion::new(high), "{low} < {high}");
            }
        }
        for (one, other) in [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.02", "1.2")] {
            assert_eq!(DebianVersion::new(one), DebianVersion::new(other), "{one} = {other}");
        }
    }
}
