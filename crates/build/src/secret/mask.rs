//! Hides secrets in what commands write.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";
/// A shorter text would be found in what has nothing to do with it.
const SHORTEST: usize = 4;
/// From this length on, letters and digits without an order are taken for a password.
const RANDOM: usize = 8;
/// The ends of names of what is secret.
const NAMES: [&str; 7] = ["password", "passwd", "token", "secret", "auth", "key", "credential"];

/// Texts that may not be told.
#[derive(Clone, Default)]
pub(crate) struct Mask {
    /// The longest first, because one may be part of another.
    texts: Vec<String>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} texts)", self.texts.len())
    }
}

impl Mask {
    /// Hides each line of these secrets, and in it what is a password by its name, by its place in an address, or by its
    /// looks; and what HTTP makes of a user and a password.
    pub(crate) fn of<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let secrets: Vec<&str> = secrets.collect();
        let logins = secrets.iter().flat_map(|secret| logins(secret));
        let lines = secrets.iter().flat_map(|secret| secret.lines()).flat_map(secrets_of);
        let texts: BTreeSet<String> = lines.chain(logins).collect();
        let mut texts: Vec<String> = texts.into_iter().collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { texts }
    }

    /// Hides the users and passwords of addresses; whatever has none is no secret.
    pub(crate) fn of_logins<'a>(addresses: impl Iterator<Item = &'a str>) -> Self {
        // A proxy may be written without a scheme.
        let whole = |address: &str| {
            if address.contains("://") { address.to_owned() } else { format!("http://{address}") }
        };
        let addresses: Vec<String> =
            addresses.map(whole).filter(|address| user_of_address(address).is_some()).collect();
        Self::of(addresses.iter().map(String::as_str))
    }

    /// Hides what either hides.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut texts: Vec<String> = self.texts.iter().chain(&other.texts).cloned().collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { texts }
    }

    /// The line as it may be told.
    pub(crate) fn hide<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let mut hidden = Cow::Borrowed(line);
        for text in self.texts.iter().filter(|text| line.contains(text.as_str())) {
            hidden = Cow::Owned(hidden.replace(text, HIDDEN));
        }
        hidden
    }
}

fn secrets_of(line: &str) -> Vec<String> {
    let line = line.trim();
    let is_separator = |letter: char| letter.is_whitespace() || "\"'`,;{}[]()<>=:".contains(letter);
    // A password may have any letter in it; only the name before it tells where it ends.
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['"', '\'', ','])).collect();
    let parts: Vec<&str> = line.split(is_separator).filter(|part| !part.is_empty()).collect();
    let mut secrets = vec![line];
    secrets.extend(named(&words));
    secrets.extend(named(&parts));
    secrets.extend(parts.into_iter().filter(|part| is_random(part)));
    let values = line.split_once(['=', ':']).map(|(name, value)| (name, value.trim()));
    let values = values.filter(|(name, _)| is_name(name.trim()));
    secrets.extend(values.map(|(_, value)| value.trim_end_matches(',').trim_matches(['"', '\''])));
    secrets.extend(words.iter().filter_map(|word| of_address(word)));
    let long = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST);
    long.map(str::to_owned).collect()
}

/// `user:password` as a header has it, of netrc's words and of addresses.
fn logins(secret: &str) -> Vec<String> {
    let mut logins = Vec::new();
    let mut user = "";
    let words: Vec<&str> = secret.split_whitespace().collect();
    for pair in words.windows(2) {
        match pair[0] {
            "login" | "user" => user = pair[1],
            "password" => logins.push(format!("{user}:{}", pair[1])),
            _ => {}
        }
    }
    let addresses = words.iter().filter_map(|word| user_of_address(word));
    logins.extend(addresses.filter(|user| user.contains(':')).map(str::to_owned));
    logins.into_iter().map(|login| BASE64_STANDARD.encode(login)).collect()
}

/// What follows the name of something secret.
fn named<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.windows(2).filter(|pair| is_name(pair[0])).map(|pair| pair[1]).collect()
}

fn is_name(word: &str) -> bool {
    let name = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()).to_ascii_lowercase();
    NAMES.iter().any(|end| name.ends_with(end))
}

fn is_random(word: &str) -> bool {
    let has = |is: fn(&char) -> bool| word.chars().any(|letter| is(&letter));
    // A name of a machine or file has dots and slashes.
    word.len() >= RANDOM
        && !word.contains(['.', '/'])
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
}

/// The password of `https://user:password@host/`, or the token of `https://token@host/`.
fn of_address(word: &str) -> Option<&str> {
    let user = user_of_address(word)?;
    Some(user.split_once(':').map_or(user, |(_, password)| password))
}

fn user_of_address(word: &str) -> Option<&str> {
    let (_, rest) = word.split_once("://")?;
    Some(rest.split('/').next()?.rsplit_once('@')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_of_a_file_is_hidden() {
        for (file, line, shown) in [
            ("hunter2\n", "Bearer hunter2", "Bearer ***"),
            (
                "machine pypi.example login me password hunter",
                "me at pypi.example: hunter",
                "me at pypi.example: ***",
            ),
            ("machine a login me\n  password a:\"b\n", "got a:\"b.", "got ***."),
            (
                "[global]\nindex-url = https://me:hunter@host/simple\n",
                "host said no to hunter",
                "host said no to ***",
            ),
            ("[url \"https://t0ken@git/\"]\n", "t0ken git", "*** git"),
            ("{\"auths\":{\"host\":{\"auth\":\"bWU6aHVudGVy\"}}}", "host bWU6aHVudGVy", "host ***"),
            ("machine a\nlogin me\npassword hunter", "Basic bWU6aHVudGVy", "Basic ***"),
            ("https://me:hunter@host/simple", "Basic bWU6aHVudGVy", "Basic ***"),
            ("{\"password\":\"hunter\"}", "hunter", "***"),
            ("password = \"a b c\"", "a b c d", "*** d"),
            ("ghp_0123456789abcdef\n", "xghp_0123456789abcdefx", "x***x"),
            ("-----BEGIN KEY-----\nAAAA\n", "AAAA", "***"),
            ("abc\n\n", "abc", "abc"),
            ("", "nothing", "nothing"),
        ] {
            assert_eq!(Mask::of([file].into_iter()).hide(line), shown, "{file}");
        }
    }

    #[test]
    fn only_logins_of_addresses_are_hidden() {
        let addresses = ["http://me:hunter@proxy:3128/", "you:other-one@proxy:3128", "localhost,proxy:3128"];
        let mask = Mask::of(["t0ken-of-mine"].into_iter()).and(&Mask::of_logins(addresses.into_iter()));
        for (line, shown) in [
            ("proxy http://me:hunter@proxy:3128", "proxy http://me:***@proxy:3128"),
            ("Proxy-Authorization: Basic bWU6aHVudGVy", "Proxy-Authorization: Basic ***"),
            ("other-one and t0ken-of-mine", "*** and ***"),
            ("localhost,proxy:3128", "localhost,proxy:3128"),
        ] {
            assert_eq!(mask.hide(line), shown);
        }
    }

    #[test]
    fn the_longer_of_two_secrets_is_hidden_whole() {
        let mask = Mask::of(["hunter", "hunter-and-more"].into_iter());
        assert_eq!(mask.hide("hunter-and-more hunter"), "*** ***");
        assert!(!format!("{mask:?}").contains("hunter"));
    }
}
