//! Which interpreter and environment packages are for (design D7): pure functions of the recipe and the facts.

use std::iter;

use imagewright_pypa::{PythonMinor, PythonVersion, StatedVersion};
use imagewright_recipe::InterpreterStep;
use serde::{Deserialize, Serialize};

use crate::LockError;
use crate::facts::{BaseFacts, Environment, Installed, Interpreter};

/// Where packages go when no environment is continued.
pub const DEFAULT_PREFIX: &str = "/opt/venv";

/// Where an image's interpreter comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterpreterChoice {
    /// An interpreter of the base, for which an environment is made.
    Base {
        /// The interpreter.
        interpreter: Interpreter,
    },
    /// An environment of the base, which is continued.
    Continue {
        /// The environment.
        environment: Environment,
    },
    /// None of the base's serves; one is added.
    Added {
        /// Which.
        version: PythonVersion,
    },
}

/// The environment that packages are installed into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentLock {
    /// With its leading slash: `/opt/venv`.
    pub prefix: String,
    /// Whether the base has it already.
    pub continues: bool,
}

/// Chooses; `path_variable` is the base's `PATH`.
pub fn choose(
    step: &InterpreterStep,
    facts: &BaseFacts,
    path_variable: &str,
) -> Result<InterpreterChoice, LockError> {
    if let Some(path) = &step.path {
        return named(step, path, facts);
    }
    let accepts = |minor: PythonMinor, full: Option<&StatedVersion>| {
        let has = full.map_or_else(|| minor.into(), StatedVersion::release);
        step.version.is_none_or(|wanted| wanted.accepts(&has))
    };
    let first_on_path = path_variable.split(':').next().and_then(|first| first.strip_suffix("/bin"));
    let continued = facts.environments.iter().find(|environment| {
        first_on_path == Some(&environment.prefix) && accepts(environment.minor, environment.full.as_ref())
    });
    if let Some(environment) = continued {
        return Ok(InterpreterChoice::Continue { environment: environment.clone() });
    }
    let fitting = facts.interpreters.iter().find(|found| accepts(found.minor, found.full.as_ref()));
    Ok(match fitting {
        Some(interpreter) => InterpreterChoice::Base { interpreter: interpreter.clone() },
        None => InterpreterChoice::Added { version: step.version.unwrap_or(step.fallback) },
    })
}

/// `python_exec`: an interpreter or an environment of the base, by path.
fn named(step: &InterpreterStep, path: &str, facts: &BaseFacts) -> Result<InterpreterChoice, LockError> {
    let in_environment = facts
        .environments
        .iter()
        .find(|environment| path.starts_with(&format!("{}/bin/", environment.prefix)));
    if let Some(environment) = in_environment {
        return Ok(InterpreterChoice::Continue { environment: environment.clone() });
    }
    let names = |found: &&Interpreter| found.path == path || found.aliases.iter().any(|alias| alias == path);
    let interpreter = facts.interpreters.iter().find(names).ok_or_else(|| LockError::NoSuchInterpreter {
        path: path.to_owned(),
        found: facts.interpreters.iter().map(|found| found.path.clone()).collect(),
    })?;
    match step.version {
        Some(wanted) if wanted.minor != interpreter.minor => Err(LockError::InterpreterMismatch {
            path: path.to_owned(),
            is: interpreter.full.as_ref().map_or_else(|| interpreter.minor.to_string(), ToString::to_string),
            wanted,
        }),
        _ => Ok(InterpreterChoice::Base { interpreter: interpreter.clone() }),
    }
}

impl InterpreterChoice {
    /// The environment that packages go to; one of the base that is not continued stays as it is.
    pub fn environment(&self, facts: &BaseFacts) -> EnvironmentLock {
        match self {
            Self::Continue { environment } => {
                EnvironmentLock { prefix: environment.prefix.clone(), continues: true }
            }
            Self::Base { .. } | Self::Added { .. } => {
                EnvironmentLock { prefix: free_prefix(facts), continues: false }
            }
        }
    }

    /// The minor release that packages are for.
    pub fn minor(&self) -> PythonMinor {
        match self {
            Self::Base { interpreter } => interpreter.minor,
            Self::Continue { environment } => environment.minor,
            Self::Added { version } => version.minor,
        }
    }

    /// The distributions of the base that the environment sees.
    pub fn visible<'a>(&self, facts: &'a BaseFacts) -> Vec<&'a Installed> {
        let sites = match self {
            Self::Added { .. } => Vec::new(),
            Self::Base { interpreter } => interpreter_sites(interpreter),
            Self::Continue { environment } => {
                let mut sites = vec![environment_site(environment)];
                if environment.system_site_packages {
                    let same_minor =
                        facts.interpreters.iter().filter(|found| found.minor == environment.minor);
                    sites.extend(same_minor.flat_map(interpreter_sites));
                }
                sites
            }
        };
        facts.installed.iter().filter(|installed| sites.contains(&installed.site)).collect()
    }

    /// The distributions of the base that are in the environment itself, where they can be replaced.
    pub fn owned<'a>(&self, facts: &'a BaseFacts) -> Vec<&'a Installed> {
        let Self::Continue { environment } = self else { return Vec::new() };
        let site = environment_site(environment);
        facts.installed.iter().filter(|installed| installed.site == site).collect()
    }
}

/// Where a new environment is made: `/opt/venv`, unless the base has one there.
fn free_prefix(facts: &BaseFacts) -> String {
    let is_free = |prefix: &String| facts.environments.iter().all(|found| found.prefix != *prefix);
    let others = (2..).map(|number| format!("{DEFAULT_PREFIX}{number}"));
    let mut prefixes = iter::once(DEFAULT_PREFIX.to_owned()).chain(others);
    prefixes.find(is_free).expect("a base has finitely many environments")
}

/// The site directory of an environment, without a leading slash.
fn environment_site(environment: &Environment) -> String {
    format!("{}/lib/python{}/site-packages", environment.prefix.trim_start_matches('/'), environment.minor)
}

/// The site directories of an interpreter, without a leading slash; Debian's has two of its own.
fn interpreter_sites(interpreter: &Interpreter) -> Vec<String> {
    let prefix =
        interpreter.path.rsplit_once("/bin/").map_or("", |(prefix, _)| prefix).trim_start_matches('/');
    let library = format!("lib/python{}", interpreter.minor);
    let mut sites = vec![format!("{prefix}/{library}/site-packages")];
    if prefix == "usr" {
        sites.push("usr/lib/python3/dist-packages".to_owned());
        sites.push(format!("usr/local/{library}/dist-packages"));
        sites.push(format!("usr/local/{library}/site-packages"));
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(path: &str, full: &str) -> Interpreter {
        let version: PythonVersion = full.parse().unwrap();
        let aliases = vec![format!("{}/python3", path.rsplit_once('/').unwrap().0)];
        Interpreter {
            path: path.to_owned(),
            aliases,
            minor: version.minor,
            full: Some(full.parse().unwrap()),
        }
    }

    fn facts() -> BaseFacts {
        let environment = Environment {
            prefix: "/opt/venv".to_owned(),
            minor: PythonMinor(11),
            full: Some("3.11.2".parse().unwrap()),
            system_site_packages: false,
        };
        BaseFacts {
            interpreters: vec![
                interpreter("/usr/local/bin/python3.12", "3.12.1"),
                interpreter("/usr/bin/python3.11", "3.11.2"),
            ],
            environments: vec![environment],
            ..BaseFacts::empty()
        }
    }

    fn chosen(version: Option<&str>, path: Option<&str>, path_variable: &str) -> String {
        let step = InterpreterStep {
            version: version.map(|version| version.parse().unwrap()),
            fallback: "3.13".parse().unwrap(),
            path: path.map(str::to_owned),
        };
        match choose(&step, &facts(), path_variable) {
            Ok(InterpreterChoice::Base { interpreter }) => interpreter.path,
            Ok(InterpreterChoice::Continue { environment }) => environment.prefix,
            Ok(InterpreterChoice::Added { version }) => version.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn takes_the_first_that_applies() {
        let venv_first = "/opt/venv/bin:/usr/local/bin:/usr/bin";
        assert_eq!(chosen(None, None, venv_first), "/opt/venv");
        assert_eq!(chosen(Some("3.11.2"), None, venv_first), "/opt/venv");
        assert_eq!(chosen(Some("3.12"), None, venv_first), "/usr/local/bin/python3.12");
        assert_eq!(chosen(None, None, "/usr/bin"), "/usr/local/bin/python3.12");
        assert_eq!(chosen(Some("3.11"), None, "/usr/bin"), "/usr/bin/python3.11");
        assert_eq!(chosen(Some("3.11.4"), None, "/usr/bin"), "3.11.4");
        assert_eq!(chosen(Some("3.9"), None, venv_first), "3.9");
        assert_eq!(chosen(None, Some("/usr/bin/python3"), venv_first), "/usr/bin/python3.11");
        assert_eq!(chosen(None, Some("/opt/venv/bin/python"), "/usr/bin"), "/opt/venv");
    }

    #[test]
    fn an_environment_of_the_base_is_continued_or_left_alone() {
        let (facts, interpreter) = (facts(), interpreter("/usr/bin/python3.11", "3.11.2"));
        let new = InterpreterChoice::Base { interpreter };
        let continued = InterpreterChoice::Continue { environment: facts.environments[0].clone() };
        assert_eq!(continued.environment(&facts).prefix, "/opt/venv");
        assert_eq!(new.environment(&facts).prefix, "/opt/venv2");
        assert_eq!(new.environment(&BaseFacts::empty()).prefix, "/opt/venv");
    }

    #[test]
    fn says_what_there_is_instead() {
        insta::assert_snapshot!(chosen(None, Some("/usr/bin/python"), ""), @"the base image has no Python at /usr/bin/python");
        insta::assert_snapshot!(chosen(Some("3.12"), Some("/usr/bin/python3"), ""), @"/usr/bin/python3 of the base image is Python 3.11.2, not 3.12");
    }
}
