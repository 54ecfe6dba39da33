//! Users and passwords by the names of machines, in the format of ftp(1), as Python's `netrc` reads it.

use std::collections::BTreeMap;
use std::io;
use std::iter::Peekable;
use std::str::Chars;

use super::{Credentials, IndexSettings, NetrcProblem, PythonWarning};
use crate::uv::Host;

/// The entries of a file; of several for one machine the last counts, as for pip and uv.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Netrc {
    machines: BTreeMap<String, Credentials>,
    default: Option<Credentials>,
}

/// The file that `NETRC` names, or else the one in the user's home, which need not be there.
///
/// One that cannot be used is no error, because pip and uv go on without it; but it is told.
pub(super) fn of_host(host: &Host) -> IndexSettings {
    let named = host.variable("NETRC").map(|path| host.absolute(path));
    let own = || host.home().map(|home| home.join(".netrc"));
    let is_named = named.is_some();
    let Some(path) = named.or_else(own) else { return IndexSettings::default() };
    let read = match fs_err::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => {
            return IndexSettings::default();
        }
        Err(error) => Err(NetrcProblem::Unreadable { because: error.to_string() }),
        Ok(text) => parse(&text).map_err(|line| NetrcProblem::Malformed { path, line }),
    };
    match read {
        Ok(netrc) => IndexSettings { netrc, ..IndexSettings::default() },
        Err(problem) => {
            IndexSettings { warnings: vec![PythonWarning::Netrc { problem }], ..IndexSettings::default() }
        }
    }
}

impl Netrc {
    pub(super) fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.default.is_none()
    }

    /// What a machine is given.
    pub(super) fn credentials(&self, machine: &str) -> Option<&Credentials> {
        self.machines.get(machine).or(self.default.as_ref())
    }
}

/// The entries of a text; the line of the first word that does not belong there, from 1, when there is one.
fn parse(text: &str) -> Result<Netrc, usize> {
    let mut words = Words { rest: text.chars().peekable(), line: 1 };
    let mut netrc = Netrc::default();
    let mut word = words.next();
    while let Some(keyword) = word {
        let machine = match keyword.as_str() {
            "machine" => Some(words.next().ok_or(words.line)?),
            "default" => None,
            "macdef" => {
                words.skip_macro();
                word = words.next();
                continue;
            }
            _ => return Err(words.line),
        };
        let (credentials, next) = entry(&mut words)?;
        match (machine, credentials) {
            (Some(machine), Some(credentials)) => {
                netrc.machines.insert(machine, credentials);
            }
            (None, Some(credentials)) => netrc.default = Some(credentials),
            (_, None) => {}
        }
        word = next;
    }
    Ok(netrc)
}

/// What an entry says, when it names a user, and the word behind it.
fn entry(words: &mut Words<'_>) -> Result<(Option<Credentials>, Option<String>), usize> {
    let (mut user, mut password) = (None, None);
    loop {
        let word = words.next();
        match word.as_deref() {
            Some("login" | "user") => user = Some(words.value().ok_or(words.line)?),
            Some("password") => password = Some(words.value().ok_or(words.line)?),
            Some("account") => drop(words.value().ok_or(words.line)?),
            None | Some("machine" | "default" | "macdef") => {
                let credentials =
                    user.map(|user| Credentials { user, password: password.unwrap_or_default() });
                return Ok((credentials, word));
            }
            Some(_) => return Err(words.line),
        }
    }
}

struct Words<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Words<'_> {
    /// The next word that is no comment.
    fn next(&mut self) -> Option<String> {
        loop {
            let word = self.value()?;
            if !word.starts_with('#') {
                return Some(word);
            }
            self.skip_line();
        }
    }

    /// The next word: up to white space, or in quotes; what is behind a backslash stands for itself.
    fn value(&mut self) -> Option<String> {
        while self.rest.peek().is_some_and(char::is_ascii_whitespace) {
            self.take();
        }
        self.rest.peek()?;
        let is_quoted = self.rest.next_if_eq(&'"').is_some();
        let mut word = String::new();
        while let Some(character) = self.rest.peek().copied() {
            match character {
                '"' if is_quoted => {
                    self.take();
                    break;
                }
                '\\' => {
                    self.take();
                    word.extend(self.take());
                }
                _ if !is_quoted && character.is_ascii_whitespace() => break,
                _ => word.extend(self.take()),
            }
        }
        Some(word)
    }

    fn take(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        self.line += usize::from(character == '\n');
        Some(character)
    }

    fn skip_line(&mut self) -> bool {
        let mut is_empty = true;
        while let Some(character) = self.take().filter(|character| *character != '\n') {
            is_empty &= character == '\r';
        }
        is_empty
    }

    /// A macro ends at an empty line.
    fn skip_macro(&mut self) {
        self.skip_line();
        while self.rest.peek().is_some() && !self.skip_line() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_those_of_machines() {
        let text = "# mine\nmachine a login u password p # why\nmachine b\n  user v\n  account x\n  password q\n\
                    macdef init\nmachine m login no\n\nmachine c login \"w w\" password a\\ \"b\n\
                    machine n password only\ndefault login d password #e\n";
        let netrc = parse(text).unwrap();
        for (machine, user, password) in
            [("a", "u", "p"), ("b", "v", "q"), ("c", "w w", "a \"b"), ("m", "d", "#e"), ("n", "d", "#e")]
        {
            let expected = Credentials { user: user.to_owned(), password: password.to_owned() };
            assert_eq!(netrc.credentials(machine), Some(&expected), "{machine}");
        }
        assert_eq!(parse("machine a login u").unwrap().credentials("b"), None);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_does_not_belong_there_is_found() {
        for (text, line) in [
            ("machine a login u\npasword p\n", 2),
            ("\n\nlogin u", 3),
            ("machine", 1),
            ("machine a login", 1),
        ] {
            assert_eq!(parse(text), Err(line), "{text}");
        }
    }
}
