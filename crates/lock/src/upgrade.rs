use std::collections::BTreeSet;
use std::fmt;

use imagewright_debian::DebianName;
use imagewright_pypa::PackageName;
use imagewright_spec::nearest;

use crate::LockError;
use crate::document::{BaseLock, CompilerSource, Lock, PlatformLock};
use crate::python::Requirement;

/// How many packages a hint names.
const MOST_NAMES: usize = 20;

/// What of a previous lock is to be chosen anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// Nothing.
    #[default]
    Nothing,
    /// Everything.
    Everything,
    /// These.
    Only(Vec<Pin>),
}

/// Something that a lock pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Debian's packages: of an assembled base, and of a compiler that is made of them.
    Debian,
    /// Archives of interpreters: of the one that is added, and of the compiler.
    Python,
    /// The base, be it an image or assembled.
    Base,
    /// The packages of the system that apt chose.
    Apt,
    /// One of them.
    SystemPackage(DebianName),
    /// A distribution.
    Package(PackageName),
}

impl Pin {
    /// What is pinned beside packages, by the names that a user has for it.
    pub const SECTIONS: [(&str, Self); 4] =
        [("debian", Self::Debian), ("python", Self::Python), ("base", Self::Base), ("apt", Self::Apt)];
}

impl Upgrade {
    /// Whether a pin is to be chosen anew.
    pub fn includes(&self, pin: &Pin) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Only(pins) => pins.contains(pin),
        }
    }

    /// The same and `pins`.
    #[must_use]
    pub fn with(&self, pins: Vec<Pin>) -> Self {
        match self {
            Self::Everything => Self::Everything,
            same if pins.is_empty() => same.clone(),
            Self::Nothing => Self::Only(pins),
            Self::Only(some) => Self::Only([some.clone(), pins].concat()),
        }
    }

    /// A previous lock without the pins that are to be chosen anew, but for its base.
    pub(crate) fn released(&self, previous: &PlatformLock) -> PlatformLock {
        let mut previous = previous.clone();
        previous.packages.retain(|package| !self.includes(&Pin::Package(package.name.clone())));
        previous.compiler.take_if(|compiler| match &compiler.source {
            CompilerSource::Debian { .. } => self.includes(&Pin::Debian),
            CompilerSource::Archives { .. } => self.includes(&Pin::Python),
        });
        previous.results = previous.results.released(self);
        previous
    }

    /// Whether the base of a previous lock is to be chosen anew.
    pub(crate) fn includes_base(&self, base: &BaseLock) -> bool {
        let is_debian = matches!(base, BaseLock::Debian { .. });
        self.includes(&Pin::Base) || (is_debian && self.includes(&Pin::Debian))
    }

    /// Whether all of what apt chose is to be chosen anew: over another base, nothing of it is kept.
    pub(crate) fn includes_apt(&self) -> bool {
        [Pin::Apt, Pin::Debian, Pin::Base].iter().any(|pin| self.includes(pin))
    }

    /// Refuses to choose anew what is not there to be chosen: a package that is neither pinned by `lock` nor among
    /// those that are asked for, which are new.
    pub fn check(&self, lock: &Lock, asked: &[Requirement]) -> Result<(), LockError> {
        let Self::Only(pins) = self else { return Ok(()) };
        let chosen = lock.platforms.values().flat_map(|platform| &platform.results.apt.packages);
        let chosen: BTreeSet<&DebianName> = chosen.map(|package| &package.name).collect();
        let unknown = pins.iter().find_map(|pin| match pin {
            Pin::SystemPackage(name) => Some(name).filter(|name| !chosen.contains(name)),
            _ => None,
        });
        if let Some(name) = unknown {
            let chosen = chosen.into_iter().cloned().collect();
            return Err(LockError::NotChosen { name: name.clone(), chosen });
        }
        let pinned = lock.platforms.values().flat_map(|platform| &platform.packages);
        let pinned: BTreeSet<PackageName> = pinned.map(|package| package.name.clone()).collect();
        let is_asked = |name: &PackageName| asked.iter().any(|it| it.name().as_ref() == Some(name));
        let mut named = pins.iter().filter_map(|pin| match pin {
            Pin::Package(name) => Some(name),
            _ => None,
        });
        let unknown = named.find(|name| !pinned.contains(*name) && !is_asked(name));
        match unknown.cloned() {
            Some(name) => Err(LockError::NotPinned { name, pinned: pinned.into_iter().collect() }),
            None => Ok(()),
        }
    }
}

/// What to do about a name that a lock does not pin: the nearest that can be chosen anew, and all there are.
pub(crate) fn upgradable(name: &PackageName, pinned: &[PackageName]) -> String {
    let sections = Pin::SECTIONS.map(|(name, _)| name);
    let names = sections.into_iter().chain(pinned.iter().map(PackageName::as_str));
    let nearest = nearest(name.as_str(), names);
    let meant = nearest.map(|known| format!("did you mean `{known}`?\n")).unwrap_or_default();
    let shown: Vec<&str> = pinned.iter().take(MOST_NAMES).map(PackageName::as_str).collect();
    let more = match pinned.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let sections = sections.map(|section| format!("`{section}`")).join(", ");
    let packages = shown.join(", ");
    format!("{meant}what can be upgraded: {sections}, and the packages {packages}{more}")
}

/// What to do about a package of the system that a lock does not have: the nearest that it has.
pub(crate) fn upgradable_by_apt(name: &DebianName, chosen: &[DebianName]) -> String {
    if chosen.is_empty() {
        return "it has none yet: they are known when the image was built; run `imagewright lock` then"
            .to_owned();
    }
    match nearest(name.as_str(), chosen.iter().map(DebianName::as_str)) {
        Some(known) => format!("did you mean `apt:{known}`?"),
        None => format!("it has {} of them; `apt` is all", chosen.len()),
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian => f.write_str("Debian's packages"),
            Self::Python => f.write_str("Python's archives"),
            Self::Base => f.write_str("the base image"),
            Self::Apt => f.write_str("the packages that apt chose"),
            Self::SystemPackage(name) => write!(f, "apt's {name}"),
            Self::Package(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_meant_and_all_are_named() {
        let names =
            |text: &str| text.split(' ').map(|name| name.parse().unwrap()).collect::<Vec<PackageName>>();
        for (name, nearest) in [("numpi", Some("numpy")), ("debain", Some("debian")), ("zzz", None)] {
            let said = upgradable(&name.parse().unwrap(), &names("numpy pandas"));
            assert!(
                said.ends_with("`debian`, `python`, `base`, `apt`, and the packages numpy, pandas"),
                "{said}"
            );
            let meant = said.strip_prefix("did you mean `").and_then(|rest| rest.split('`').next());
            assert_eq!(meant, nearest, "{said}");
        }
        let many: Vec<String> = (0..MOST_NAMES + 2).map(|number| format!("p{number}")).collect();
        let said = upgradable(&"zzz".parse().unwrap(), &names(&many.join(" ")));
        assert!(said.ends_with(" and 2 more"), "{said}");
    }
}
