use std::collections::BTreeSet;

use imagewright_pypa::{MarkerEnvironment, PackageName, TargetPython};
use imagewright_spec::ProjectLock;

use super::choice::Chosen;
use super::{LockedProject, ProjectError};
use crate::python::pylock::Pylock;

impl LockedProject {
    /// What the markers of a `pylock.toml` are held against; uv's own are without extras and groups.
    pub(super) fn environment<'a>(
        &self,
        target: &'a TargetPython,
        pylock: &Pylock,
    ) -> Result<MarkerEnvironment<'a>, ProjectError> {
        let mut environment = MarkerEnvironment::of(target);
        if self.lock != ProjectLock::Pylock {
            return Ok(environment);
        }
        let extras = self.names(&pylock.extras)?;
        let defaults = self.names(&pylock.default_groups)?;
        // A default group may be one that nothing else says is there.
        let groups: BTreeSet<PackageName> =
            self.names(&pylock.dependency_groups)?.union(&defaults).cloned().collect();
        if !self.choice.words.contains(&Chosen::NoDefaultGroups) {
            environment.groups.extend(defaults);
        }
        let mut without = BTreeSet::new();
        for word in &self.choice.words {
            match word {
                Chosen::Extra(name) => {
                    environment.extras.insert(self.one_of(&extras, "extra", name)?);
                }
                Chosen::AllExtras => environment.extras.extend(extras.iter().cloned()),
                Chosen::Group(name) => {
                    environment.groups.insert(self.one_of(&groups, "group", name)?);
                }
                Chosen::NoGroup(name) => {
                    without.insert(self.one_of(&groups, "group", name)?);
                }
                Chosen::AllGroups => environment.groups.extend(groups.iter().cloned()),
                _ => {}
            }
        }
        environment.groups.retain(|name| !without.contains(name));
        Ok(environment)
    }

    fn names(&self, texts: &[String]) -> Result<BTreeSet<PackageName>, ProjectError> {
        let names = texts.iter().map(|text| text.parse::<PackageName>());
        names.collect::<Result<_, _>>().map_err(|source| {
            let (path, source) = (self.path.clone(), Box::new(source));
            ProjectError::Malformed { path, source }
        })
    }

    fn one_of(
        &self,
        known: &BTreeSet<PackageName>,
        kind: &'static str,
        text: &str,
    ) -> Result<PackageName, ProjectError> {
        let name = text.parse().ok().filter(|name| known.contains(name));
        name.ok_or_else(|| {
            let (path, name) = (self.path.clone(), text.to_owned());
            ProjectError::Unknown { path, kind, name, known: known.iter().map(ToString::to_string).collect() }
        })
    }
}
