//! `uv.lock`, in uv's own words for other tools.

use std::collections::BTreeMap;

use super::{LockedProject, ProjectError};
use crate::python::pylock::Pylock;
use crate::python::resolve::LIMIT;
use crate::python::surroundings::surroundings;
use crate::python::{Index, PythonError, PythonRequest, PythonWarning};
use crate::uv::{Finished, Invocation, Uv};

/// Settings of indexes: the lock is held against the project as its user's uv does it, and that reads all of these.
const INDEX_VARIABLES: [&str; 6] =
    ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX", "UV_CONFIG_FILE", "UV_NO_CONFIG"];

/// What uv says of a lock that it would write otherwise.
const STALE: [&str; 2] = ["needs to be updated", "No solution found"];

/// The packages of a `uv.lock`, and what the user should know.
///
/// A lock that fits its project is held against it without the network. Nothing is built for it: where that would be
/// needed to know, the lock is taken as it is, with a warning.
pub(super) async fn export(
    uv: &Uv,
    request: &PythonRequest<'_>,
    project: &LockedProject,
) -> Result<(Pylock, Option<PythonWarning>), PythonError> {
    let exporting = Exporting { uv, request, project };
    if project.choice.unchecked {
        return Ok((exporting.frozen().await?, None));
    }
    let mut finished = exporting.ask(&["--locked", "--offline"]).await?;
    if !finished.status.success() && !request.offline {
        finished = exporting.ask(&["--locked"]).await?;
    }
    if finished.status.success() {
        return Ok((parsed(&finished)?, None));
    }
    // What is wrong with the lock itself is told first.
    let pylock = exporting.frozen().await?;
    let explanation = exporting.explanation(&finished);
    if STALE.iter().any(|words| explanation.contains(words)) {
        let (lock, path) = (project.lock, project.path.clone());
        return Err(ProjectError::Stale { lock, path, explanation }.into());
    }
    let because = explanation.lines().next().unwrap_or_default().to_owned();
    Ok((pylock, Some(PythonWarning::Unchecked { path: project.path.clone(), because })))
}

#[derive(Clone, Copy)]
struct Exporting<'a> {
    uv: &'a Uv,
    request: &'a PythonRequest<'a>,
    project: &'a LockedProject,
}

impl Exporting<'_> {
    async fn frozen(self) -> Result<Pylock, PythonError> {
        let finished = self.ask(&["--frozen"]).await?;
        if finished.status.success() {
            return parsed(&finished);
        }
        let (path, explanation) = (self.project.path.clone(), self.explanation(&finished));
        Err(ProjectError::Refused { path, explanation }.into())
    }

    async fn ask(self, further: &[&str]) -> Result<Finished, PythonError> {
        let fixed = ["export", "--format", "pylock.toml", "--no-header", "--quiet"];
        let mut arguments: Vec<String> = fixed.iter().chain(further).map(|&word| word.to_owned()).collect();
        if let Some(python) = self.request.interpreter {
            arguments.extend(["--python".to_owned(), python.display().to_string()]);
        }
        arguments.extend(self.project.choice.of_uv());
        let invocation = Invocation {
            program: self.uv.executable(),
            arguments,
            variables: self.variables(),
            directory: Some(self.project.folder(self.request.host)),
            limit: LIMIT,
        };
        Ok(invocation.run().await?)
    }

    fn variables(self) -> BTreeMap<String, String> {
        let mut variables = surroundings(self.request);
        let host = self.request.host;
        let given = INDEX_VARIABLES.iter().filter_map(|&name| Some((name, host.variable(name)?)));
        variables.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // An index may have a password, which belongs on no command line.
        let indexes: Vec<String> = self.request.asked.indexes.indexes().map(Index::for_variable).collect();
        variables.insert("UV_INDEX".to_owned(), indexes.join(" "));
        // To ask a project for its metadata is to execute its build backend.
        variables.insert("UV_NO_BUILD".to_owned(), "1".to_owned());
        variables
    }

    /// uv's words, from its error on.
    fn explanation(self, finished: &Finished) -> String {
        let text = self.request.asked.indexes.redact(&finished.stderr);
        let text = text.split_once("error: ").map_or(text.as_str(), |(_, text)| text);
        text.split("\n\nhint:").next().unwrap_or(text).trim().to_owned()
    }
}

fn parsed(finished: &Finished) -> Result<Pylock, PythonError> {
    toml::from_str(&finished.stdout)
        .map_err(|error| PythonError::Answer { explanation: error.message().to_owned() })
}
