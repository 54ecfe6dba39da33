//! A machine for a test: its folders, its environment and the uv that the oracle brings.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use imagewright_lock::python::{
    Asked, ChosenPackage, IndexPages, Lacking, LockedPackage, ProjectPins, PythonError, PythonRequest,
    PythonResolution, Refresh, Requirement, SourceRequirement, pins as project_pins, resolve, sdist,
};
use imagewright_lock::uv::{Host, Uv, UvSearch, locate};
use imagewright_lock::{Downloads, Line, LockError, complete};
use imagewright_oci::Platform;
use imagewright_pypa::{Libc, PackageName, TargetPython, Version};
use imagewright_recipe::PackagesStep;
use imagewright_store::Store;
use imagewright_testkit::peers::has_network;
pub(crate) use imagewright_testkit::peers::oracle;

/// A home, a project folder and a cache, in a temporary folder.
pub(crate) struct Machine {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) variables: BTreeMap<String, String>,
    uv: PathBuf,
}

/// What a test asks, with the defaults of most.
pub(crate) struct Ask {
    pub(crate) step: PackagesStep,
    pub(crate) target: TargetPython,
    /// What every environment has, besides what the step asks for.
    pub(crate) implied: Vec<Requirement>,
    pub(crate) installed: Vec<(PackageName, Version)>,
    pub(crate) previous: Vec<LockedPackage>,
    pub(crate) offline: bool,
}

/// This process's environment: proxies and certificates are needed to reach an index.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

impl Machine {
    /// A machine without settings of its own; none when there is no oracle.
    pub(crate) fn new() -> Option<Self> {
        let uv = oracle()?.parent()?.join("uv");
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("project")).unwrap();
        let mut variables = BTreeMap::from([("PATH".to_owned(), environment()["PATH"].clone())]);
        variables.insert("HOME".to_owned(), folder.path().join("home").display().to_string());
        variables.insert("XDG_CONFIG_DIRS".to_owned(), folder.path().join("etc").display().to_string());
        variables.insert("PIP_CONFIG_FILE".to_owned(), "/dev/null".to_owned());
        Some(Self { folder, variables, uv })
    }

    /// With the settings of the machine that the test runs on.
    pub(crate) fn real() -> Option<Self> {
        if !has_network() {
            return None;
        }
        Some(Self { variables: environment(), ..Self::new()? })
    }

    /// With a uv that writes its arguments into the file `arguments` before it does its work.
    pub(crate) fn watched(self) -> Self {
        let (list, uv) = (self.path("arguments").display().to_string(), self.uv.display());
        let script = format!("#!/bin/sh\necho \"$@\" >> {list}\nexec {uv} \"$@\"\n");
        let uv = self.write("watched-uv", script);
        fs_err::set_permissions(&uv, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { uv, ..self }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn write(&self, below: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(self.variables.clone(), self.path("project"))
    }

    pub(crate) async fn uv(&self) -> Uv {
        self.uv_at(&self.uv).await
    }

    pub(crate) async fn uv_at(&self, path: &Path) -> Uv {
        let (tools, host) = (self.path("tools"), self.host());
        locate(&UvSearch { explicit: Some(path), beside: None, tools: &tools, host: &host }, || ())
            .await
            .unwrap()
    }

    pub(crate) async fn resolve(&self, ask: &Ask) -> Result<PythonResolution, PythonError> {
        self.resolve_with(&self.uv().await, ask).await
    }

    pub(crate) async fn resolve_with(&self, uv: &Uv, ask: &Ask) -> Result<PythonResolution, PythonError> {
        let (host, cache) = (self.host(), self.path("cache"));
        let scratch = tempfile::tempdir().unwrap();
        let mut asked = Asked::of(&ask.step, &host)?;
        asked.requirements.extend(ask.implied.iter().cloned());
        resolve(uv, &ask.request(&asked, &host, &cache, scratch.path())).await
    }

    /// What is pinned of the project of the step's lock.
    pub(crate) async fn pins(&self, ask: &Ask) -> Result<ProjectPins, PythonError> {
        let (host, cache) = (self.host(), self.path("cache"));
        let scratch = tempfile::tempdir().unwrap();
        let asked = Asked::of(&ask.step, &host)?;
        let project = asked.project.clone().expect("the step has a lock");
        project_pins(&self.uv().await, &ask.request(&asked, &host, &cache, scratch.path()), &project).await
    }

    /// Looks for the archive of a distribution of which certain versions are needed.
    pub(crate) async fn sdist(
        &self,
        ask: &Ask,
        name: &str,
        needed: &[&str],
    ) -> Result<Option<SourceRequirement>, LockError> {
        let (host, cache) = (self.host(), self.path("cache"));
        let scratch = tempfile::tempdir().unwrap();
        let asked = Asked::of(&ask.step, &host)?;
        let specifiers = needed.iter().map(|&specifier| specifier.to_owned()).collect();
        let lacking = Lacking { name: name.parse().unwrap(), specifiers };
        let store = Store::open(&self.path("store"), 0)?;
        let indexes = asked.indexes.clone();
        let downloads = Downloads::new(
            Line::default(),
            store.clone(),
            indexes,
            self.host(),
            ask.offline,
            Box::new(|_| ()),
        );
        let pages = IndexPages { store: &store, downloads: &downloads };
        let request = ask.request(&asked, &host, &cache, scratch.path());
        sdist(&self.uv().await, &request, pages, &lacking).await
    }

    /// Pins what was chosen, with a store of this machine's.
    pub(crate) async fn complete(
        &self,
        packages: Vec<ChosenPackage>,
    ) -> Result<Vec<LockedPackage>, LockError> {
        let store = Store::open(&self.path("store"), 0)?;
        let indexes = imagewright_lock::python::IndexSettings::default();
        complete(
            &Downloads::new(Line::default(), store, indexes, self.host(), false, Box::new(|_| ())),
            packages,
        )
        .await
    }
}

impl Ask {
    /// Python 3.11 on bookworm, asked of one index.
    pub(crate) fn of(packages: &[&str], index: &str) -> Self {
        let ask = Self::machine(packages);
        Self { step: PackagesStep { index: Some(index.to_owned()), ..ask.step }, ..ask }
    }

    /// The same, asked of the machine's index.
    pub(crate) fn machine(packages: &[&str]) -> Self {
        let requirement = |(text, at)| imagewright_recipe::Requirement {
            text: String::from(text),
            origin: format!("packages[{at}]"),
        };
        let packages = packages.iter().copied().zip(0..).map(requirement).collect();
        Self {
            step: PackagesStep { packages, ..PackagesStep::default() },
            target: TargetPython::new(3, 11, Platform::linux_amd64(), Libc::Glibc(2, 36)).unwrap(),
            implied: Vec::new(),
            installed: Vec::new(),
            previous: Vec::new(),
            offline: false,
        }
    }

    fn request<'a>(
        &'a self,
        asked: &'a Asked,
        host: &'a Host,
        cache: &'a Path,
        scratch: &'a Path,
    ) -> PythonRequest<'a> {
        PythonRequest {
            asked,
            target: &self.target,
            installed: &self.installed,
            previous: &self.previous,
            built: &[],
            refresh: Refresh::WhenOld,
            offline: self.offline,
            interpreter: None,
            cache,
            scratch,
            host,
        }
    }

    pub(crate) fn arguments(mut self, text: &str) -> Self {
        self.step.extra_arguments = Some(text.to_owned());
        self
    }

    pub(crate) fn file(mut self, path: &str) -> Self {
        self.step.requirements_file = Some(path.into());
        self
    }

    pub(crate) fn installed(self, name: &str, version: &str) -> Self {
        Self { installed: vec![(name.parse().unwrap(), version.parse().unwrap())], ..self }
    }
}

/// `name==version` of each package.
pub(crate) fn pins(resolution: &PythonResolution) -> Vec<String> {
    resolution.packages.iter().map(|package| format!("{}=={}", package.name, package.version)).collect()
}
