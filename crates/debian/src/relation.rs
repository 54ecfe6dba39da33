use std::cmp::Ordering;
use std::fmt;

use crate::{DebianError, DebianName, DebianVersion};

/// One package that a dependency names: `libc6 (>= 2.36)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// The name of a package, or one that packages provide.
    pub(crate) name: DebianName,
    /// Which versions will do; any, if there is none.
    pub(crate) constraint: Option<(Comparison, DebianVersion)>,
}

/// Relations of which one is enough: `debconf (>= 0.5) | debconf-2.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alternatives(pub(crate) Vec<Relation>);

/// How the version of a package is compared with the one in a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `<<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>>`
    Greater,
}

impl Relation {
    /// Whether a package of this version satisfies it.
    pub(crate) fn accepts(&self, version: &DebianVersion) -> bool {
        self.constraint.as_ref().is_none_or(|(comparison, wanted)| comparison.holds(version.cmp(wanted)))
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, constraint) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => (name, Some(parse_constraint(rest.trim().strip_suffix(')')?)?)),
        };
        // `python3:any` and `libc6:amd64` name the one architecture that an image has.
        let name = name.trim().split(':').next()?.parse().ok()?;
        Some(Self { name, constraint })
    }
}

impl Comparison {
    /// Whether `order`, of a version to the one in the relation, is what it asks for.
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

/// Reads the value of `Depends`, `Conflicts`, `Provides` and their kin (Debian policy 7.1).
pub(crate) fn parse_relations(package: &str, value: &str) -> Result<Vec<Alternatives>, DebianError> {
    let groups = value.split(',').map(str::trim).filter(|group| !group.is_empty());
    groups
        .map(|group| {
            let relations = group.split('|').map(|text| Relation::parse(text.trim())).collect::<Option<_>>();
            relations.map(Alternatives).ok_or_else(|| DebianError::Relation {
                package: package.to_owned(),
                relation: group.to_owned(),
            })
        })
        .collect()
}

fn parse_constraint(text: &str) -> Option<(Comparison, DebianVersion)> {
    let text = text.trim();
    let operator_end = text.find(|c| !"<>=".contains(c))?;
    let comparison = match &text[..operator_end] {
        "<<" => Comparison::Less,
        "<=" | "<" => Comparison::LessOrEqual,
        "=" => Comparison::Equal,
        ">=" | ">" => Comparison::GreaterOrEqual,
        ">>" => Comparison::Greater,
        _ => return None,
    };
    Some((comparison, DebianVersion::new(text[operator_end..].trim())))
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        self.constraint.iter().try_for_each(|(comparison, version)| write!(f, " ({comparison} {version})"))
    }
}

impl fmt::Display for Alternatives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Relation::to_string).collect();
        f.write_str(&texts.join(" | "))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">>",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_grammar_of_policy() {
        let written = |text| {
            let groups = parse_relations("p", text).unwrap();
            groups.iter().map(Alternatives::to_string).collect::<Vec<_>>()
        };
        assert_eq!(written("libc6 (>= 2.36), awk"), ["libc6 (>= 2.36)", "awk"]);
        assert_eq!(written("a(>=1)|b ( << 2~ ) ,c:any (= 3)"), ["a (>= 1) | b (<< 2~)", "c (= 3)"]);
        assert_eq!(written(" "), Vec::<String>::new());
        for wrong in ["A", "a (1)", "a (>= 1", "a | ", "a (=> 1)", "a b"] {
            assert!(parse_relations("p", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn compares_versions() {
        for (relation, version, accepted) in [
            ("a (>= 1)", "1", true),
            ("a (>> 1)", "1", false),
            ("a (<< 1)", "1~rc1", true),
            ("a (= 1)", "1-1", false),
            ("a", "0", true),
        ] {
            let relation = Relation::parse(relation).unwrap();
            assert_eq!(relation.accepts(&DebianVersion::new(version)), accepted, "{relation} {version}");
        }
    }
}
