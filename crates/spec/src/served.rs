//! Which inputs serve where others are asked for: packages that a front end asks for, and a Python that nobody chose.
//!
//! Machines that build the image of one tag differ in both, and the tag does not say them. What they ask for by turns
//! has an image made again once at most, within one major version: a newer version serves who asks for an older one, and
//! never the reverse.

use std::collections::BTreeMap;

use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, Specifiers, Version};

use crate::requirements::distribution;

/// Inputs by the name that a user knows each by.
pub type InputDigests = BTreeMap<String, Digest>;

/// What the names of inputs begin with that a front end asks for and the spec does not.
pub const WITH: &str = "with: ";

/// The Python that was chosen for an image whose spec and base say none.
pub(crate) const PYTHON: &str = "python";

/// The same, where nobody chose it: that of the machine, which need not be another machine's.
pub(crate) const PYTHON_BY_DEFAULT: &str = "python by default";

/// Behind a distribution that a front end asked for, and the spec, a lock or the base brings in its own version.
const THERE: &str = " (there already)";

/// What inputs say of those that are asked for: the same where they serve.
///
/// What is there besides of what front ends ask for is left out.
pub fn as_asked(asked: &InputDigests, has: &InputDigests) -> InputDigests {
    let is_besides = |name: &str| match python(name) {
        Some(prefix) => PYTHONS.iter().any(|python| asked.contains_key(&format!("{prefix}{python}"))),
        None => name.starts_with(WITH),
    };
    let mut seen = has.clone();
    seen.retain(|name, _| asked.contains_key(name) || !is_besides(name));
    for (name, digest) in asked {
        if serves(name, *digest, has) {
            seen.insert(name.clone(), *digest);
        }
    }
    seen
}

/// The inputs of an image: those that were asked for, with what its lock says it has of what a front end asked for.
pub fn as_made(asked: &InputDigests, lock: &InputDigests) -> InputDigests {
    let is_of_the_lock = |name: &str| name.starts_with(WITH) || python(name).is_some();
    let mut made = asked.clone();
    made.retain(|name, _| !is_of_the_lock(name));
    let of_the_lock = lock.iter().filter(|(name, _)| is_of_the_lock(name));
    made.extend(of_the_lock.map(|(name, digest)| (name.clone(), *digest)));
    made
}

/// What became of the distributions that a front end asked for, in the place of what it wrote.
pub fn as_locked(asked: &InputDigests, outcome: impl Fn(&PackageName) -> Option<Outcome>) -> InputDigests {
    let locked = asked.iter().map(|(name, digest)| {
        let found = name.strip_prefix(WITH).and_then(Further::parse);
        let text = match found.as_ref().and_then(|it| outcome(&it.name)) {
            Some(Outcome::There) => found.map(|it| format!("{}{THERE}", it.name)),
            Some(Outcome::Installed(version)) => found
                .filter(|it| !matches!(it.wanted, Wanted::AtLeast(ref pinned) if *pinned == version))
                .map(|it| format!("{}=={version}", it.name)),
            None => None,
        };
        match text {
            Some(text) => (format!("{WITH}{text}"), Digest::of(text.as_bytes())),
            None => (name.clone(), *digest),
        }
    });
    locked.collect()
}

/// What became of a distribution that a front end asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The spec, a lock or the base brings it.
    There,
    /// It is installed for the front end.
    Installed(Version),
}

const PYTHONS: [&str; 2] = [PYTHON, PYTHON_BY_DEFAULT];

/// What is in front of the name of an input that is a Python: nothing, or which base it is of.
fn python(name: &str) -> Option<&str> {
    let prefix = PYTHONS.iter().find_map(|python| name.strip_suffix(python))?;
    prefix.split_terminator("base_image: ").all(str::is_empty).then_some(prefix)
}

fn serves(name: &str, digest: Digest, has: &InputDigests) -> bool {
    if has.get(name) == Some(&digest) {
        return true;
    }
    if let Some(prefix) = python(name) {
        let is_default = name.ends_with(PYTHON_BY_DEFAULT);
        let serves = |python: &str| {
            has.get(&format!("{prefix}{python}")).is_some_and(|it| is_default || *it == digest)
        };
        return PYTHONS.into_iter().any(serves);
    }
    let Some(further) = name.strip_prefix(WITH).and_then(Further::parse) else { return false };
    has.keys().filter_map(|name| name.strip_prefix(WITH)).any(|has| further.is_served_by(has))
}

/// A distribution that a front end asks for by its name alone, or with versions.
#[derive(Debug)]
struct Further {
    name: PackageName,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// Of the same major version: the front end's own.
    AtLeast(Version),
    Any,
    Of(Specifiers),
}

impl Further {
    /// Nothing where a requirement says more: extras, a marker, an address.
    fn parse(text: &str) -> Option<Self> {
        let name = distribution(text)?;
        let rest =
            text.trim().trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c)).trim();
        let pinned = rest.strip_prefix("==").and_then(|version| version.trim().parse().ok());
        let wanted = match pinned {
            Some(version) => Wanted::AtLeast(version),
            None if rest.is_empty() => Wanted::Any,
            None => Wanted::Of(rest.parse().ok()?),
        };
        Some(Self { name, wanted })
    }

    fn is_served_by(&self, has: &str) -> bool {
        if let Some(name) = has.strip_suffix(THERE) {
            return name.parse().is_ok_and(|name: PackageName| name == self.name);
        }
        let Some(Self { name, wanted: Wanted::AtLeast(version) }) = Self::parse(has) else { return false };
        name == self.name
            && match &self.wanted {
                Wanted::Any => true,
                Wanted::AtLeast(least) => {
                    version == *least
                        || (version > *least
                            && version.release().first() == least.release().first()
                            // A build of one's own, or one before a release, is served by itself alone.
                            && !version.is_local()
                            && !least.is_local()
                            && (least.is_prerelease() || !version.is_prerelease()))
                }
                Wanted::Of(specifiers) => specifiers.contains(&version),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(written: &[&str]) -> InputDigests {
        let input = |text: &&str| match text.split_once(" = ") {
            Some((name, value)) => (name.to_owned(), Digest::of(value.as_bytes())),
            None => ((*text).to_owned(), Digest::of(text.strip_prefix(WITH).unwrap_or(text).as_bytes())),
        };
        written.iter().map(input).collect()
    }

    /// Whether an image that was made from `has` serves who asks for `asked`, both beside one spec.
    fn check(asked: &[&str], has: &[&str]) -> bool {
        let (mut asked, mut has) = (inputs(asked), inputs(has));
        for inputs in [&mut asked, &mut has] {
            inputs.extend(self::inputs(&["spec = numpy"]));
        }
        as_asked(&asked, &has) == asked
    }

    #[test]
    fn what_serves() {
        for (asked, has, expected) in [
            ("with: kit==1.16.30", "with: kit==1.16.31", true),
            ("with: kit==1.16.31", "with: kit==1.16.30", false),
            ("with: kit==1.16.31", "with: kit==2.0", false),
            ("with: kit==1.16.31", "with: kit==1.17.0b1", false),
            ("with: kit==1.17.0b1", "with: kit==1.17.0b2", true),
            ("with: kit==1.0+cpu", "with: kit==1.0+cu118", false),
            ("with: kit==1.0+cpu", "with: kit==1.0+cpu", true),
            ("with: kit==1.0", "with: kit==1.1+cpu", false),
            ("with: Flyte_Kit==1", "with: flyte-kit==1.0", true),
            ("with: kit", "with: kit==1.16.30", true),
            ("with: kit==1", "with: kit", false),
            ("with: kit>=1.2,<2", "with: kit==1.3", true),
            ("with: kit>=1.2,<2", "with: kit==2.3", false),
            ("with: kit==1.*", "with: kit==1.3", true),
            ("with: kit==3", "with: kit (there already)", true),
            ("with: kit==3", "with: kit2 (there already)", false),
            ("with: kit[x]==1", "with: kit==1", false),
            ("with: kit==1; python_version > '3'", "with: kit==1", false),
            ("with: kit @ https://host/kit-1.whl", "with: kit==1", false),
            ("with: six==1", "with: kit==1", false),
            ("python by default = 3.11", "python by default = 3.12", true),
            ("python by default = 3.11", "python = 3.12", true),
            ("python = 3.11", "python by default = 3.11", true),
            ("python = 3.11", "python by default = 3.12", false),
            ("python = 3.11", "python = 3.12", false),
            ("base_image: python by default = 3.11", "base_image: python by default = 3.12", true),
            ("base_image: python by default = 3.11", "python by default = 3.11", false),
            ("my python = 3.11", "my python = 3.12", false),
        ] {
            assert_eq!(check(&[asked], &[has]), expected, "{asked} of {has}");
            assert!(check(&[asked], &[asked]), "{asked}");
        }
        assert!(check(&[], &["with: kit==1"]));
        assert!(!check(&[], &["python = 3.11"]));
        assert!(!check(&["python by default = 3.11"], &[]));
    }

    #[test]
    fn an_image_says_what_it_has() {
        let asked = inputs(&[
            "spec",
            "with: Kit==1",
            "with: six",
            "with: there==2",
            "with: ./x.whl",
            "python by default = 3.11",
        ]);
        let locked = as_locked(&asked, |name| match &*name.to_string() {
            "there" => Some(Outcome::There),
            name => Some(Outcome::Installed(if name == "kit" { "1.0" } else { "1.17" }.parse().unwrap())),
        });
        let has = ["spec", "with: Kit==1", "with: six==1.17", "with: there (there already)", "with: ./x.whl"];
        assert_eq!(locked, inputs(&[&has[..], &["python by default = 3.11"]].concat()));
        assert_eq!(as_asked(&asked, &locked), asked);

        // A lock that another machine made: its Python and its packages are the image's.
        let of_the_lock = inputs(&["spec = then", "with: kit==2", "python = 3.12"]);
        assert_eq!(as_made(&asked, &of_the_lock), inputs(&["spec", "with: kit==2", "python = 3.12"]));
    }
}
