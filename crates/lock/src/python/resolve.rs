use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, Version, WheelFilename};

use super::error::Finding;
use super::explain::{self, Failure};
use super::log::{self, Said};
use super::pylock::{File, Package, Pylock};
use super::requirement::Parsed;
use super::select::Selection;
use super::stub_wheel::stub_wheel;
use super::surroundings::surroundings;
use super::{
    ChosenPackage, LockedPackage, PythonError, PythonRequest, PythonResolution, PythonWarning, Refresh,
    Requirement, config_file, interpreter, preferences, sdist, setting,
};
use crate::uv::{Finished, Invocation, PrivateFile, Uv};

/// A large set on a slow line takes a minute; longer means that nothing comes.
pub(super) const LIMIT: Duration = Duration::from_mins(15);

/// Resolves the requirements of a spec to one wheel for each distribution, with one run of uv.
///
/// Needs a Tokio runtime. Dropping the future ends uv.
pub async fn resolve(uv: &Uv, request: &PythonRequest<'_>) -> Result<PythonResolution, PythonError> {
    let question = Question::of(uv, request)?;
    let unusual = |version: &Version| version.is_local() || version.is_prerelease();
    question.put_stubs(|_, version| unusual(version))?;
    let (finished, said) = question.ask_all().await?;
    if finished.status.success() {
        return question.answer(&finished.stdout, &said);
    }
    // The base may have what no index has: what the explanation names is tried as the base has it.
    if question.put_stubs(|name, _| explain::names(&said.explanation, name))? {
        let (finished, said) = question.ask_all().await?;
        if finished.status.success() {
            return question.answer(&finished.stdout, &said);
        }
    }
    Err(question.failure(&said.explanation).await)
}

const REQUIREMENTS: &str = "requirements.in";
const CONSTRAINTS: &str = "constraints.txt";
const OVERRIDES: &str = "overrides.txt";
const CONFIGURATION: &str = "uv.toml";
pub(super) const OUTPUT: &str = "pylock.toml";
const STUBS: &str = "base";

/// Everything that one resolution is made of, in the folder for it.
#[derive(Debug)]
pub(super) struct Question<'a> {
    uv: &'a Uv,
    request: &'a PythonRequest<'a>,
    platform: &'a str,
    folder: &'a Path,
    /// One for each of what is asked.
    requirements: Vec<Parsed>,
    constraints: Vec<Parsed>,
    overrides: Vec<Parsed>,
    installed: &'a [(PackageName, Version)],
}

impl<'a> Question<'a> {
    pub(super) fn of(uv: &'a Uv, request: &'a PythonRequest<'a>) -> Result<Self, PythonError> {
        let platform = uv.capabilities().platform_for(request.target);
        let platform =
            platform.ok_or_else(|| PythonError::Platform { target: Box::new(request.target.clone()) })?;
        let parsed = |lines: &[Requirement]| -> Result<Vec<Parsed>, PythonError> {
            lines.iter().map(|it| it.parse(request.host)).collect()
        };
        let asked = request.asked;
        let (requirements, constraints) = (parsed(&asked.requirements)?, parsed(&asked.constraints)?);
        let overrides = parsed(&asked.overrides)?;
        let installed = if request.asked.options.ignore_installed { &[] } else { request.installed };
        let folder = request.scratch;
        let question =
            Self { uv, request, platform, folder, requirements, constraints, overrides, installed };
        question.write()?;
        Ok(question)
    }

    fn write(&self) -> Result<(), PythonError> {
        let path = self.folder.join(OUTPUT);
        let text = preferences::text(self.installed, self.request.previous);
        fs_err::write(&path, text).map_err(|source| PythonError::File { path, source })
    }

    fn configuration(&self) -> String {
        let stubs = self.folder.join(STUBS);
        let mut indexes = self.request.asked.indexes.clone();
        indexes.find_links.extend(stubs.is_dir().then(|| stubs.display().to_string()));
        config_file::text(&indexes, &self.uv.capabilities().default_index, self.request.refresh)
    }

    /// Puts a file there that may have a password in it; it is there for as long as what is returned.
    fn put(&self, name: &str, text: &str) -> Result<PrivateFile, PythonError> {
        let path = self.folder.join(name);
        let put = || {
            let file = PrivateFile::new(text.as_bytes())?;
            match fs_err::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => fs_err::os::unix::fs::symlink(file.path(), &path)?,
            }
            Ok(file)
        };
        put().map_err(|source| PythonError::File { path: path.clone(), source })
    }

    /// Puts stubs beside the index for those of the base's distributions that `wanted` says; whether there are new
    /// ones.
    fn put_stubs(&self, wanted: impl Fn(&PackageName, &Version) -> bool) -> Result<bool, PythonError> {
        let folder = self.folder.join(STUBS);
        let mut is_new = false;
        for (name, version) in self.installed.iter().filter(|(name, version)| wanted(name, version)) {
            let (file, bytes) = stub_wheel(name.as_str(), &version.to_string());
            let path = folder.join(file);
            let write = || {
                fs_err::create_dir_all(&folder)?;
                fs_err::write(&path, bytes)
            };
            is_new |= !path.exists();
            write().map_err(|source| PythonError::File { path: path.clone(), source })?;
        }
        Ok(is_new)
    }

    /// The question itself: all requirements, with preferences.
    async fn ask_all(&self) -> Result<(Finished, Said), PythonError> {
        let finished = self.ask(&lines(&self.requirements), &["--output-file", OUTPUT]).await?;
        let said = Said::parse(&self.request.asked.indexes.redact(&finished.stderr));
        Ok((finished, said))
    }

    /// Runs uv on some requirements; `further` are options of this run.
    pub(super) async fn ask(&self, requirements: &str, further: &[&str]) -> Result<Finished, PythonError> {
        let files = [
            (REQUIREMENTS, requirements),
            (CONFIGURATION, &self.configuration()),
            (CONSTRAINTS, &lines(&self.constraints)),
            (OVERRIDES, &lines(&self.overrides)),
        ];
        let put = files.into_iter().map(|(name, text)| self.put(name, text));
        let _kept: Vec<PrivateFile> = put.collect::<Result<_, _>>()?;
        // uv would take one without a patch release for the first of its minor release.
        let version = self.request.target.full_version().to_string();
        // To build something, even if only to ask for its metadata, is to execute what was downloaded.
        let fixed = [
            "pip",
            "compile",
            "--no-build",
            "--format",
            "pylock.toml",
            "--no-header",
            "--python-version",
            &version,
        ];
        let mut arguments: Vec<String> = fixed.iter().map(|&word| word.to_owned()).collect();
        if !further.contains(&"--universal") {
            arguments.extend(["--python-platform".to_owned(), self.platform.to_owned()]);
        }
        let given = || self.request.interpreter.map(Path::to_owned);
        if let Some(python) = interpreter::on_path(self.request.host).or_else(given) {
            arguments.extend(["--python".to_owned(), python.display().to_string()]);
        }
        arguments.extend(further.iter().map(|&word| word.to_owned()));
        arguments.extend(self.request.asked.options.uv_arguments(further));
        if self.request.refresh == Refresh::Always {
            arguments.push("--refresh".to_owned());
        }
        // uv warns of a file without a line.
        for (option, file, parsed) in
            [("--constraints", CONSTRAINTS, &self.constraints), ("--overrides", OVERRIDES, &self.overrides)]
        {
            if !parsed.is_empty() {
                arguments.extend([option, file].map(str::to_owned));
            }
        }
        arguments.push(REQUIREMENTS.to_owned());
        let invocation = Invocation {
            program: self.uv.executable(),
            arguments,
            variables: self.variables(),
            directory: Some(self.folder.to_owned()),
            limit: LIMIT,
        };
        Ok(invocation.run().await?)
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = surroundings(self.request);
        let configuration = self.folder.join(CONFIGURATION).display().to_string();
        variables.insert("UV_CONFIG_FILE".to_owned(), configuration);
        variables.insert("RUST_LOG".to_owned(), log::FILTER.to_owned());
        variables
    }

    fn answer(&self, pylock: &str, said: &Said) -> Result<PythonResolution, PythonError> {
        let pylock: Pylock = toml::from_str(pylock)
            .map_err(|error| PythonError::Answer { explanation: error.message().to_owned() })?;
        let built = self.request.built;
        let mut hashes = self.hashes();
        hashes.retain(|name, _| !built.contains(name));
        let asked = self.request.asked.requirements.iter();
        let implied = asked.filter(|it| it.is_implied()).filter_map(Requirement::name);
        let implied = implied.chain(built.iter().cloned()).collect();
        let selection = Selection {
            target: self.request.target,
            preference: self.request.target.preference(),
            folder: self.folder,
            hashes: &hashes,
            require_hashes: self.request.asked.options.require_hashes,
            implied: &implied,
        };
        let installed: BTreeSet<_> = self.installed.iter().collect();
        let requested: BTreeSet<_> = self.requirements.iter().filter_map(|it| it.name.clone()).collect();
        let identities: Vec<_> = pylock.packages.iter().map(Selection::identity).collect::<Result<_, _>>()?;
        let dependents = said.dependents(&identities.iter().cloned().collect());
        let mut resolution = PythonResolution { warnings: self.warnings(said), ..Default::default() };
        for (identity, package) in identities.into_iter().zip(&pylock.packages) {
            if installed.contains(&identity) {
                resolution.kept.push(identity);
                continue;
            }
            let (name, version) = identity;
            let required_by = dependents.get(&name).map(|names| names.iter().cloned().collect());
            let requested = requested.contains(&name);
            let chosen = self.with_known_size(selection.choose(name, version, package)?);
            let required_by = required_by.unwrap_or_default();
            resolution.packages.push(ChosenPackage { requested, required_by, ..chosen });
        }
        resolution.packages.sort_by(|a, b| a.name.cmp(&b.name));
        resolution.kept.sort();
        Ok(resolution)
    }

    /// An index need not state sizes; the previous lock has them, of the same file.
    fn with_known_size(&self, package: ChosenPackage) -> ChosenPackage {
        let is_same = |known: &&LockedPackage| package.sha256 == Some(known.sha256);
        let known = self.request.previous.iter().find(is_same).map(|known| known.size);
        ChosenPackage { size: package.size.or(known), ..package }
    }

    /// The hashes that are written, by distribution.
    pub(super) fn hashes(&self) -> BTreeMap<PackageName, Vec<Digest>> {
        let mut hashes: BTreeMap<PackageName, Vec<Digest>> = BTreeMap::new();
        for parsed in self.written() {
            if let Some(name) = parsed.name.clone().filter(|_| !parsed.hashes.is_empty()) {
                hashes.entry(name).or_default().extend(&parsed.hashes);
            }
        }
        hashes
    }

    /// Every line for uv, of whatever kind.
    pub(super) fn written(&self) -> impl Iterator<Item = &Parsed> {
        self.requirements.iter().chain(&self.constraints).chain(&self.overrides)
    }

    fn warnings(&self, said: &Said) -> Vec<PythonWarning> {
        let own =
            self.request.asked.options.warnings.iter().chain(&self.request.asked.indexes.warnings).cloned();
        let resolvers = said.warnings.iter().map(|text| PythonWarning::Resolver { text: text.clone() });
        own.chain(resolvers).collect()
    }

    pub(super) async fn failure(&self, explanation: &str) -> PythonError {
        let asked = self.request.asked;
        if let Some((setting, explanation)) =
            setting::refused(explanation, &self.configuration(), self.request.host)
        {
            return PythonError::Setting { setting, explanation };
        }
        match explain::classify(explanation) {
            Failure::Disk => PythonError::Disk { explanation: explain::tidy(explanation) },
            Failure::Damaged => {
                let involved = explain::involved(explanation, &asked.requirements);
                PythonError::Damaged { explanation: explain::tidy(explanation), involved }
            }
            Failure::Network => PythonError::Unreachable { explanation: explain::tidy(explanation) },
            Failure::Offline => PythonError::NotCached { explanation: explain::tidy(explanation) },
            Failure::Malformed => {
                let files = [
                    (REQUIREMENTS, &self.requirements, &asked.requirements),
                    (CONSTRAINTS, &self.constraints, &asked.constraints),
                    (OVERRIDES, &self.overrides, &asked.overrides),
                ];
                let files = files.map(|(name, parsed, written)| (name, lines(parsed), &written[..]));
                explain::malformed(explanation, &files)
            }
            Failure::Other => match asked.options.meant_by(explanation) {
                Some(written) => {
                    let (written, explanation) = (written.clone(), explain::usage(explanation));
                    PythonError::OptionValue { written, explanation }
                }
                None => PythonError::Answer { explanation: explain::tidy(explanation) },
            },
            Failure::NoSolution => {
                let written = asked.requirements.iter().chain(&asked.constraints).chain(&asked.overrides);
                let written: Vec<Requirement> = written.cloned().collect();
                let involved = explain::involved(explanation, &written);
                let mut findings = explain::findings(explanation, &involved);
                if findings.is_empty() {
                    for requirement in explain::without_wheels(explanation, &involved) {
                        findings.extend(self.wheels_of(&requirement).await);
                    }
                }
                explain::unresolvable(
                    explanation,
                    involved,
                    findings,
                    self.request.target,
                    sdist::lacking(explanation),
                )
            }
        }
    }

    /// Asks uv what there is of a distribution that has no fitting wheel: for other platforms in the wanted
    /// version, and for this one in another version.
    async fn wheels_of(&self, requirement: &Requirement) -> Vec<Finding> {
        let (Some(name), Ok(parsed)) = (requirement.name(), requirement.parse(self.request.host)) else {
            return Vec::new();
        };
        let tags: BTreeSet<String> = self
            .try_ask(&parsed.line, &["--universal", "--no-deps"])
            .await
            .iter()
            .flat_map(|package| package.wheels.iter().filter_map(File::filename))
            .filter_map(|text| Some(text.parse::<WheelFilename>().ok()?.tag_text().to_owned()))
            .collect();
        let newest = self.try_ask(name.as_str(), &["--no-deps"]).await;
        let newest = newest.first().and_then(|package| package.version.as_deref()?.parse().ok());
        let of_target = match newest {
            Some(version) => Finding::OtherVersion { name: name.clone(), version },
            None => Finding::NoWheels { name: name.clone() },
        };
        let tags: Vec<String> = tags.into_iter().collect();
        let others = (!tags.is_empty()).then_some(Finding::OtherPlatforms { name, tags });
        others.into_iter().chain([of_target]).collect()
    }

    /// A further question whose failure only means that less can be said about the first.
    pub(super) async fn try_ask(&self, line: &str, further: &[&str]) -> Vec<Package> {
        match self.ask(&format!("{line}\n"), further).await {
            Ok(finished) if finished.status.success() => toml::from_str::<Pylock>(&finished.stdout)
                .map_or_else(|_| Vec::new(), |pylock| pylock.packages),
            _ => Vec::new(),
        }
    }
}

fn lines(requirements: &[Parsed]) -> String {
    requirements.iter().fold(String::new(), |text, parsed| text + &parsed.line + "\n")
}
