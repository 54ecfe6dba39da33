use imagewright_pypa::PackageName;

use crate::document::{BaseLock, CompilerSource, Lock, PlatformLock};

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
    /// A distribution.
    Package(PackageName),
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

    /// A previous lock without the pins that are to be chosen anew, but for its base.
    pub(crate) fn released(&self, previous: &PlatformLock) -> PlatformLock {
        let mut previous = previous.clone();
        previous.packages.retain(|package| !self.includes(&Pin::Package(package.name.clone())));
        previous.compiler.take_if(|compiler| match &compiler.source {
            CompilerSource::Debian { .. } => self.includes(&Pin::Debian),
            CompilerSource::Archives { .. } => self.includes(&Pin::Python),
        });
        previous
    }

    /// Whether the base of a previous lock is to be chosen anew.
    pub(crate) fn includes_base(&self, base: &BaseLock) -> bool {
        let is_debian = matches!(base, BaseLock::Debian { .. });
        self.includes(&Pin::Base) || (is_debian && self.includes(&Pin::Debian))
    }

    /// The packages that are to be chosen anew and that `lock` does not have.
    pub fn unknown(&self, lock: &Lock) -> Vec<PackageName> {
        let Self::Only(pins) = self else { return Vec::new() };
        let has = |name: &PackageName| {
            lock.platforms.values().flat_map(|platform| &platform.packages).any(|it| it.name == *name)
        };
        let names = pins.iter().filter_map(|pin| match pin {
            Pin::Package(name) => Some(name),
            Pin::Debian | Pin::Python | Pin::Base => None,
        });
        names.filter(|name| !has(name)).cloned().collect()
    }
}
