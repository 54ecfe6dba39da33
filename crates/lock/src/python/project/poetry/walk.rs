//! Locks of Poetry before 2.0 say what packages depend on; what is installed is found from the project on.

use std::collections::{BTreeMap, BTreeSet};

use imagewright_pypa::{MarkerEnvironment, PackageName};
use toml::{Table, Value};

use super::Reading;
use super::constraint::Constraint;
use super::groups::Groups;
use super::place::Place;
use super::wire::Package;
use crate::python::PythonError;
use crate::python::project::error::PackageProblem;

/// The packages that the project, with these groups and extras, needs.
pub(super) fn needed<'a>(
    reading: &Reading<'a>,
    groups: &Groups,
    environment: &MarkerEnvironment<'_>,
) -> Result<Vec<&'a Package>, PythonError> {
    let mut walk = Walk { reading, environment, extras: BTreeMap::new(), wanted: BTreeSet::new() };
    let extras = reading.lock.extras.iter();
    let is_asked =
        |extra: &str| extra.parse().is_ok_and(|name: PackageName| environment.extras.contains(&name));
    let of_extras: Vec<&str> = extras
        .filter(|(extra, _)| is_asked(extra))
        .flat_map(|(_, names)| names)
        .map(String::as_str)
        .collect();
    let poetry = reading.pyproject.table(&["tool", "poetry"]);
    let table = |table: &Table, name: &str| table.get(name).and_then(Value::as_table).cloned();
    let mut open = Vec::new();
    if let Some(own) = poetry.and_then(|poetry| table(poetry, "dependencies")).filter(|_| groups.has_main()) {
        let own = own.into_iter().filter(|(name, _)| name != "python");
        open.extend(own.map(|(name, value)| Edge {
            is_asked: of_extras.iter().any(|extra| is_name(extra, &name)),
            name,
            value,
        }));
    }
    let further = poetry.and_then(|poetry| table(poetry, "group")).unwrap_or_default();
    let further = further
        .into_iter()
        .filter_map(|(name, group)| Some((name, group.get("dependencies")?.as_table()?.clone())));
    let legacy = poetry.and_then(|poetry| table(poetry, "dev-dependencies"));
    for (group, dependencies) in further.chain(legacy.map(|table| ("dev".to_owned(), table))) {
        if groups.has(&group) {
            open.extend(dependencies.into_iter().map(|(name, value)| Edge { name, value, is_asked: false }));
        }
    }
    for edge in open {
        walk.edge(&edge, &BTreeSet::new())?;
    }
    let wanted = walk.wanted;
    Ok(wanted.into_iter().map(|at| &reading.lock.package[at]).collect())
}

/// A dependency as it is written: a constraint, a table with more, or a list of such tables.
struct Edge {
    name: String,
    value: Value,
    /// Whether an extra asks for it, that is optional otherwise.
    is_asked: bool,
}

struct Walk<'a, 'r> {
    reading: &'r Reading<'a>,
    environment: &'r MarkerEnvironment<'r>,
    /// The extras that were asked of packages, by their place in the lock.
    extras: BTreeMap<usize, BTreeSet<PackageName>>,
    wanted: BTreeSet<usize>,
}

impl Walk<'_, '_> {
    /// Follows a dependency of something that was asked for with these extras.
    fn edge(&mut self, edge: &Edge, asked: &BTreeSet<PackageName>) -> Result<(), PythonError> {
        let tables = match &edge.value {
            Value::String(_) => vec![Table::from_iter([("version".to_owned(), edge.value.clone())])],
            Value::Table(table) => vec![table.clone()],
            Value::Array(items) => items.iter().filter_map(Value::as_table).cloned().collect(),
            _ => Vec::new(),
        };
        for table in tables {
            let is_optional = table.get("optional").and_then(Value::as_bool).unwrap_or(false);
            if (!is_optional || edge.is_asked) && self.is_meant(&table, asked)? {
                self.follow(&edge.name, &table)?;
            }
        }
        Ok(())
    }

    fn is_meant(&self, table: &Table, asked: &BTreeSet<PackageName>) -> Result<bool, PythonError> {
        let text = |name: &str| table.get(name).and_then(Value::as_str).map(str::to_owned);
        let environment = MarkerEnvironment { extras: asked.clone(), ..self.environment.clone() };
        if !self.reading.holds(text("markers").as_ref(), &environment)? {
            return Ok(false);
        }
        if let Some(python) = text("python") {
            let python: Constraint = python.parse().map_err(|error| self.reading.project.malformed(error))?;
            if !python.allows(&self.reading.target.full_version()) {
                return Ok(false);
            }
        }
        let is_ours = |part: &str| part.trim().trim_start_matches('=').trim() == "linux";
        Ok(text("platform").is_none_or(|platform| match platform.trim().strip_prefix("!=") {
            Some(other) => other.trim() != "linux",
            None => platform.split('|').any(is_ours),
        }))
    }

    fn follow(&mut self, name: &str, table: &Table) -> Result<(), PythonError> {
        let packages = &self.reading.lock.package;
        let named: Vec<usize> =
            (0..packages.len()).filter(|at| is_name(name, packages[*at].name.as_str())).collect();
        let constraint = table.get("version").and_then(Value::as_str).map(str::parse::<Constraint>);
        let constraint = constraint.transpose().map_err(|error| self.reading.project.malformed(error))?;
        let fits = |at: &usize| constraint.as_ref().is_none_or(|it| it.allows(&packages[*at].version));
        let at = match named[..] {
            // An extra that nobody asked for is not locked.
            [] => return Ok(()),
            [at] => at,
            // Only where there are several, the version and the source tell which one is meant.
            _ => {
                let fitting: Vec<usize> = named.iter().copied().filter(fits).collect();
                let package = packages[named[0]].name.clone();
                self.meant(&fitting, Place::of(table).as_ref())
                    .ok_or_else(|| self.reading.project.wrong(package, PackageProblem::Unfit))?
            }
        };
        let extras = table.get("extras").and_then(Value::as_array).into_iter().flatten();
        let extras: BTreeSet<PackageName> = extras.filter_map(|extra| extra.as_str()?.parse().ok()).collect();
        let known = self.extras.entry(at).or_default();
        let is_new = extras.iter().any(|extra| !known.contains(extra));
        if !self.wanted.insert(at) && !is_new {
            return Ok(());
        }
        known.extend(extras);
        let asked = known.clone();
        let package = &packages[at];
        for (name, value) in &package.dependencies {
            let of_extra = |(extra, names): (&String, &Vec<String>)| {
                let is_asked = extra.parse().is_ok_and(|extra: PackageName| asked.contains(&extra));
                is_asked && names.iter().any(|line| is_name(line, name))
            };
            let is_asked = package.extras.iter().any(of_extra);
            self.edge(&Edge { name: name.clone(), value: value.clone(), is_asked }, &asked)?;
        }
        Ok(())
    }

    /// Which of several packages a dependency is about.
    fn meant(&self, fitting: &[usize], place: Option<&Place<'_>>) -> Option<usize> {
        let Some(place) = place else { return fitting.first().copied() };
        let package = |at: &usize| &self.reading.lock.package[*at];
        let here = fitting.iter().find(|at| place.has(package(at)));
        // One address can be written in several ways, where only one package can be meant.
        let mut alike = fitting.iter().filter(|at| place.is_kind_of(package(at)));
        let only = alike.next().filter(|_| alike.next().is_none());
        here.or(only).copied()
    }
}

/// Whether a requirement, or a name alone, is about a package of this name.
fn is_name(line: &str, name: &str) -> bool {
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    let word = line.split(is_end).next().unwrap_or_default();
    match (word.parse::<PackageName>(), name.parse::<PackageName>()) {
        (Ok(word), Ok(name)) => word == name,
        _ => false,
    }
}
