//! The patterns of `.dockerignore`, as Docker reads them and as docker-py does.

/// A compiled pattern: `*` and `?` do not take a `/`, `**` does.
///
/// Matching walks all alternatives at once, so no pattern can make it take long.
#[derive(Debug)]
pub(crate) struct DockerPattern {
    dialect: Dialect,
    states: Vec<State>,
}

/// Whose reading of a pattern it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Docker's own (moby's `patternmatcher`): case matters, `\\` takes the next character as it is, `[^a]` is not `a`.
    Docker,
    /// docker-py's `fnmatch`, so flytekit's: case does not matter, and nothing is escaped.
    DockerPy,
}

#[derive(Debug)]
enum State {
    /// One certain character.
    Character(char),
    /// One of a set, or one that is not in it.
    Set { negated: bool, ranges: Vec<(char, char)> },
    /// `?`
    NoSlash,
    /// `*`
    ManyNoSlash,
    /// `**` at the end.
    Anything,
    /// `**` before something: nothing, or what ends in a slash. The state behind it is `InFolders`.
    Folders,
    /// Inside of what `Folders` took.
    InFolders,
}

impl DockerPattern {
    pub(crate) fn new(pattern: &str, dialect: Dialect) -> Self {
        let pattern: Vec<char> = dialect.cased(pattern).chars().collect();
        let mut states = Vec::new();
        let mut rest = &pattern[..];
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            match first {
                '*' if rest.first() == Some(&'*') => {
                    rest = &rest[1..];
                    rest = rest.strip_prefix(&['/']).unwrap_or(rest);
                    if rest.is_empty() {
                        states.push(State::Anything);
                    } else {
                        states.extend([State::Folders, State::InFolders]);
                    }
                }
                '*' => states.push(State::ManyNoSlash),
                '?' => states.push(State::NoSlash),
                '\\' if dialect == Dialect::Docker && !rest.is_empty() => {
                    states.push(State::Character(rest[0]));
                    rest = &rest[1..];
                }
                '[' => match split_set(rest) {
                    Some((set, after)) => {
                        states.push(parse_set(set, dialect));
                        rest = after;
                    }
                    None => states.push(State::Character('[')),
                },
                other => states.push(State::Character(other)),
            }
        }
        Self { dialect, states }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let name = self.dialect.cased(name);
        // Python's `$` also matches before a final newline.
        let shortened = name.strip_suffix('\n').filter(|_| self.dialect == Dialect::DockerPy);
        self.matches_all(&name) || shortened.is_some_and(|name| self.matches_all(name))
    }

    fn matches_all(&self, name: &str) -> bool {
        let mut current = vec![false; self.states.len() + 1];
        self.enter(&mut current, 0);
        for character in name.chars() {
            let mut next = vec![false; self.states.len() + 1];
            for (index, state) in self.states.iter().enumerate().filter(|(index, _)| current[*index]) {
                self.step(&mut next, index, state, character);
            }
            current = next;
        }
        current[self.states.len()]
    }

    /// Marks the states that `character` leads to from the state at `index`.
    fn step(&self, next: &mut [bool], index: usize, state: &State, character: char) {
        match state {
            State::Character(expected) if *expected == character => self.enter(next, index + 1),
            State::Set { negated, ranges } => {
                let contained = ranges.iter().any(|(first, last)| (*first..=*last).contains(&character));
                if contained != *negated {
                    self.enter(next, index + 1);
                }
            }
            State::NoSlash if character != '/' => self.enter(next, index + 1),
            State::ManyNoSlash if character != '/' => self.enter(next, index),
            State::Anything if self.takes(character) => self.enter(next, index),
            State::InFolders if self.takes(character) => {
                self.enter(next, index);
                if character == '/' {
                    self.enter(next, index + 1);
                }
            }
            _ => {}
        }
    }

    /// Whether a dot of the regular expression that the dialect makes takes it.
    fn takes(&self, character: char) -> bool {
        character != '\n' || self.dialect == Dialect::Docker
    }

    /// Marks a state, and those that are reached from it without a character.
    fn enter(&self, marks: &mut [bool], index: usize) {
        if marks[index] {
            return;
        }
        marks[index] = true;
        match self.states.get(index) {
            Some(State::ManyNoSlash | State::Anything) => self.enter(marks, index + 1),
            Some(State::Folders) => {
                self.enter(marks, index + 1);
                self.enter(marks, index + 2);
            }
            _ => {}
        }
    }
}

impl Dialect {
    fn cased(self, text: &str) -> String {
        match self {
            Self::Docker => text.to_owned(),
            Self::DockerPy => text.to_lowercase(),
        }
    }
}

/// What is between `[` and its `]`, which may be the first character of the set, and what follows.
fn split_set(rest: &[char]) -> Option<(&[char], &[char])> {
    let skipped = usize::from(rest.first() == Some(&'!'));
    let skipped = skipped + usize::from(rest.get(skipped) == Some(&']'));
    let end = skipped + rest.get(skipped..)?.iter().position(|c| *c == ']')?;
    Some((&rest[..end], &rest[end + 1..]))
}

fn parse_set(set: &[char], dialect: Dialect) -> State {
    let negation = if dialect == Dialect::Docker { '^' } else { '!' };
    let (negated, mut rest) = match set.split_first() {
        Some((first, rest)) if *first == negation => (true, rest),
        _ => (false, set),
    };
    let mut ranges = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        if let ['-', last, after @ ..] = after {
            ranges.push((first, *last));
            rest = after;
        } else {
            ranges.push((first, first));
            rest = after;
        }
    }
    State::Set { negated, ranges }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_docker_py_does() {
        let cases = [
            ("*.py", "a.py", true),
            ("*.py", "x/a.py", false),
            ("**/*.py", "a.py", true),
            ("**/*.py", "x/y/a.py", true),
            ("**", "x/y", true),
            ("a/**", "a", false),
            ("a/**", "a/b/c", true),
            ("a**b", "ab", true),
            ("a**b", "ax/b", true),
            ("a**b", "axb", false),
            ("A?C", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[^a]", "^", true),
            ("[", "[", true),
            ("a", "a\n", true),
        ];
        for (pattern, name, expected) in cases {
            let pattern = DockerPattern::new(pattern, Dialect::DockerPy);
            assert_eq!(pattern.matches(name), expected, "{pattern:?} {name}");
        }
    }

    #[test]
    fn matches_as_docker_does() {
        let cases = [
            ("A.py", "a.py", false),
            ("**/data", "data", true),
            ("**/data", "x/data", true),
            (r"\*.py", "*.py", true),
            (r"\*.py", "a.py", false),
            ("[^a]", "b", true),
            ("[^a]", "a", false),
            ("[!a]", "a", true),
        ];
        for (pattern, name, expected) in cases {
            let pattern = DockerPattern::new(pattern, Dialect::Docker);
            assert_eq!(pattern.matches(name), expected, "{pattern:?} {name}");
        }
    }
}
