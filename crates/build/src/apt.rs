//! What apt has of the machine while it installs a spec's packages, and what it tells of them.

use std::io;
use std::path::{Path, PathBuf};

use imagewright_layer::LayerKey;
use imagewright_oci::Digest;
use imagewright_plan::{APT_CACHE, APT_NOTES, AptAccess, Execution};
use imagewright_sandbox::{Bind, Exit};
use imagewright_store::{DocumentKind, Lease, ScratchDirectory, Store, StoreError};

use crate::BuildError;
use crate::blocking::lease;
use crate::native::Machine;

/// The packages of a layer, as `name version`.
const INSTALLED: DocumentKind = DocumentKind("apt-packages");

/// What apt says of a package that it cannot have.
const UNKNOWN: [&str; 3] = ["Unable to locate package", "has no installation candidate", "was not found"];

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
        roots: &[PathBuf],
    ) -> Result<Option<Self>, BuildError> {
        let Some(access) = &execution.apt else { return Ok(None) };
        if !roots.iter().any(|root| root.join("usr/bin/apt-get").exists()) {
            return Err(BuildError::NoApt {
                origin: execution.origin.clone(),
                system: access.system.clone(),
            });
        }
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

    /// Remembers what was installed as what is in the layer of a key.
    pub(crate) fn record(&self, store: &Store, key: &LayerKey) -> Result<(), BuildError> {
        let text = fs_err::read_to_string(self.notes.path().join("installed")).map_err(failed)?;
        let packages: Vec<&str> = text.lines().collect();
        Ok(store.put_document(INSTALLED, &key.0, &packages)?)
    }

    /// Why it failed: the package that it speaks of, if it is one of the spec's.
    pub(crate) fn failure(self, exit: Exit, last_lines: Vec<String>) -> BuildError {
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
        BuildError::Apt { origin, package, unknown_in, exit, last_lines }
    }
}

/// The packages of the system in the layer of a key.
pub(crate) fn recorded(store: &Store, key: &LayerKey) -> Result<Vec<String>, StoreError> {
    Ok(store.document(INSTALLED, &key.0)?.unwrap_or_default())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "+-.".contains(letter)))
}

fn failed(source: io::Error) -> BuildError {
    BuildError::AptFiles { source }
}
