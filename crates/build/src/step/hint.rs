//! What to do about something that was executed and failed.

use imagewright_sandbox::Network;

use crate::BuildError;

impl BuildError {
    /// What to do about something that was executed.
    pub(crate) fn step_hint(&self) -> Option<String> {
        match self {
            Self::Apt { network: Network::None, .. } | Self::Step { network: Network::None, .. } => {
                Some(format!("{NO_NETWORK}; {LOOK}"))
            }
            Self::Apt { unknown_in: Some(_), package: Some(package), .. } if names_architecture(package) => {
                Some(ONE_ARCHITECTURE.to_owned())
            }
            Self::Apt { unknown_in: Some(system), .. } => Some(format!(
                "check how it is written, and whether {system} has it: `apt-get update` in the base, then `apt-cache search`"
            )),
            Self::Apt { unknown_in: None, .. } | Self::Step { .. } => Some(LOOK.to_owned()),
            Self::AptGone { .. } => Some(
                "choose anew with `imagewright lock SPEC --upgrade apt`, or build without `--frozen`; an archive of snapshots in the base's sources has old versions".to_owned(),
            ),
            Self::AptOpen { .. } => Some(
                "`imagewright lock SPEC` lets apt choose them, on a machine that can execute the image's programs".to_owned(),
            ),
            Self::NothingFailed { .. } => {
                Some("build the spec: when a step fails, what it left is kept".to_owned())
            }
            Self::NoShell { .. } => {
                Some("start from a base with a shell, or leave out what has to be executed".to_owned())
            }
            Self::WheelBuild { last_lines, .. } => {
                Some(wheel_hint(last_lines).unwrap_or_else(|| LOOK_AT_BUILD.to_owned()))
            }
            Self::OtherWheel { .. } => Some(REPIN.to_owned()),
            _ => None,
        }
    }
}

/// What to do about a build that is not reproducible.
const REPIN: &str =
    "its build is not reproducible: pin what it is now with `imagewright lock SPEC --refresh`";

/// Why a step may have failed that works otherwise.
const NO_NETWORK: &str =
    "with `--offline` what runs in the image has no network, only the caches of earlier steps";

/// How to find out more about a step that failed.
const LOOK: &str = "`imagewright run --failed` starts a shell in what the step left";

/// The same of a wheel that could not be built.
const LOOK_AT_BUILD: &str =
    "`imagewright run --failed` starts a shell where it was built, in the folder of its source";

/// What to do about `name:architecture`, of which apt knows none.
const ONE_ARCHITECTURE: &str =
    "the base has packages of one architecture; `dpkg --add-architecture` in the base adds another";

/// How a line that says that a program is not there names a compiler.
const COMPILERS: [&str; 4] = ["gcc'", "g++'", "'cc'", "'c++'"];

/// What tools say that read a version from a history and find none, or no git.
const HISTORY_LACKS: [&str; 5] = [
    "unable to detect version",
    "requires either an sdist tarball",
    "not appear to be a Git project",
    "Unable to detect version control system",
    "No such file or directory: 'git'",
];

/// What is lacking, as far as what a failed build wrote last says it.
fn wheel_hint(last_lines: &[String]) -> Option<String> {
    let has = |mark: &str| last_lines.iter().any(|line| line.contains(mark));
    let is_missing = |line: &String| {
        line.contains("No such file") && COMPILERS.iter().any(|compiler| line.contains(compiler))
    };
    if has("Python.h: No such file") {
        Some("the base has no headers of Python: with apt they are `apt_packages: [python3-dev]`".to_owned())
    } else if last_lines.iter().any(is_missing) || has("Unknown compiler(s)") {
        Some(
            "the base has no compiler: with apt it is `apt_packages: [gcc, libc6-dev, python3-dev]`"
                .to_owned(),
        )
    } else if HISTORY_LACKS.iter().any(|mark| has(mark)) {
        Some(
            "the project reads its version from the history of git: a folder or an archive has none, so name its \
             repository, such as `git+file:///home/me/project`; a base image needs `apt_packages: [git]` for it"
                .to_owned(),
        )
    } else {
        None
    }
}

/// Whether an entry is `name:architecture`, and not only a version with an epoch.
fn names_architecture(package: &str) -> bool {
    package.split(['=', '/']).next().is_some_and(|name| name.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_from_what_fails() {
        for (line, expected) in [
            ("error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'", Some("compiler")),
            ("error: command 'gcc' failed: No such file or directory", Some("compiler")),
            ("fatal error: Python.h: No such file or directory", Some("headers")),
            ("error: command '/usr/bin/gcc' failed with exit code 1", None),
            ("LookupError: setuptools-scm was unable to detect version for /x.", Some("history of git")),
        ] {
            let hint = wheel_hint(&["building".to_owned(), line.to_owned()]);
            assert_eq!(hint.is_some(), expected.is_some(), "{line}");
            assert!(hint.unwrap_or_default().contains(expected.unwrap_or_default()), "{line}");
        }
    }
}
