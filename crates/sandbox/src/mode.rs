use std::error::Error as _;
use std::fmt;
use std::str::FromStr;

use crate::SandboxError;

/// How a command is isolated, best first.
///
/// A root file system that was unpacked in one mode is not usable in another, unless the owners of its files are the
/// same: see [`crate::Sandbox::owners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// As root with CAP_SYS_ADMIN: files have the owners that the image gives them.
    Root,
    /// In a user namespace with the caller's subordinate ids, mapped by newuidmap and newgidmap: files have the
    /// owners that the image gives them, seen from inside.
    SubordinateIds,
    /// In a user namespace with one id: every file seems to belong to the user that the command runs as. What root
    /// does to owners is kept beside the files, and root that becomes another user stays root: programs that check,
    /// such as apt, must be told not to (`APT::Sandbox::User=root`).
    SingleId,
    /// As root that may neither mount nor make namespaces: with chroot, in a copy of the layers. There is no
    /// `/proc`, and nothing keeps the command from what root can reach.
    Chroot,
}

/// Whether a mode works on this machine.
#[derive(Debug)]
pub struct ModeReport {
    /// The mode that was tried.
    pub mode: Mode,
    /// Nothing, or what failed.
    pub outcome: Result<(), SandboxError>,
}

impl Mode {
    /// All modes, best first.
    pub const ALL: [Self; 4] = [Self::Root, Self::SubordinateIds, Self::SingleId, Self::Chroot];

    /// Whether files get the owners that a command gives them; where there is one id only, some are lost.
    pub fn keeps_owners(self) -> bool {
        self != Self::SingleId
    }

    /// The name that a user chooses it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::SubordinateIds => "subordinate-ids",
            Self::SingleId => "single-id",
            Self::Chroot => "chroot",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = SandboxError;

    fn from_str(text: &str) -> Result<Self, SandboxError> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| SandboxError::UnknownMode { text: text.to_owned() })
    }
}

impl ModeReport {
    /// Whether a command can be run in this mode.
    pub fn works(&self) -> bool {
        self.outcome.is_ok()
    }

    /// What failed, with all causes, on one line.
    pub fn why_not(&self) -> Option<String> {
        let error = self.outcome.as_ref().err()?;
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Some(text)
    }
}

impl fmt::Display for ModeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why_not() {
            Some(why_not) => write!(f, "{}: {why_not}", self.mode),
            None => write!(f, "{}: works", self.mode),
        }
    }
}
