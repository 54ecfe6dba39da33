//! What apt has of the machine while it installs a spec's packages, and what it tells of them.

use std::io;
use std::path::{Path, PathBuf};

use imagewright_lock::SystemPackage;
use imagewright_oci::Digest;
use imagewright_plan::{APT_CACHE, APT_NOTES, AptAccess, AptVersions, Execution};
use imagewright_sandbox::{Bind, Exit, Network};
use imagewright_store::{Lease, ScratchDirectory};

use crate::BuildError;
use crate::native::Machine;
use crate::step::left;
use imagewright_lock::lease;

/// What apt says of a package that it cannot have.
const UNKNOWN: [&str; 3] = ["Unable to locate package", "has no installation candidate", "was not found"];

/// What apt is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AptPurpose {
    /// To find out versions.
    Choose,
    /// To install them.
    Install,
}

/// The run of one apt.
#[derive(Debug)]
pub(crate) struct AptRun {
    access: AptAccess,
    notes: ScratchDirectory,
    cache: PathBuf,
    /// apt gives up when another one has the same folders.
    _lease: Lease,
}

impl AptRun {
    /// Waits until no other build uses the same lists and downloads; none for what is no run of apt.
    pub(crate) async fn of(
        machine: &Machine,
        execution: &Execution,
        purpose: AptPurpose,
        network: Network,
    ) -> Result<Option<Self>, BuildError> {
        let Some(access) = &execution.apt else { return Ok(None) };
        let store = &machine.store;
        let lease = lease(store, Digest::of(access.cache.as_bytes())).await?;
        let cache = store.cache(&access.cache)?;
        for folder in ["lists/partial", "archives/partial"] {
            fs_err::create_dir_all(cache.join(folder)).map_err(failed)?;
        }
        let notes = store.scratch_directory()?;
        if let Some(suite) = access.suite {
            let sources = machine.mirrors.sources_list(suite);
            fs_err::write(notes.path().join("sources.list"), sources).map_err(failed)?;
        }
        if network == Network::None {
            fs_err::write(notes.path().join("offline"), "").map_err(failed)?;
        }
        let (AptVersions::Chosen(versions) | AptVersions::Preferred(versions)) = &access.versions;
        fs_err::write(notes.path().join("preferences"), preferences(versions)).map_err(failed)?;
        if purpose == AptPurpose::Install {
            fs_err::write(notes.path().join("pins"), pins(versions)).map_err(failed)?;
        }
        Ok(Some(Self { access: access.clone(), notes, cache, _lease: lease }))
    }

    /// What it sees.
    pub(crate) fn binds(&self) -> [Bind; 2] {
        let bind = |source: &Path, target: &str| Bind {
            source: source.to_owned(),
            target: target.into(),
            writable: true,
        };
        [bind(&self.cache, APT_CACHE), bind(self.notes.path(), APT_NOTES)]
    }

    /// What it has chosen.
    pub(crate) fn chosen(&self) -> Result<Vec<SystemPackage>, BuildError> {
        let text = left::read(self.notes.path(), "chosen").map_err(failed)?;
        let read = |line: &str| line.parse().map_err(|source| BuildError::AptChoice { source });
        let mut packages = text.lines().map(read).collect::<Result<Vec<SystemPackage>, _>>()?;
        packages.sort();
        Ok(packages)
    }

    /// Why it failed: the package that it speaks of, if it is one of the spec's.
    pub(crate) fn failure(self, exit: Exit, last_lines: Vec<String>, network: Network) -> BuildError {
        match left::read(self.notes.path(), "gone") {
            Ok(gone) => {
                let packages = gone.lines().map(str::to_owned).collect();
                return BuildError::AptGone { packages, system: self.access.system };
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return failed(error),
        }
        let complaints: Vec<&str> = last_lines.iter().filter_map(|line| line.strip_prefix("E: ")).collect();
        let AptAccess { asked, system, .. } = self.access;
        let is_named = |text: &str| {
            let name = text.split(['=', '/', ':']).next().unwrap_or(text);
            complaints.iter().any(|complaint| words(complaint).any(|word| word == name))
        };
        let named = asked.into_iter().find(|package| is_named(&package.text));
        let is_unknown =
            complaints.iter().any(|complaint| UNKNOWN.iter().any(|known| complaint.contains(known)));
        let (origin, package) =
            named.map_or(("apt_packages".to_owned(), None), |package| (package.origin, Some(package.text)));
        let unknown_in = is_unknown.then_some(system);
        BuildError::Apt { origin, package, unknown_in, exit, last_lines, network }
    }
}

/// Preferences of apt for `packages`, over any other version; apt_preferences(5).
fn preferences(packages: &[SystemPackage]) -> String {
    let lines = packages.iter().map(|package| {
        let (name, version) = (package.full_name(), &package.version);
        format!("Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n")
    });
    lines.collect()
}

/// As the shell sorts them in the C locale.
fn pins(packages: &[SystemPackage]) -> String {
    let mut lines: Vec<String> = packages.iter().map(|package| format!("{package}\n")).collect();
    lines.sort();
    lines.concat()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "+-.".contains(letter)))
}

fn failed(source: io::Error) -> BuildError {
    BuildError::AptFiles { source }
}
