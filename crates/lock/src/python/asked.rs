use std::collections::BTreeSet;
use std::path::Path;

use imagewright_pypa::{PackageName, TargetPython, Version};
use imagewright_recipe::{PackagesStep, expand_variables};
use imagewright_spec::ProjectLock;
use imagewright_spec::requirements::{
    LineKind, OptionValue, RequirementLine, RequirementsFile, editable_target, parse, read, read_constraints,
};

use url::Url;

use super::{
    Index, IndexSettings, IndexUrl, InstallOptions, LockedProject, OptionProblem, Origin, OverrideFile,
    ProjectChoice, PythonError, PythonWarning, Requirement, Written,
};
use crate::uv::Host;

/// All that the user wrote about Python packages, read from the spec and from the files it names.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What is to be installed: of the requirements file, then of `packages`, as flytekit gives them.
    pub requirements: Vec<Requirement>,
    /// What a front end asks for besides, unless it is asked for or in the base.
    pub with: Vec<Requirement>,
    /// Version limits that ask for nothing: the lines of `-c` files.
    pub constraints: Vec<Requirement>,
    /// What takes the place of requirements of packages: the lines of `--overrides` files.
    pub overrides: Vec<Requirement>,
    /// The options of `pip_extra_args` and, mattering less, those in requirements files.
    pub options: InstallOptions,
    /// The indexes of the spec, of the options and of the machine.
    pub indexes: IndexSettings,
    /// The lock of a project, which says all but what else is asked for.
    pub project: Option<LockedProject>,
    /// Every file that was read, with its digest.
    pub files: Vec<RequirementsFile>,
}

impl Asked {
    /// Reads the step's files and this machine's index settings.
    pub fn of(step: &PackagesStep, host: &Host) -> Result<Self, PythonError> {
        let step = &with_values(step, host);
        let mut asked = Self::default();
        let lock = step.requirements_file.as_ref().and_then(|file| Some((file, ProjectLock::of(file)?)));
        if let (Some(file), None) = (&step.requirements_file, lock) {
            asked.read(file, false, host)?;
        }
        for package in &step.packages {
            asked.take_package(&package.text, &package.origin, host)?;
        }
        let field = Origin::Field { name: "pip_extra_args".to_owned() };
        let words = shlex::split(step.extra_arguments.as_deref().unwrap_or_default())
            .ok_or_else(|| PythonError::Quotes { origin: field.clone() })?;
        let words = match lock {
            Some((file, lock)) => {
                let (mut choice, words) = ProjectChoice::split(&words, lock, &field)?;
                choice.project = step.install_project;
                asked.project = Some(LockedProject { lock, path: file.clone(), choice });
                words
            }
            None => words,
        };
        let options = InstallOptions::parse(&words, &field, host)?;
        for file in &options.requirement_files {
            asked.read_named(file, false, &field, host)?;
        }
        for file in &options.constraint_files {
            asked.read_named(file, true, &field, host)?;
        }
        asked.requirements.extend(options.requirements.iter().cloned());
        asked.with = with(step, host)?;
        check_indexes(step, host)?;
        let from_files = std::mem::take(&mut asked.options);
        for file in options.override_files.iter().chain(&from_files.override_files) {
            asked.read_overrides(file, host)?;
        }
        let from_files = from_files.then(std::mem::take(&mut asked.options));
        let written = asked.requirements.iter().chain(&asked.constraints).chain(&asked.overrides);
        let wheels = written.flat_map(Requirement::private_urls).collect();
        // flytekit puts the fields on one command line of uv, for which a command line comes before files.
        asked.indexes = IndexSettings::default()
            .with_spec(step.index.as_deref(), &step.extra_indexes)
            .then(options.indexes.clone())
            .or(from_files.indexes.clone())
            .or(IndexSettings { wheels, ..IndexSettings::default() })
            .or(IndexSettings::of_host(host)?);
        if let Some(project) = &asked.project {
            asked.indexes = asked.indexes.or(project.indexes(host)?);
        }
        asked.options = options.or(from_files);
        Ok(asked)
    }

    /// What a front end asks for: what is to be installed, and the names of what the user asks for or the base has
    /// already. To be asked when all requirements have a name, those too whose source had to be read for it.
    pub(crate) fn take_further(
        &mut self,
        target: &TargetPython,
        installed: &[(PackageName, Version)],
    ) -> (Vec<Requirement>, Vec<PackageName>) {
        let installed = if self.options.ignore_installed { &[] } else { installed };
        let asked = self.requirements.iter().filter(|it| it.is_for(target));
        let asked: BTreeSet<PackageName> = asked.filter_map(Requirement::name).collect();
        let is_there = |name: &PackageName| {
            asked.contains(name) || installed.iter().any(|(installed, _)| installed == name)
        };
        let with = std::mem::take(&mut self.with);
        let there: Vec<PackageName> = with.iter().filter_map(Requirement::name).filter(is_there).collect();
        let further = with.into_iter().filter(|it| !it.name().is_some_and(|name| there.contains(&name)));
        (further.collect(), there)
    }

    fn read_named(
        &mut self,
        file: &Path,
        constrains: bool,
        origin: &Origin,
        host: &Host,
    ) -> Result<(), PythonError> {
        let target = file.display().to_string();
        if target.contains("://") {
            return Err(PythonError::RemoteFile { target: IndexUrl::new(target), origin: origin.clone() });
        }
        self.read(file, constrains, host)
    }

    fn read(&mut self, file: &Path, constrains: bool, host: &Host) -> Result<(), PythonError> {
        let read = if constrains { read_constraints } else { read };
        let found = read(file, host.working_directory(), host.variables())?;
        for line in &found.lines {
            self.take(line, Origin::of_line(line), host)?;
        }
        self.files.extend(found.files);
        Ok(())
    }

    fn read_overrides(&mut self, file: &OverrideFile, host: &Host) -> Result<(), PythonError> {
        let mut own = Self::default();
        own.read_named(&file.path, false, &file.written.origin, host).map_err(|error| match error {
            PythonError::Requirements(source) => {
                PythonError::OptionFile { written: file.written.clone(), source }
            }
            other => other,
        })?;
        if !own.options.override_files.is_empty() {
            let Written { option, origin } = file.written.clone();
            let because = "its file names another file of overrides";
            return Err(PythonError::Option { option, origin, problem: OptionProblem::Refused { because } });
        }
        self.overrides.extend(own.requirements);
        self.constraints.extend(own.constraints);
        self.files.extend(own.files);
        self.options = std::mem::take(&mut self.options).then(own.options);
        Ok(())
    }

    /// Each of `packages` is a line of the file that flytekit would make of them, with all that may be in one.
    fn take_package(&mut self, text: &str, field: &str, host: &Host) -> Result<(), PythonError> {
        let origin = Origin::Field { name: field.to_owned() };
        let lines = parse(text, Path::new(field), host.variables())?;
        if lines.is_empty() {
            // flytekit makes it a line of a requirements file too, where it says as little.
            self.options.warnings.push(PythonWarning::NothingAsked { origin: origin.clone() });
        }
        for line in lines {
            match &line.kind {
                LineKind::Include { target } => self.read_named(Path::new(target), false, &origin, host)?,
                LineKind::Constraints { target } => {
                    self.read_named(Path::new(target), true, &origin, host)?;
                }
                _ => self.take(&line, origin.clone(), host)?,
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &RequirementLine, origin: Origin, host: &Host) -> Result<(), PythonError> {
        match &line.kind {
            LineKind::Requirement { requirement, hashes, options } => {
                let requirement = Requirement::of_line(line, requirement, hashes, origin.clone());
                let list = if line.constraint { &mut self.constraints } else { &mut self.requirements };
                list.push(requirement);
                self.take_options(options, &origin, host)
            }
            LineKind::Option(option) => self.take_options(std::slice::from_ref(option), &origin, host),
            LineKind::Editable { target } => {
                let target = editable_target(target);
                self.requirements.push(Requirement::of_line(line, &target, &[], origin));
                Ok(())
            }
            LineKind::Include { target } | LineKind::Constraints { target } if target.contains("://") => {
                Err(PythonError::RemoteFile { target: IndexUrl::new(target), origin })
            }
            // The lines of the file come next.
            LineKind::Include { .. } | LineKind::Constraints { .. } => Ok(()),
        }
    }

    fn take_options(
        &mut self,
        options: &[OptionValue],
        origin: &Origin,
        host: &Host,
    ) -> Result<(), PythonError> {
        let word = |option: &OptionValue| match &option.value {
            Some(value) => format!("{}={value}", option.name),
            None => option.name.clone(),
        };
        let words: Vec<String> = options.iter().map(word).collect();
        let found = InstallOptions::parse(&words, origin, host)?;
        self.options = std::mem::take(&mut self.options).then(found);
        Ok(())
    }
}

/// The requirements of a front end: of lines as in `packages`, and its own wheel.
fn with(step: &PackagesStep, host: &Host) -> Result<Vec<Requirement>, PythonError> {
    let mut with = Asked::default();
    for package in &step.with {
        with.take_package(&package.text, &package.origin, host)?;
    }
    let client = step.client.as_ref().map(|client| {
        let url = Url::from_file_path(host.working_directory().join(client));
        let text = url.map_or_else(|()| client.display().to_string(), |url| url.to_string());
        Requirement::of_field(&text, "client")
    });
    Ok(with.requirements.into_iter().chain(client).collect())
}

/// The step with the values of this machine's variables in its indexes, where an address has a user, a password and a
/// host: what is behind them is no secret to whoever reads a lock. A variable that is not set may be a password's `$`.
fn with_values(step: &PackagesStep, host: &Host) -> PackagesStep {
    let value = |name: &str| {
        let value = host.variable(name).filter(|value| !value.is_empty()).map(str::to_owned);
        value.or_else(|| Some(format!("${name}")))
    };
    let expanded = |text: &String| {
        let Some((scheme, rest)) = text.split_once("://") else { return text.clone() };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        format!("{scheme}://{}{path}", expand_variables(authority, &value))
    };
    PackagesStep {
        index: step.index.as_ref().map(expanded),
        extra_indexes: step.extra_indexes.iter().map(expanded).collect(),
        ..step.clone()
    }
}

/// uv takes a word that is no URL for a path, and says later that some other file is missing.
fn check_indexes(step: &PackagesStep, host: &Host) -> Result<(), PythonError> {
    let further = step.extra_indexes.iter().enumerate();
    let further = further.map(|(number, text)| (format!("pip_extra_index_url[{number}]"), text));
    let default = step.index.iter().map(|text| ("pip_index".to_owned(), text));
    for (name, text) in default.chain(further) {
        let index = Index::parse(text);
        if !index.is_possible(host) {
            return Err(PythonError::NoIndex { index: index.url, origin: Origin::Field { name } });
        }
    }
    Ok(())
}
