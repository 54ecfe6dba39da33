use std::path::Path;

use imagewright_pypa::{PackageName, TargetPython, Version};

use super::{Asked, ChosenPackage, LockedPackage, PythonWarning};
use crate::uv::Host;

/// What is to be resolved, for which Python, with which knowledge.
#[derive(Debug)]
pub struct PythonRequest<'a> {
    /// The requirements, options and indexes.
    pub asked: &'a Asked,
    /// The interpreter of the image.
    pub target: &'a TargetPython,
    /// What the base has already and pip would leave alone.
    pub installed: &'a [(PackageName, Version)],
    /// The wheels of the previous lock: preferred, so that adding a package moves no other.
    pub previous: &'a [LockedPackage],
    /// Distributions whose wheel was built from what the user allows: it has no hash that anyone could write.
    pub built: &'a [PackageName],
    /// How old an index page may be.
    pub refresh: Refresh,
    /// Whether only what is in the cache may be used.
    pub offline: bool,
    /// A Python that uv may ask for its own bearings where `PATH` has none.
    pub interpreter: Option<&'a Path>,
    /// A folder of ours, where uv keeps index pages and metadata between resolutions.
    pub cache: &'a Path,
    /// An empty folder for the files of this resolution, on a disk that has room; the caller removes it.
    pub scratch: &'a Path,
    /// The machine.
    pub host: &'a Host,
}

/// How old an index page may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// Ten minutes.
    #[default]
    WhenOld,
    /// Every page is asked for anew.
    Always,
}

/// The answer: every distribution that the requirements need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonResolution {
    /// What must be installed, sorted by name.
    pub packages: Vec<ChosenPackage>,
    /// What the base has in the right version, sorted by name.
    pub kept: Vec<(PackageName, Version)>,
    /// Of what a front end asks for, what the user asks for or the base has already.
    pub there: Vec<PackageName>,
    /// What the user should know.
    pub warnings: Vec<PythonWarning>,
}

impl PythonResolution {
    /// Adds the answer to another question of the same image; what both warn of is said once.
    pub(crate) fn extend(&mut self, further: Self) {
        self.packages.extend(further.packages);
        self.kept.extend(further.kept);
        self.there.extend(further.there);
        for warning in further.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_answers_warn_of_is_said_once() {
        let answer = |name: &str, texts: &[&str]| PythonResolution {
            kept: vec![(name.parse().unwrap(), "1".parse().unwrap())],
            warnings: texts.iter().map(|text| PythonWarning::Resolver { text: (*text).to_owned() }).collect(),
            ..PythonResolution::default()
        };
        let mut all = answer("a", &["yanked"]);
        all.extend(answer("b", &["yanked", "odd"]));
        assert_eq!(all.kept.len(), 2);
        assert_eq!(all.warnings, answer("a", &["yanked", "odd"]).warnings);
    }
}
