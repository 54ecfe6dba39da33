use std::collections::{BTreeMap, VecDeque};

use crate::error::UnsatisfiableReason;
use crate::index::{IndexEntry, PackageIndex};
use crate::relation::{Alternatives, Relation};
use crate::roots::Roots;
use crate::{DebianError, DebianName, DebianPackage, PackageGroup};

/// Finds the packages that the roots need, all of their dependencies included, sorted by name.
///
/// Of each package the highest version of all indexes counts, and no other. What is already there satisfies a
/// dependency first; else the first alternative that can be had, a package of that name before one that provides
/// it, and providers by priority, then by name. A package that excludes one that is there cannot be had. There is
/// no backtracking: sets out of one release do not need it, and the result depends on nothing but the indexes.
pub(crate) fn solve(indexes: &[PackageIndex], roots: &[Roots]) -> Result<Vec<DebianPackage>, DebianError> {
    let mut solver = Solver { indexes, chosen: BTreeMap::new(), open: VecDeque::new() };
    for step in roots {
        solver.add_roots(step)?;
        while let Some(name) = solver.open.pop_front() {
            solver.add_dependencies(&name, step.group)?;
        }
    }
    solver.chosen.into_values().map(|choice| choice.entry.package(choice.group)).collect()
}

struct Solver<'a> {
    indexes: &'a [PackageIndex],
    chosen: BTreeMap<DebianName, Choice<'a>>,
    /// Packages whose dependencies have not been looked at.
    open: VecDeque<DebianName>,
}

struct Choice<'a> {
    entry: IndexEntry<'a>,
    group: PackageGroup,
    exclusions: Vec<Relation>,
    /// The package that brought it; none for a root.
    needed_by: Option<DebianName>,
}

impl<'a> Solver<'a> {
    fn add_roots(&mut self, roots: &Roots) -> Result<(), DebianError> {
        let mut names = roots.names.clone();
        if roots.essential {
            for index in self.indexes {
                names.extend(index.essential()?);
            }
        }
        names.sort();
        names.dedup();
        for name in names.into_iter().filter(|name| !self.chosen.contains_key(name)).collect::<Vec<_>>() {
            let entry = self.candidate(name.as_str())?.ok_or_else(|| DebianError::Unsatisfiable {
                dependency: name.to_string(),
                needed_by: format!("the {}", roots.group.as_str()),
                reason: UnsatisfiableReason::NoSuchPackage,
            })?;
            if let Some((package, other, relation)) = self.exclusion(&entry)? {
                return Err(DebianError::Conflict { package, other, relation });
            }
            self.choose(entry, roots.group, None)?;
            if !roots.dependencies {
                self.open.pop_back();
            }
        }
        Ok(())
    }

    fn add_dependencies(&mut self, name: &DebianName, group: PackageGroup) -> Result<(), DebianError> {
        for alternatives in self.chosen[name.as_str()].entry.dependencies()? {
            if self.is_satisfied(&alternatives)? {
                continue;
            }
            let entry = self.first_that_can_be_had(&alternatives, name)?;
            self.choose(entry, group, Some(name.clone()))?;
        }
        Ok(())
    }

    fn choose(
        &mut self,
        entry: IndexEntry<'a>,
        group: PackageGroup,
        needed_by: Option<DebianName>,
    ) -> Result<(), DebianError> {
        let exclusions = entry.exclusions()?;
        self.open.push_back(entry.name.clone());
        self.chosen.insert(entry.name.clone(), Choice { entry, group, exclusions, needed_by });
        Ok(())
    }

    fn is_satisfied(&self, alternatives: &Alternatives) -> Result<bool, DebianError> {
        for relation in &alternatives.0 {
            if let Some(choice) = self.chosen.get(relation.name.as_str())
                && choice.entry.satisfies(relation)?
            {
                return Ok(true);
            }
            for choice in self.chosen.values() {
                if choice.entry.provides(relation)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn first_that_can_be_had(
        &self,
        alternatives: &Alternatives,
        needed_by: &DebianName,
    ) -> Result<IndexEntry<'a>, DebianError> {
        let mut reason = UnsatisfiableReason::NoSuchPackage;
        for relation in &alternatives.0 {
            for entry in self.candidates(relation)? {
                if self.exclusion(&entry)?.is_none() {
                    return Ok(entry);
                }
                reason = UnsatisfiableReason::Excluded;
            }
            if let (UnsatisfiableReason::NoSuchPackage, Some(entry)) =
                (&reason, self.candidate(relation.name.as_str())?)
            {
                reason = UnsatisfiableReason::OtherVersion { newest: entry.version.to_string() };
            }
        }
        Err(DebianError::Unsatisfiable {
            dependency: alternatives.to_string(),
            needed_by: self.chain(needed_by),
            reason,
        })
    }

    /// All packages that satisfy a relation, the best first.
    fn candidates(&self, relation: &Relation) -> Result<Vec<IndexEntry<'a>>, DebianError> {
        let named = self.candidate(relation.name.as_str())?.filter(|entry| relation.accepts(&entry.version));
        let mut providers = Vec::new();
        for index in self.indexes {
            for entry in index.providing(relation.name.as_str()) {
                let entry = entry?;
                let is_candidate =
                    self.candidate(entry.name.as_str())?.is_some_and(|best| best.version == entry.version);
                if is_candidate && entry.provides(relation)? {
                    providers.push(entry);
                }
            }
        }
        providers.sort_by(|a, b| (a.priority(), &a.name).cmp(&(b.priority(), &b.name)));
        Ok(named.into_iter().chain(providers).collect())
    }

    /// The highest version of a package; of equal ones, that of the first index.
    fn candidate(&self, name: &str) -> Result<Option<IndexEntry<'a>>, DebianError> {
        let mut best: Option<IndexEntry<'a>> = None;
        for entry in self.indexes.iter().flat_map(|index| index.named(name)) {
            let entry = entry?;
            if best.as_ref().is_none_or(|best| best.version < entry.version) {
                best = Some(entry);
            }
        }
        Ok(best)
    }

    /// Who excludes whom, and by which relation, if `entry` came to what is there.
    fn exclusion(
        &self,
        entry: &IndexEntry<'a>,
    ) -> Result<Option<(DebianName, DebianName, String)>, DebianError> {
        let exclusions = entry.exclusions()?;
        for choice in self.chosen.values().filter(|choice| choice.entry.name != entry.name) {
            for (package, relations, other) in
                [(entry, &exclusions, &choice.entry), (&choice.entry, &choice.exclusions, entry)]
            {
                for relation in relations {
                    if other.satisfies(relation)? {
                        return Ok(Some((package.name.clone(), other.name.clone(), relation.to_string())));
                    }
                }
            }
        }
        Ok(None)
    }

    /// `libpam-modules, needed by login, needed by the userland`.
    fn chain(&self, name: &DebianName) -> String {
        let choice = &self.chosen[name.as_str()];
        let above = match &choice.needed_by {
            Some(above) => self.chain(above),
            None => format!("the {}", choice.group.as_str()),
        };
        format!("{name}, needed by {above}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pocket;

    /// Writes an index from lines of `name version: Field: value; Field: value`.
    fn index(pocket: Pocket, lines: &str) -> PackageIndex {
        let digest = "0".repeat(64);
        let stanza = |line: &str| {
            let (head, fields) =
                line.trim().split_once(": ").unwrap_or((line.trim().trim_end_matches(':'), ""));
            let (name, version) = head.split_once(' ').unwrap();
            let fields = fields.replace("; ", "\n");
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: all\n{fields}\nFilename: pool/{name}\nSize: 1\nSHA256: {digest}\n"
            )
        };
        let text: Vec<String> = lines.lines().filter(|line| !line.trim().is_empty()).map(stanza).collect();
        PackageIndex::new(pocket, text.join("\n").replace("\n\n\n", "\n\n").replace("all\n\n", "all\n"))
            .unwrap()
    }

    fn roots(names: &[&str]) -> Roots {
        Roots {
            group: PackageGroup::Userland,
            names: names.iter().map(|name| name.parse().unwrap()).collect(),
            essential: true,
            dependencies: true,
        }
    }

    /// What is chosen for the root `r`, as `name=version`, or what the error says.
    #[track_caller]
    fn check(main: &str, security: &str, expected: &str) {
        let indexes = [index(Pocket::Main, main), index(Pocket::Security, security)];
        let result = match solve(&indexes, &[roots(&["r"])]) {
            Ok(packages) => {
                packages.iter().map(|p| format!("{}={}", p.name, p.version)).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(result, expected);
    }

    #[test]
    fn takes_the_highest_version_of_all_indexes() {
        check("r 1: Depends: a (>= 2)\na 1:", "a 2:", "a=2 r=1");
        check("r 1: Depends: a\na 2:", "a 2~sec:", "a=2 r=1");
    }

    #[test]
    fn prefers_what_is_there_then_the_first_then_priority_then_name() {
        check("r 1: Depends: a | b, b\na 1:\nb 1:", "", "a=1 b=1 r=1");
        check("r 1: Depends: b, a | b\na 1:\nb 1:", "", "b=1 r=1");
        check("r 1: Depends: x\nb 1: Provides: x\na 1: Provides: x\n", "", "a=1 r=1");
        check(
            "r 1: Depends: x\nb 1: Provides: x; Priority: required\na 1: Provides: x; Priority: optional",
            "",
            "b=1 r=1",
        );
        check("r 1: Depends: nothing | a\na 1:", "", "a=1 r=1");
        check("r 1:\ne 1: Essential: yes\na 1:", "", "e=1 r=1");
    }

    #[test]
    fn provided_versions_count() {
        check("r 1: Depends: x (>= 2)\na 1: Provides: x\nb 1: Provides: x (= 2)", "", "b=1 r=1");
        check(
            "r 1: Depends: x\na 1: Provides: x",
            "a 2:",
            "x is needed by r, needed by the userland and the archive has no such package",
        );
    }

    #[test]
    fn exclusions_are_kept() {
        check("r 1: Depends: a | b; Conflicts: a\na 1:\nb 1:", "", "b=1 r=1");
        check("r 1: Conflicts: x; Provides: x", "", "r=1");
        check(
            "r 1: Depends: a; Breaks: a (<< 2)\na 1:",
            "",
            "a is needed by r, needed by the userland and all packages that would do conflict with others that are needed",
        );
        check(
            "r 1: Breaks: e\ne 1: Essential: yes",
            "",
            "r cannot be with e: it conflicts with or breaks `e`",
        );
    }

    #[test]
    fn says_what_is_missing_and_who_needs_it() {
        check("a 1:", "", "r is needed by the userland and the archive has no such package");
        check(
            "r 1: Depends: a\na 1: Pre-Depends: b (>= 2)\nb 1:",
            "",
            "b (>= 2) is needed by a, needed by r, needed by the userland and the newest version in the archive is 1",
        );
    }
}
